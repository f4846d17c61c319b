"""What a node asks while nothing happens: one open question, and all of them only now and then."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from rsc_share.errors import Unavailable
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


async def test_a_round_that_fails_at_once_is_not_begun_again_at_once(watch, port):
    """Or a node whose relay is away would begin rounds as fast as its machine can, for as long as that lasts."""

    async def cut_off():
        raise Unavailable("no session with relay.example", code="cut-off")

    failed = asyncio.ensure_future(cut_off())
    await asyncio.wait([failed])
    watch._engine.under_way = lambda: [failed]
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
