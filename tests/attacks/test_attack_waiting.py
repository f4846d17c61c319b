"""A relay stamps a directory that it never shows a node: what waits for it is bounded, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from rsc_share.messages import Indicator
from rsc_share.node import docket
from rsc_share.node.engine import Engine
from rsc_share.node.told import Told
from rsc_share.session.frames import News, Tail
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv

GREEN = "TLP:GREEN REL TO @members"
MESSAGES = 30
MOST = 40_000


class Old(adv.Lie):
    """The directory is as it was; the channel goes on."""

    def _is_old(self, log: str) -> bool:
        return log == self.engine.directory_log

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        return None if self._is_old(log) else await super().read(log, start, min(limit, 4))

    async def witnessed(self, log: str) -> bytes | None:
        return None if self._is_old(log) else await super().witnessed(log)

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {} if self._is_old(log) else await super().bodies(log, digests)


@pytest.fixture
async def fw(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Framework]:
    monkeypatch.setattr(docket, "HELD", MOST)
    async with Framework.create("EST", "LVA", "FIN", seed=5) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework


async def said(fw: Framework, member: str, number: int) -> None:
    """Published by somebody whose own prekey, the newest entry of the directory, LVA is not shown."""
    await (
        await fw.node(member).channel("main").publish(Indicator(pattern=f"{number}", stix_id="i"), label=GREEN)
    ).receipt()


async def starved(fw: Framework) -> tuple[Engine, Old]:
    """LVA, to which the relay shows `MESSAGES` messages and not the directory that they are stamped with."""
    lie = Old(fw, "LVA")
    engine = fw.node("LVA").engine
    await fw.restrict("FIN", "EST")
    for number in range(MESSAGES):
        await said(fw, "EST", number)
        await fw.settle()
    return engine, lie


async def test_attack_entries_that_wait_for_a_directory_nobody_gives_are_not_all_held(fw: Framework) -> None:
    engine, _ = await starved(fw)
    line, log = engine.line("main"), fw.relay_service.logs[engine.line("main").log]
    assert line.held_up
    assert line.follower.size < log.size
    assert line.follower._docket._weight < 2 * MOST
    assert line.behind, "nothing is signed on top of what was not read"
    assert not engine.behind, "and nobody turns for it"
    assert line.log not in engine.sizes(), "nor is anybody asked for more of it"
    read = line.follower.size
    assert not await line.read(Told(engine.port(line.log), News()))
    assert line.follower.size == read


async def test_what_waited_is_read_once_the_directory_is_there(fw: Framework) -> None:
    engine, lie = await starved(fw)
    lie.stop()
    await fw.settle()
    line = engine.line("main")
    assert line.follower.judged == fw.relay_service.logs[line.log].size
    assert line.follower._docket._weight == 0
    assert not line.behind
    assert len(line.reading.inbox.events) == MESSAGES
    assert "kept-back" not in engine.alarms.codes()
    await said(fw, "LVA", 0)


async def test_news_that_free_a_line_do_not_make_it_think_it_has_read_all(fw: Framework) -> None:
    """A turn by news asks for nothing: what was left with the relay is asked for in the one after."""
    engine, lie = await starved(fw)
    lie.stop()
    assert await engine.feed.follow(engine.port(engine.directory_log))
    line = engine.line("main")
    assert not line.held_up
    assert await line.read(Told(engine.port(line.log), News()))
    assert line.behind
    assert engine.behind
    while await engine.turn({}):
        pass
    assert len(line.reading.inbox.events) == MESSAGES
    assert not line.behind
