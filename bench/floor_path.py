"""How long the empty path takes: publisher, relay and reader as processes, what the protocol puts one after the other
between them, and nothing else. See `floor_roles`.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from floor_line import make_tls
from floor_roles import WARM
from measure import Row
from sampling import percentile
from stage import Child

WAYS = (
    "asyncio, sync in a thread",
    "asyncio, sync in the loop",
    "uvloop, sync in a thread",
    "uvloop, sync in the loop",
)
LAST_SECONDS = 60.0
TARGETS = {0.5: "2", 0.99: "5"}
ROLES = str(Path(__file__).with_name("floor_roles.py"))


def ways() -> list[str]:
    """Those for which everything is installed."""
    fast = importlib.util.find_spec("uvloop") is not None
    return [way for way in WAYS if fast or not way.startswith("uvloop")]


async def measured(rate: float, seconds: float, folder: Path | None = None) -> dict[str, list[float]]:
    """ms of each message, by way."""
    return {way: await _one(way, rate, seconds, folder) for way in ways()}


async def _one(way: str, rate: float, seconds: float, folder: Path | None) -> list[float]:
    took: list[float] = []
    children: list[Child] = []
    with TemporaryDirectory(prefix="floor-", dir=folder) as scratch:
        make_tls(Path(scratch))
        try:
            for role, *more in (("relay", scratch), ("reader",), ("publisher", scratch, str(rate), str(seconds))):
                port = [(await children[0].says("port")).split()[1]] if children else []
                child = await Child.of(ROLES, role, way, *port, *more, hear=lambda line: _hear(line, took))
                children.append(child)
                await child.says("port" if role == "relay" else "ready")
            await children[-1].says("sent")
            async with asyncio.timeout(LAST_SECONDS):
                while len(took) < WARM + int(rate * seconds):  # noqa: ASYNC110 - after the measurement
                    await asyncio.sleep(0.05)
        finally:
            for child in reversed(children):
                await child.kill()
    return took[WARM:]


def _hear(line: str, took: list[float]) -> None:
    word, *rest = line.split()
    if word == "got":
        took.append(float(rest[0]))


def rows_of(took: Mapping[str, list[float]]) -> list[Row]:
    rows = []
    for way, values in took.items():
        for share, target in TARGETS.items():
            note = f"{len(values):,} messages, at most {max(values):,.1f}" if share == 0.5 else ""
            label = way if share == 0.5 else " " * 2
            rows.append(Row(f"{label} p{100 * share:g}", round(percentile(values, share), 2), "ms", note, target))
    return rows
