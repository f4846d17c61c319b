"""The first half of the demonstration: over the network, in processes that are killed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rsc_share.demo.inputs import Inputs
from rsc_share.demo.network import acts
from rsc_share.demo.network.count import count
from rsc_share.demo.network.ground import prepare
from rsc_share.demo.network.parts import Part
from rsc_share.demo.network.processes import processes
from rsc_share.demo.network.troupe import Troupe, troupe
from rsc_share.errors import Unavailable

PATIENCE = 60.0
"""Seconds for the whole: for a machine that is busy, not for one that is broken."""


class Telling(Protocol):
    """Whoever is told what happens."""

    def watching(self, troupe: Troupe) -> AbstractContextManager[None]:
        """While the processes run."""
        ...

    def part(self, part: Part) -> None:
        """One step is over."""
        ...


async def play(inputs: Inputs, folder: Path, telling: Telling) -> tuple[Part, ...]:
    """Run it; the relay's export and its report are written into `folder`. Raises `RscError`.

    What the processes keep is in a temporary folder of a short name: the path of a socket may have 107 bytes.
    """
    stuck = ["before the first step"]
    try:
        with tempfile.TemporaryDirectory(prefix="rsc-") as scratch:
            async with asyncio.timeout(PATIENCE):
                return await _play(inputs, Path(scratch), folder, telling, stuck)
    except TimeoutError:
        what, advice = f"not at its end after {PATIENCE:.0f} s: {stuck[-1]}", "run it with --in-process"
        raise Unavailable(what, code="child", advice=advice) from None


async def _play(inputs: Inputs, scratch: Path, folder: Path, telling: Telling, stuck: list[str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    ground = await prepare(scratch)
    async with processes() as running, troupe(ground, running) as found:
        steps: tuple[Callable[[], Awaitable[Part]], ...] = (
            lambda: acts.start(found),
            lambda: acts.cross(found, inputs),
            lambda: acts.survive(found),
            lambda: count(found, folder),
        )
        for step in steps:
            try:
                with telling.watching(found):
                    part = await running.guarded(step())
            except asyncio.CancelledError:
                stuck.append(f"step {len(parts) + 1}, {found.summary()}")
                raise
            parts.append(part)
            telling.part(part)
    return tuple(parts)
