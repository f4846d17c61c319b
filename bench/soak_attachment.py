"""A very large attachment through a relay: memory of all three processes, two kills, FLASH messages all the while.

One node hands the file in, another one fetches it; FLASH messages go the same way, 10 a second. The relay is killed
(SIGKILL) when half of it is handed in, the reader when half of it is fetched; each starts again and goes on. FLASH
messages that were sent while somebody was away are counted, and left out of the percentiles.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from measure import Row
from sampling import MIB, Samples, percentile, sampled
from stage import Child, Stage, staged

from rsc_share.relay.blobs import LEAST_FREE
from rsc_share.testing.founding import Plan

SENDER, READER = "EST", "FIN"
RATE = 10
IDLE_SECONDS = 8.0
AFTER_SECONDS = 3.0
"""After somebody has come back: messages of the outage have gone through, and those behind them."""
CHILD = "node_child.py"


class Transfer:
    """The three processes. `away`: spans in monotonic ns during which somebody was dead or coming back."""

    def __init__(self, stage: Stage, size: int) -> None:
        self.stage, self.size = stage, size
        self.got: list[tuple[int, float]] = []
        self.away: list[tuple[int, int]] = []
        self.source, self.folder = stage.folder / "source", stage.folder / "received"
        self.folder.mkdir()
        self.sender: Child
        self.reader: Child

    def pids(self) -> dict[str, int]:
        children = {"relay": self.stage.relay.child, "sender": self.sender, "reader": self.reader}
        return {name: child.pid for name, child in children.items() if child.running}

    def hear(self, line: str) -> None:
        word, *rest = line.split()
        if word == "got":
            self.got.append((int(rest[1]), float(rest[2])))

    async def begin(self) -> None:
        with self.source.open("wb") as file:
            file.truncate(self.size)  # zeros that take no room on the disk; what is handed in is ciphertext
        await self.stage.relay.start()
        secret = str(self.stage.passphrase)
        homes = {code: str(self.stage.home(code)) for code in (SENDER, READER)}
        here = str(os.getpid())
        self._read = (CHILD, here, "read", homes[READER], secret, str(self.folder))
        self.reader = await self.stage.child(*self._read, hear=self.hear)
        self.sender = await self.stage.child(CHILD, here, "send", homes[SENDER], secret, READER)
        await asyncio.gather(self.reader.says("ready"), self.sender.says("ready"))

    # --- how far it is

    def handed_in(self) -> int:
        """Bytes of the blob at the relay."""
        root = self.stage.relay.folder / "store" / "blobs"
        return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and path.suffix != ".leaves")

    def fetched(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    async def half(self, done: Callable[[], int]) -> None:
        while done() < self.size // 2:
            self._alive()
            await asyncio.sleep(0.1)

    async def arrived(self) -> None:
        """Until the whole file has its name, whichever life of the reader gave it."""
        telling = asyncio.create_task(self._tell())
        try:
            while not (self.folder / "received").exists():
                self._alive()
                await asyncio.sleep(0.1)
        finally:
            telling.cancel()

    async def said(self, child: Child, word: str) -> None:
        telling = asyncio.create_task(self._tell())
        try:
            await child.says(word)
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(30)
            done = f"{self.handed_in() / MIB:,.0f} MiB at the relay, {self.fetched() / MIB:,.0f} fetched"
            print(f"  {done}, {len(self.got):,} messages", file=sys.stderr, flush=True)

    def _alive(self) -> None:
        assert self.sender.running, "the sender has ended"
        assert self.reader.running, "the reader has ended"

    # --- kills

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """Around a death and a new start: until a message that was sent after it has come."""
        began = time.monotonic_ns()
        yield
        back = time.monotonic_ns()
        while not any(sent > back for sent, _ in self.got[-50:]):
            self._alive()
            await asyncio.sleep(0.05)
        self.away.append((began, time.monotonic_ns() + int(AFTER_SECONDS * 1e9)))

    async def kill_relay(self) -> None:
        async with self.gone():
            await self.stage.relay.kill()
            await self.stage.relay.start()

    async def kill_reader(self) -> None:
        async with self.gone():
            await self.reader.kill()
            self.reader = await self.stage.child(*self._read, hear=self.hear)
            await self.reader.says("ready")

    def latencies(self, since: int, until: int | None = None) -> list[float]:
        """ms of the messages of a span (monotonic ns), without those of an outage."""
        return [
            took
            for sent, took in self.got
            if since <= sent
            and (until is None or sent < until)
            and not any(began <= sent <= back for began, back in self.away)
        ]


def must_fit(size: int, folder: Path | None) -> None:
    """Ends the run before a relay refuses the file: it keeps a part of its disk free."""
    usage = shutil.disk_usage(folder or "/tmp")  # noqa: S108 - asked how full it is
    if usage.free - 2.2 * size < LEAST_FREE * usage.total:
        raise SystemExit(f"{2.2 * size / MIB:,.0f} MiB would leave less than {LEAST_FREE:.0%} of that disk free")


async def run(size: int, folder: Path | None, *, kills: bool) -> tuple[list[Row], Samples]:
    must_fit(size, folder)
    async with staged(Plan(framework="bench", members=("EST", "FIN", "LVA")), folder) as stage:
        transfer = Transfer(stage, size)
        await transfer.begin()
        async with sampled(transfer.pids) as samples:
            rested = time.monotonic_ns()
            transfer.sender.tell(f"publish FLASH {RATE}")
            await asyncio.sleep(IDLE_SECONDS)
            idle = {name: statistics.median(samples.between(name, IDLE_SECONDS / 2)) for name in transfer.pids()}
            begun, at = time.monotonic_ns(), samples.now()
            up, down = await _carried(transfer, samples, kills=kills)
            ended = time.monotonic_ns()
        await transfer.sender.stop()
        await transfer.reader.stop()
        got = (transfer.folder / "received").stat().st_size
        assert got == size, f"{got} bytes came, {size} were sent"
        assert transfer.latencies(begun, ended), "no FLASH message came"
    most = {name: max(samples.between(name, at)) for name in idle}
    return _rows(
        size, idle, most, (up, down), transfer.latencies(rested, begun), transfer.latencies(begun, ended)
    ), samples


async def _carried(transfer: Transfer, samples: Samples, *, kills: bool) -> tuple[float, float]:
    """Seconds up and down."""
    samples.mark("reading")
    transfer.sender.tell(f"attach {transfer.source}")
    await transfer.said(transfer.sender, "prepared")
    samples.mark("handing in")
    began = time.perf_counter()
    if kills:
        await transfer.half(transfer.handed_in)
        samples.mark("relay killed")
        await transfer.kill_relay()
    await transfer.said(transfer.sender, "uploaded")
    samples.mark("fetching")
    handed = time.perf_counter()
    if kills:
        await transfer.half(transfer.fetched)
        samples.mark("reader killed")
        await transfer.kill_reader()
    await transfer.arrived()
    samples.mark("fetched")
    await asyncio.sleep(2)
    return handed - began, time.perf_counter() - handed


def _rows(
    size: int,
    idle: dict[str, float],
    most: dict[str, float],
    seconds: tuple[float, float],
    before: list[float],
    beside: list[float],
) -> list[Row]:
    rows = []
    for name, held in idle.items():
        note = f"idle {held:.1f}, at most {most[name]:.1f}"
        rows.append(Row(f"{name}, more than idle", round(most[name] - held, 1), "MiB", note, "64"))
    for name, took in zip(("handed in", "fetched"), seconds, strict=True):
        rows.append(
            Row(f"{size / MIB:,.0f} MiB {name}", round(size / MIB / took, 1), "MiB/s", f"{took:,.0f} s, kill included")
        )
    rows += [
        Row("FLASH alone, p50", round(percentile(before, 0.5), 2), "ms", f"{len(before):,} messages, {RATE} a second"),
        Row("  p99", round(percentile(before, 0.99), 2), "ms"),
        Row("FLASH beside it, p50", round(percentile(beside, 0.5), 2), "ms", f"{len(beside):,} messages"),
        Row("  p99", round(percentile(beside, 0.99), 2), "ms", f"at most {max(beside):.1f}", "50"),
    ]
    return rows
