"""Timing, and the table that is printed. Times are the least of several runs: what else a machine does only adds."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rsc_share.compiled import described


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `target` is what docs/benchmarks.md asks for, empty where it asks nothing."""

    name: str
    value: float
    unit: str
    note: str = ""
    target: str = ""


def least(work: Callable[[], object], *, runs: int = 7, times: int = 1) -> float:
    """Seconds of CPU for one call: the least of `runs` rounds of `times` calls."""
    found = []
    for _ in range(runs):
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times)
    return min(found)


def in_turn(work: Callable[[int], object], count: int, *, runs: int = 3) -> float:
    """Seconds of CPU for one of `count` different calls, `work(0)` to `work(count - 1)`."""
    found = []
    for _ in range(runs):
        began = time.process_time()
        for index in range(count):
            work(index)
        found.append((time.process_time() - began) / count)
    return min(found)


def command(*arguments: str, runs: int = 5) -> float:
    """Seconds until a command has ended."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        found.append(time.perf_counter() - began)
    return min(found)


def microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 2)


def machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "rsc_share": described(),
        "system": platform.platform(),
        "processor": _processor(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def print_table(title: str, rows: Sequence[Row]) -> None:
    width = max(len(row.name) for row in rows)
    print(f"\n{title}")
    for row in rows:
        target = f"   target {row.target}" if row.target else ""
        note = f"   {row.note}" if row.note else ""
        print(f"  {row.name:<{width}}  {row.value:>12,.2f} {row.unit:<10}{target}{note}")


def write_json(tables: dict[str, Sequence[Row]], path: str) -> None:
    """The same as JSON, to a file or (`-`) to standard output."""
    values = {"machine": machine(), "tables": {name: [asdict(row) for row in rows] for name, rows in tables.items()}}
    text = json.dumps(values, indent=1) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        Path(path).write_text(text, encoding="utf-8")
