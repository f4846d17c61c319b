"""A relay's memory and start after many entries: all of them through TLS, sessions, rulebook, store and fan-out.

Three nodes send, read everything and witness; they cost little themselves (`feeding.py`). The relay is a process of its
own with its defaults. Memory is read when all that was sent is logged, read and witnessed and the relay has rested.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from feeding import BATCH, CheapNode, Ground, meet
from measure import Row
from sampling import MIB, Samples, cpu_seconds, resident, sampled
from stage import Stage, staged

from rsc_share.testing.founding import Plan

FIRST = 10_000
AHEAD = 2_048
"""Entries a sender may be ahead of the slowest reader: a relay at work has readers that keep up."""
REST_SECONDS = 5.0
STATES = ("EST", "FIN", "LVA")


class Load:
    """Three cheap nodes at work until a number of entries is logged."""

    def __init__(self, stage: Stage, nodes: list[CheapNode], ground: Ground) -> None:
        self._stage, self._nodes, self._ground = stage, nodes, ground
        self._left = 0
        self._following = [asyncio.create_task(node.follow()) for node in nodes]

    async def until(self, entries: int) -> float:
        """Send up to `entries` in all, and let everybody read them; entries a second."""
        self._left = entries - self._ground.logged
        began, before = time.perf_counter(), self._ground.logged
        telling = asyncio.create_task(self._tell(entries))
        await asyncio.gather(*(node.feed(self._ground, self._more) for node in self._nodes))
        while self._slowest() < entries:
            await self._moved()
        telling.cancel()
        return (entries - before) / (time.perf_counter() - began)

    async def _more(self) -> int:
        while self._left and self._ground.logged - self._slowest() > AHEAD:
            await self._moved()
        count = min(BATCH, self._left)
        self._left -= count
        return count

    def _slowest(self) -> int:
        return min(node.read for node in self._nodes)

    async def _moved(self) -> None:
        for task in self._following:
            if task.done():
                task.result()  # whoever reads no more would keep everybody waiting for ever
        await asyncio.sleep(0.01)

    async def _tell(self, entries: int) -> None:
        while True:
            await asyncio.sleep(30)
            held = resident(self._stage.relay.pid) / MIB
            print(
                f"  {self._ground.logged:,} of {entries:,} entries, relay {held:.0f} MiB", file=sys.stderr, flush=True
            )

    async def close(self) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for node in self._nodes:
            await node.port.aclose()


async def run(entries: int, folder: Path | None) -> tuple[list[Row], Samples]:
    first = min(FIRST, entries // 2)
    async with staged(Plan(framework="bench", members=STATES), folder) as stage:
        fresh = await stage.relay.start()
        async with sampled(lambda: {"relay": stage.relay.pid}, 1.0) as samples:
            load = Load(stage, *await meet(stage))
            idle = await _rested(samples)
            rates, held = [], []
            cpu = cpu_seconds(stage.relay.pid)
            for count in (first, entries):
                rates.append(await load.until(count))
                samples.mark(f"{count:,} entries")
                held.append(await _rested(samples))
            cpu = (cpu_seconds(stage.relay.pid) - cpu) / entries
            await load.close()
            await stage.relay.stop()
            samples.mark("started again")
            again = await stage.relay.start()
            started = await _rested(samples)
        store = sum(path.stat().st_size for path in (stage.relay.folder / "store").rglob("*") if path.is_file())
    more = held[1] / held[0]
    return [
        Row("relay, idle with three sessions", round(idle, 1), "MiB"),
        Row(f"relay after {first:,} entries", round(held[0], 1), "MiB"),
        Row(f"relay after {entries:,} entries", round(held[1], 1), "MiB", f"store {store / MIB:,.0f} MiB"),
        Row("  of that after the first", round(more, 3), "times", "", "1.10" if first == FIRST else ""),
        Row("relay after a start with all of them", round(started, 1), "MiB"),
        Row("start, no entries", round(fresh, 2), "s", "process, imports, keystore, store, until it serves"),
        Row(f"start, {entries:,} entries", round(again, 2), "s", "the same", "2"),
        Row(
            "entries through the relay",
            round(rates[1]),
            "entries/s",
            f"{cpu * 1e6:,.0f} us of its CPU for each, 3 readers",
        ),
    ], samples


async def _rested(samples: Samples) -> float:
    """MiB: the median of the last moments of a rest."""
    await asyncio.sleep(REST_SECONDS)
    return statistics.median(samples.between("relay", samples.now() - REST_SECONDS / 2))
