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
from typing import Annotated

import typer
from rich.console import Console

from rsc_share.demo import folder
from rsc_share.demo.inputs import read_inputs
from rsc_share.demo.parts import Part, failed
from rsc_share.demo.play import Telling, play
from rsc_share.demo.screen import Screen
from rsc_share.demo.summary import summary

WIDTH = 110
"""Columns where no terminal says how many it has."""


class Silent:
    """Tells nobody: the summary says it all at the end."""

    def working(self, what: str) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

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
    force: Annotated[bool, typer.Option("--force", help="Write into DIR even if no demo left what is in it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of what happens.")] = False,
) -> int:
    """Four states found a framework, share real input, catch a relay that cheats, and have it all audited.

    Exit code 0: every claim the demonstration makes was checked and holds. 1: one does not.
    """
    began = time.monotonic()
    inputs = read_inputs(stix, cap)
    screen = None if as_json else Screen(console())
    if screen is not None:
        screen.begin()
    telling: Telling = screen or Silent()
    with folder.filling(out, force=force) as draft:
        parts = asyncio.run(play(inputs, draft, telling))
    seconds = time.monotonic() - began
    if screen is None:
        sys.stdout.write(json.dumps(summary(parts, str(out), seconds), indent=2, sort_keys=True) + "\n")
    else:
        screen.end(parts, str(out), seconds)
    return int(bool(failed(parts)))


def console() -> Console:
    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH
    return Console(width=wide, highlight=False, markup=False, emoji=False)
