"""What a node asks while nothing happens: one open question, and all of them only now and then."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from rsc_share.errors import Refused, RemoteError, StorageError, Unavailable
from rsc_share.node import watch as room
from rsc_share.node.watch import ASK_RESTS, Watch
from rsc_share.session.frames import News


class Port:
    """Answers `changed` with what it is given, or never."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[News | None] = asyncio.get_running_loop().create_future()
        self.asked = 0

    async def changed(self, known, heads):
        self.asked += 1
        return await asyncio.shield(self.answer)


@pytest.fixture
async def port():
    return Port()


@pytest.fixture
async def watch(port, monkeypatch):
    monkeypatch.setattr(room, "IDLE_SECONDS", 0.0)  # every rest is over at once
    engine = SimpleNamespace(
        ports={"relay.example": port},
        sizes=dict,
        witness=SimpleNamespace(sizes=dict),
        cosigner=SimpleNamespace(pause=None),
        under_way=list,
    )
    made = Watch(engine)
    yield made
    await made.aclose()


async def test_a_quiet_node_asks_for_everything_only_now_and_then(watch, port):
    work = asyncio.Event()
    found = [await watch.rest(work) for _ in range(2 * ASK_RESTS)]
    assert [at for at, news in enumerate(found, 1) if news is None] == [ASK_RESTS, 2 * ASK_RESTS]
    assert all(news == {} for news in found if news is not None)
    assert port.asked == 1  # and its one question stays open


async def test_news_are_handed_on_by_relay(watch, port):
    news = News(more=("relay.example/regional/ct",))
    port.answer.set_result(news)
    work = asyncio.Event()
    found = [await watch.rest(work) for _ in range(3)]
    assert {"relay.example": news} in found
    assert port.asked >= 2  # asked again at once: this is how the next news come


async def test_a_relay_that_failed_is_asked_for_everything(watch, port):
    port.answer.set_exception(Unavailable("cut off", code="cut-off"))
    work = asyncio.Event()
    found = [await watch.rest(work) for _ in range(4)]
    assert None in found[:3]
    assert port.asked >= 2  # and again once the rest is over


def failed_with(error):
    found = asyncio.get_running_loop().create_future()
    found.set_exception(error)
    found.exception()
    return found


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("no session with relay.example", code="cut-off"),
        Refused("unknown-sender", "no node of this framework", row=3),
        RemoteError("another key than the charter's", code="wrong-pin"),
    ],
    ids=lambda error: error.code,
)
async def test_a_round_that_fails_at_once_is_not_begun_again_at_once(watch, port, error):
    """Or a node whose relay is away, or turns it away, would begin rounds as fast as its machine can, for as long as
    that lasts."""
    watch._engine.under_way = lambda: [failed_with(error)]
    work, woken = asyncio.Event(), []
    work.set, honest = lambda: woken.append(1), work.set
    for _ in range(3):
        await watch.rest(work)
    assert woken == []
    work.set = honest


async def test_a_round_that_moved_something_wakes_whoever_rests(watch, port):
    done = asyncio.ensure_future(asyncio.sleep(0, True))
    await asyncio.wait([done])
    watch._engine.under_way = lambda: [done]
    work, woken = asyncio.Event(), []
    work.set = lambda: woken.append(1)
    await watch.rest(work)
    await asyncio.sleep(0)
    assert woken


async def test_a_round_that_failed_for_want_of_a_disk_wakes_whoever_rests(watch, port):
    watch._engine.under_way = lambda: [failed_with(StorageError("no disk"))]
    work, woken = asyncio.Event(), []
    work.set = lambda: woken.append(1)
    await watch.rest(work)
    assert woken


async def test_a_relay_that_failed_once_is_asked_again_while_another_one_is_away(watch, port):
    """Every rest ends with a round that failed at the other one: it is no less over for that."""
    port.answer.set_exception(Unavailable("cut off", code="cut-off"))
    work = asyncio.Event()
    await watch.rest(work)
    watch._engine.under_way = lambda: [failed_with(Unavailable("away", code="cut-off"))]
    port.answer = asyncio.get_running_loop().create_future()
    for _ in range(4):
        await watch.rest(work)
    assert port.asked == 2


async def test_a_relay_that_failed_once_is_asked_again_while_there_is_much_to_do_elsewhere(watch, port, monkeypatch):
    """A second in which nothing at all happens may never come."""
    port.answer.set_exception(Unavailable("cut off", code="cut-off"))
    work = asyncio.Event()
    await watch.rest(work)
    port.answer = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(room, "IDLE_SECONDS", 3600.0)  # the second is over, and no rest ever is
    for _ in range(4):
        work.set()
        await watch.rest(work)
    assert port.asked == 2


async def test_what_a_round_put_off_is_due_though_it_failed_at_another_relay(watch, port, monkeypatch):
    monkeypatch.setattr(room, "IDLE_SECONDS", 3600.0)
    waited = []
    watch._engine.cosigner.waited = lambda: waited.append(1)
    round_ = asyncio.get_running_loop().create_future()
    watch._engine.under_way = lambda: [round_]

    def ends():
        watch._engine.cosigner.pause = 0.0
        round_.set_exception(Unavailable("away", code="cut-off"))

    asyncio.get_running_loop().call_soon(ends)
    async with asyncio.timeout(5):
        await watch.rest(asyncio.Event())
    assert waited
