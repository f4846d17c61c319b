"""`rsc-share demo`: the whole thing in one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.console import Console

from rsc_share.demo import folder
from rsc_share.demo.inputs import Inputs, read_inputs
from rsc_share.demo.network.play import play as network_play
from rsc_share.demo.network.troupe import Troupe
from rsc_share.demo.parts import Part, failed
from rsc_share.demo.play import play
from rsc_share.demo.screen import NETWORK_STEPS, STEPS, Screen
from rsc_share.demo.summary import summary

NAME = "rsc-share"
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
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where the export and the report are left; the network's in DIR-network."),
    ] = Path("demo-out"),
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
    network = None if in_process else folder.beside(out)
    with ExitStack() as stack:
        draft = stack.enter_context(folder.filling(out, force=force))
        other = None if network is None else stack.enter_context(folder.filling(network, force=force))
        parts = asyncio.run(_play(inputs, draft, other, telling))
    seconds = time.monotonic() - began
    if screen is None:
        sys.stdout.write(json.dumps(summary(parts, out, network, seconds), indent=2, sort_keys=True) + "\n")
    else:
        screen.end(parts, out, network, program(), seconds)
    return int(bool(failed(parts)))


async def _play(inputs: Inputs, draft: Path, network: Path | None, telling: Screen | Silent) -> tuple[Part, ...]:
    """Over the network first, with processes that are killed; then in memory, where a relay can be made to cheat."""
    if network is None:
        return await play(inputs, draft, telling)
    telling.say("First half: over TLS, in processes that are killed while they work.")
    first = await network_play(inputs, network, telling)
    telling.say("Second half: in memory, where time can be moved and a relay be made to cheat.")
    return (*first, *await play(inputs, draft, telling))


def program() -> str:
    """How this program is called from here: after `make demo` it is on nobody's PATH. For a shell to read."""
    called = Path(sys.argv[0])
    if shutil.which(NAME) is not None:
        return NAME
    if called.name == "__main__.py":
        return f"{quote(sys.executable)} -m rsc_share"
    return quote(str(called)) if called.name == NAME else NAME


def console() -> Console:
    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH
    return Console(width=wide, highlight=False, markup=False, emoji=False)
