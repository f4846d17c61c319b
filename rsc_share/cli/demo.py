"""`rsc-share demo`: the whole thing in one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from rsc_share.demo import folder
from rsc_share.demo.inputs import Inputs, read_inputs
from rsc_share.demo.network.count import NETWORK
from rsc_share.demo.network.play import play as network_play
from rsc_share.demo.network.troupe import Troupe
from rsc_share.demo.parts import Part, failed
from rsc_share.demo.play import play
from rsc_share.demo.screen import NETWORK_STEPS, STEPS, Screen
from rsc_share.demo.summary import summary

WIDTH = 110
"""Columns where no terminal says how many it has."""


class Silent:
    """Tells nobody: the summary says it all at the end."""

    def working(self, what: str) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def watching(self, troupe: Troupe) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def say(self, text: str) -> None:
        """Kept for nobody."""

    def part(self, part: Part) -> None:
        """Kept in the summary."""


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the export and the report are left.")] = Path(
        "demo-out"
    ),
    stix: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A STIX 2.1 bundle to publish instead of ours.")
    ] = None,
    cap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CAP 1.2 alert to publish instead of ours.")
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Only the half that needs no network: one process, in memory.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write into DIR even if no demo left what is in it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of what happens.")] = False,
) -> int:
    """Four states share real input over TLS, in processes that are killed, catch a relay that cheats, and are audited.

    Exit code 0: every claim the demonstration makes was checked and holds. 1: one does not.
    """
    began = time.monotonic()
    inputs = read_inputs(stix, cap)
    screen = None if as_json else Screen(console(), STEPS if in_process else NETWORK_STEPS + STEPS)
    if screen is not None:
        screen.begin()
    telling = screen or Silent()
    with folder.filling(out, force=force) as draft:
        parts = asyncio.run(_play(inputs, draft, telling, in_process=in_process))
    seconds = time.monotonic() - began
    if screen is None:
        sys.stdout.write(json.dumps(summary(parts, str(out), seconds), indent=2, sort_keys=True) + "\n")
    else:
        screen.end(parts, str(out), seconds)
    return int(bool(failed(parts)))


async def _play(inputs: Inputs, draft: Path, telling: Screen | Silent, *, in_process: bool) -> tuple[Part, ...]:
    """Over the network first, with processes that are killed; then in memory, where a relay can be made to cheat."""
    if in_process:
        return await play(inputs, draft, telling)
    telling.say("First half: over TLS, in processes that are killed while they work.")
    with TemporaryDirectory(dir=draft.parent, prefix=folder.DRAFT) as beside:
        first = await network_play(inputs, Path(beside), telling)
        telling.say("Second half: in memory, where time can be moved and a relay be made to cheat.")
        second = await play(inputs, draft, telling)
        (Path(beside) / NETWORK).rename(draft / NETWORK)
    return (*first, *second)


def console() -> Console:
    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH
    return Console(width=wide, highlight=False, markup=False, emoji=False)
