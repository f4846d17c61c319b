"""A node that was away for long is open at once, reads on behind that, and signs nothing before it has read all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from node_world import GREEN, Bench, arrivals, indicator, patterns

from rsc_share.messages import Indicator
from rsc_share.node import line
from rsc_share.node.node import Node
from rsc_share.session.frames import Outcome, Submission
from rsc_share.testing.wire import Wire


@pytest.fixture(autouse=True)
def small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "READ_LIMIT", 2)
    monkeypatch.setattr(line, "TURN_ENTRIES", 4)


async def say(bench: Bench, member: str, *texts: str) -> None:
    for text in texts:
        await bench.fw.node(member).channel("main").publish(indicator(text), label=GREEN)
    await bench.fw.settle()


async def test_a_long_backlog_streams_in_behind_an_open_node(tmp_path: Path) -> None:
    said = [f"p{n}" for n in range(20)]
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        bench.crash()
        await say(bench, "LVA", *said)
        async with Node.open(bench.path, unlock=bench.unlock) as node:
            assert node.engine.behind
            assert len(arrivals(node)) < len(said)
            sent = await node.channel("main").publish(indicator("mine"), label=GREEN)
            async with asyncio.timeout(20), node.channel("main").subscribe(Indicator) as inbox:
                assert [(await anext(inbox)).body.pattern for _ in said] == said
                await sent.receipt()
            assert not node.engine.behind
        await bench.fw.settle()
        assert patterns(bench.fw.node("FIN")) == [*said, "mine"]


async def test_an_old_copy_behind_a_backlog_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it signed since stands where it has not read when the first turn ends, behind a freshly witnessed tree."""
    submitted: list[int] = []
    submit = Wire.submit

    async def heard(self: Wire, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        if self.member == "EST":
            submitted.append(len(entries))
        return await submit(self, log, entries)

    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await say(bench, "EST", "p1")
        bench.crash()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        await say(bench, "LVA", *(f"p{n}" for n in range(9)))
        await bench.started()
        for member in ("LVA", "FIN"):
            bench.fw.relay.cut_off(member)
        await say(bench, "EST", "p2")
        before = await bench.own()
        assert len(before) > 2
        bench.crash()
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        monkeypatch.setattr(Wire, "submit", heard)
        monkeypatch.setattr(line, "READ_LIMIT", 1)
        monkeypatch.setattr(line, "TURN_ENTRIES", 1)
        node = await bench.open()
        await node.channel("main").publish(indicator("p3"), label=GREEN)
        while await node.engine.turn():
            pass
        assert node.engine.stopped.code == "rolled-back"
        assert submitted == []
        assert await bench.own() == before
