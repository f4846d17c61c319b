"""What processes hold and use over time, read from /proc: resident bytes and seconds of CPU."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20
FLUSH_SECONDS = 0.25
COARSE_NS = 2_000_000
"""Before something is due: no timer of a loop is so late."""
_PAGE = resource.getpagesize()
_TICK = os.sysconf("SC_CLK_TCK")
Point = tuple[float, float]
"""Seconds since the start, and a value."""


def resident(pid: int) -> int:
    """Bytes in memory. Raises `OSError` for a process that is gone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@dataclass
class Samples:
    """`series`: MiB resident, by name; `marks`: what happened when."""

    began: float = field(default_factory=time.perf_counter)
    series: dict[str, list[Point]] = field(default_factory=dict)
    marks: list[tuple[float, str]] = field(default_factory=list)

    def now(self) -> float:
        return time.perf_counter() - self.began

    def take(self, pids: Mapping[str, int]) -> None:
        for name, pid in pids.items():
            with contextlib.suppress(OSError):  # killed in this moment
                self.series.setdefault(name, []).append((self.now(), resident(pid) / MIB))

    def mark(self, what: str) -> None:
        self.marks.append((self.now(), what))

    def between(self, name: str, since: float, until: float | None = None) -> list[float]:
        """The values of one series in a span of time."""
        return [value for at, value in self.series.get(name, []) if since <= at and (until is None or at <= until)]


@asynccontextmanager
async def sampled(pids: Callable[[], Mapping[str, int]], every: float = 0.5) -> AsyncIterator[Samples]:
    """Sample the processes that `pids` names at each moment until the block ends."""
    samples = Samples()

    async def run() -> None:
        while True:
            samples.take(pids())
            await asyncio.sleep(every)

    task = asyncio.create_task(run())
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        samples.take(pids())


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` (0 to 1) of all values do not exceed: nearest rank. Raises `ValueError` for none."""
    if not values:
        raise ValueError("no value, no percentile")
    ordered = sorted(values)
    rank = math.ceil(round(len(ordered) * share, 9))  # 7 of 100 are not 7.000000000000001
    return ordered[max(1, min(len(ordered), rank)) - 1]


def megabytes(text: str) -> int:
    """Bytes from `200MiB`, `10GiB` or a plain number of MiB."""
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    for unit, size in units.items():
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * size)
    return int(text) << 20


class Pace:
    """Waits until something is due. asyncio's loop wakes up to a millisecond late, which is not what is measured: the
    last of the wait is slept in a thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pace")

    async def until(self, due: int) -> None:
        """`due`: monotonic ns."""
        left = due - time.monotonic_ns()
        if left > COARSE_NS:
            await asyncio.sleep((left - COARSE_NS) / 1e9)
        await asyncio.get_running_loop().run_in_executor(self._thread, _sleep_until, due)


def _sleep_until(due: int) -> None:
    time.sleep(max(0, due - time.monotonic_ns()) / 1e9)


async def flushing() -> None:
    """For a child that prints a line for each message: they go together, or each would wake the one that listens."""
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        sys.stdout.flush()
