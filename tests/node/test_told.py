"""News in the place of answers: each part once, to who stands where it begins, and a question for everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rsc_share.errors import Unavailable
from rsc_share.node.told import Told
from rsc_share.node.watch import Watch
from rsc_share.session.frames import Bare, News, Offer, Tail
from rsc_share.session.port import NOTHING, Shown

LOG, OTHER = "relay.example/regional/ct", "relay.example/regional/ops"


def tail(log: str, start: int, count: int, size: int) -> Tail:
    return Tail(log, start, tuple(Bare(bytes([n]) * 32) for n in range(count)), f"{log}\n{size}\nroot\n".encode())


class Asked:
    """A feed that writes down what it is asked."""

    def __init__(self) -> None:
        self.questions: list[tuple[Any, ...]] = []
        self.failure: Unavailable | None = None

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        self.questions.append(("read", log, start))
        return None

    async def witnessed(self, log: str) -> bytes | None:
        self.questions.append(("witnessed", log))
        return b"asked"

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.questions.append(("bodies", log))
        return {}

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        self.questions.append(("offers", dict(heads)))
        return []


async def test_what_the_relay_did_not_mention_is_not_asked_for() -> None:
    feed = Asked()
    told = Told(feed, News())
    assert await told.read(LOG, 5, 10) is None
    assert await told.witnessed(LOG) is None
    assert await told.offers({LOG: 3}) == []
    assert feed.questions == []


async def test_each_part_of_the_news_is_given_once() -> None:
    offer = Offer(LOG, 3, b"note", 1, ())
    feed = Asked()
    told = Told(feed, News((tail(LOG, 5, 2, 7),), ((LOG, b"note"),), (offer,)))
    found = await told.read(LOG, 5, 10)
    assert found is not None
    assert len(found.items) == 2
    assert await told.read(LOG, 7, 10) is None
    assert [await told.witnessed(LOG), await told.witnessed(LOG)] == [b"note", None]
    assert [await told.offers({LOG: 3}), await told.offers({LOG: 3})] == [[offer], []]
    assert feed.questions == []


async def test_a_tail_that_does_not_begin_where_the_node_stands_is_asked_for() -> None:
    feed = Asked()
    told = Told(feed, News((tail(LOG, 5, 2, 7),)))
    assert await told.read(LOG, 6, 10) is None
    assert feed.questions == [("read", LOG, 6)]


@pytest.mark.parametrize("news", [News((tail(LOG, 5, 2, 9),)), News(more=(LOG,))])
async def test_of_what_did_not_fit_the_rest_is_asked_for(news: News) -> None:
    feed = Asked()
    told = Told(feed, news)
    await told.read(LOG, 5, 10)
    await told.read(LOG, 7, 10)
    await told.witnessed(LOG)
    await told.read(OTHER, 0, 10)
    assert feed.questions[-2:] == [("read", LOG, 7), ("witnessed", LOG)]


async def test_offers_from_other_heads_than_ours_are_asked_for_again() -> None:
    feed = Asked()
    told = Told(feed, News(offers=(Offer(LOG, 3, b"note", 1, ()),)))
    assert await told.offers({LOG: 4}) == []
    assert feed.questions == [("offers", {LOG: 4})]


@pytest.mark.parametrize("note", [b"", b"log\n", b"log\nx\n", b"log\n" + b"9" * 30 + b"\n", b"log\n-1\n"])
async def test_a_note_that_is_none_says_nothing_about_more(note: bytes) -> None:
    feed = Asked()
    told = Told(feed, News((Tail(LOG, 5, (), note),)))
    assert await told.read(LOG, 5, 10) is not None
    assert await told.read(LOG, 5, 10) is None
    assert feed.questions == []


async def test_silence_of_a_line_that_is_cut_is_no_answer() -> None:
    feed = Asked()
    feed.failure = Unavailable("cut")
    with pytest.raises(Unavailable, match="cut"):
        await Told(feed, News()).read(LOG, 5, 10)


class _Engine:
    """As much of an engine as waiting needs."""

    def __init__(self, port: Any) -> None:
        self.ports = {"relay.example": port}
        self.witness = self.cosigner = self
        self.pause: float | None = None
        self.over = False
        self.loop = asyncio.get_running_loop()

    def sizes(self) -> dict[str, int]:
        return {LOG: 5}

    def waited(self) -> None:
        self.over = True

    def under_way(self) -> list[Any]:
        return []


class _Port:
    def __init__(self) -> None:
        self.answers: list[asyncio.Future[News | None]] = []
        self.asked = asyncio.Event()

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int]) -> News | None:
        self.answers.append(asyncio.get_running_loop().create_future())
        self.asked.set()
        return await self.answers[-1]


async def test_one_question_stays_open_however_often_the_node_is_nudged() -> None:
    port, work = _Port(), asyncio.Event()
    watch = Watch(_Engine(port))  # type: ignore[arg-type]
    for _ in range(3):
        work.set()
        assert await watch.rest(work) == {}
        assert not work.is_set()
    port.answers[0].set_result(News(more=(LOG,)))
    assert await watch.rest(work) == {"relay.example": News(more=(LOG,))}
    assert len(port.answers) == 1
    work.set()
    assert await watch.rest(work) == {}
    await asyncio.sleep(0)
    await watch.aclose()
    assert port.answers[1].cancelled()


@pytest.mark.parametrize("failing", [True, False])
async def test_a_relay_that_fails_or_says_look_yourself_is_asked_for_everything(*, failing: bool) -> None:
    port = _Port()
    watch = Watch(_Engine(port))  # type: ignore[arg-type]
    resting = asyncio.ensure_future(watch.rest(asyncio.Event()))
    await port.asked.wait()
    if failing:
        port.answers[0].set_exception(Unavailable("cut"))
    else:
        port.answers[0].set_result(None)
    assert await resting is None
    work = asyncio.Event()
    work.set()
    assert await watch.rest(work) == {}
    assert len(port.answers) == (1 if failing else 2), "what fails at once is not asked again at once"
    await watch.aclose()


async def test_a_relay_that_wakes_for_nothing_is_asked_again_after_a_rest() -> None:
    port, work = _Port(), asyncio.Event()
    watch = Watch(_Engine(port))  # type: ignore[arg-type]
    for n in range(2):
        port.asked.clear()
        resting = asyncio.ensure_future(watch.rest(work))
        await port.asked.wait()
        port.answers[n].set_result(News())
        assert await resting == {"relay.example": News()}
    work.set()
    assert await watch.rest(work) == {}
    assert len(port.answers) == 2
    await watch.aclose()


async def test_an_offer_that_was_put_off_wakes_the_node() -> None:
    port = _Port()
    engine = _Engine(port)
    engine.pause = 0.001
    watch = Watch(engine)  # type: ignore[arg-type]
    assert await watch.rest(asyncio.Event()) == {}
    assert engine.over, "what was put off is due, whatever the clock of the world says"
    await watch.aclose()
