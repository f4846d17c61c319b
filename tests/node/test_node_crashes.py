"""The node's crash table, line by line: the power goes at every write of a scripted run, and the run goes on.

Whatever the write at which it stops, afterwards: every acknowledged message stands in the log once and in order, no
number was signed twice with different bytes, no cosigned tree contradicts another, what was done does not come again,
what was recalled is nowhere, and an auditor finds nothing.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from node_world import GREEN, Bench, Bomb, OpenStore, arrivals, indicator, patterns, reading

from rsc_share.errors import StorageError
from rsc_share.node.node import Node
from rsc_share.node.store.protocol import Room
from rsc_share.node.store.sqlite import SqliteStore

SECRET = "the-pattern-that-is-recalled"
MESSAGES = ("a", "b", "c", "d")


class Watched:
    """A port that remembers what left: the truth about what this node has signed, kept outside of it."""

    def __init__(self) -> None:
        self.signed: dict[tuple[str, int], set[bytes]] = {}
        self.cosigned: dict[tuple[str, int], set[bytes]] = {}

    def watch(self, node: Node) -> None:
        for host, port in list(node.engine.ports.items()):
            submit, cosign = port.submit, port.cosign

            async def submitted(log, entries, *, submit=submit):
                for number, entry in enumerate(entries):
                    seq = node.engine.lines[log].sending.outbox.in_flight[number].seq
                    self.signed.setdefault((log, seq), set()).add(entry.header)
                return await submit(log, entries)

            async def cosigned(log, size, lines, *, cosign=cosign):
                self.cosigned.setdefault((log, size), set()).add(node.engine.witness.heads[log].root)
                return await cosign(log, size, lines)

            port.submit, port.cosign = submitted, cosigned
            node.engine.ports[host] = port


class Script:
    """One embedder of EST and one of LVA. Each step is done again until it is acknowledged."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.watched = bench, Watched()
        self.acknowledged: list[str] = []
        self.given: list[str] = []
        self.done: set[str] = set()
        self.again_after_done: list[str] = []
        self.recalled = self.by_lva = self.lva_recalled = False
        self.crashes = 0

    async def run(self, bomb: Bomb) -> None:
        """To the end, with as many starts as it takes. Only the first one has a bomb."""
        opener = bomb.open
        while not await self._lived(opener):
            opener = SqliteStore.open

    async def _lived(self, opener: OpenStore) -> bool:
        """One life of the node. False if the power went in it."""
        try:
            node = await self.bench.open(opener)
            self.watched.watch(node)
            await self.bench.fw.settle()
            await self._steps(node)
        except StorageError as error:
            if "power is off" not in str(error):
                raise
            self.crashes += 1
            self.bench.crash()
            return False
        return True

    async def _steps(self, node: Node) -> None:
        channel, settle = node.channel("main"), self.bench.fw.settle
        await self._from_lva()
        await settle()
        for name in MESSAGES:
            if name not in self.acknowledged:
                await channel.publish(indicator(name), label=GREEN, key=name)
                self.acknowledged.append(name)
            if name == "b":
                await settle()
        await settle()
        await self._consume(node)
        if not self.recalled:
            receipt = await channel.submission("b").receipt()
            await channel.recall(receipt.reference, reason="wrong")
            self.recalled = True
        await settle()
        if not self.lva_recalled:
            self.lva_recalled = True
            reference = (await self.secret.receipt()).reference
            await self.bench.fw.node("LVA").channel("main").recall(reference, reason="wrong")
        await settle()
        for _ in range(7):  # until every node has said what it holds
            self.bench.fw.clock.advance(seconds=140)
            await settle()

    async def _from_lva(self) -> None:
        if not self.by_lva:
            self.by_lva = True
            other = self.bench.fw.node("LVA").channel("main")
            for n in range(3):
                await other.publish(indicator(f"lva-{n}"), label=GREEN)
            self.secret = await other.publish(indicator(SECRET), label=GREEN)

    async def _consume(self, node: Node) -> None:
        cursor, events = node.channel("main").cursor("default"), node.channel("main").line.reading.inbox.events
        expected = sum(cursor.pending(position) for position in range(len(events)))
        if not expected:  # the power went when it was durable that all is done
            return
        async with node.channel("main").subscribe() as messages:
            async for message in messages:
                pattern = getattr(message.body, "pattern", "(recall)")
                if pattern in self.done:
                    self.again_after_done.append(pattern)
                self.given.append(pattern)
                await message.done()
                self.done.add(pattern)
                expected -= 1
                if not expected:
                    return


async def check(bench: Bench, script: Script) -> None:
    fw = bench.fw
    assert patterns(fw.node("LVA")) == ["a", "(recalled)", "c", "d"], "once, in order, and the recall arrived"
    for (log, seq), headers in script.watched.signed.items():
        assert len(headers) == 1, f"number {seq} of {log} was signed twice"
    for (log, size), roots in script.watched.cosigned.items():
        assert len(roots) == 1, f"two trees of {size} entries of {log} were cosigned"
    seqs = [entry.header.seq for entry in await bench.own()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert not script.again_after_done
    first_given = list(dict.fromkeys(script.given))
    assert first_given[:4] == ["lva-0", "lva-1", "lva-2", SECRET]
    assert not holds(bench, SECRET.encode())
    assert [reading(bench.node, event) for event in arrivals(bench.node)][-1] == "(recalled)"
    assert not bench.node.alarms, bench.node.alarms
    assert not fw.node("LVA").alarms
    assert not (await fw.audit()).findings


def holds(bench: Bench, needle: bytes) -> bool:
    engine = bench.node.engine
    logs = ["", *engine.lines]
    return any(needle in value for room in Room for log in logs for _, value in engine.store.rows(room, log))


async def crash_at(folder: Path, at: int, *, after: bool) -> bool:
    """One run that stops at the N-th write. False if the run has fewer writes."""
    async with Bench.create(folder) as bench:
        bomb, script = Bomb(at, after=after), Script(bench)
        await script.run(bomb)
        went_off, bomb.at = bomb.went_off, 1 << 30
        await check(bench, script)
        assert script.crashes == (1 if went_off else 0)
        return went_off


@pytest.mark.parametrize(("at", "after"), [(1, True), (4, False), (6, True), (9, False), (12, True)])
async def test_a_crash_at_a_write_loses_doubles_and_reveals_nothing(tmp_path: Path, at: int, after: bool) -> None:
    assert await crash_at(tmp_path, at, after=after)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_every_write_loses_doubles_and_reveals_nothing(tmp_path: Path, after: bool) -> None:
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        if not await crash_at(folder, at, after=after):
            assert at > 12
            return
