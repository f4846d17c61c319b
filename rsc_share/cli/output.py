"""What commands print: values for programs, tables and sentences for people. Results on stdout, the rest on stderr.

Colours mean something: green is in order, yellow is missing or to be looked at, red is wrong. `NO_COLOR` and a pipe
turn them off.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rsc_share.cli.frame import visible

GOOD, LOOK, WRONG, PLAIN = "green", "yellow", "bold red", ""
_PIPE_WIDTH = 200
"""Columns where no terminal says how many it has: nothing is cut in a file or a pipe."""


def say(text: str = "", style: str = PLAIN) -> None:
    """A line or more on stdout; control characters of others are spelt out."""
    _console().print(Text(visible(text), style=style), soft_wrap=True)


def note(text: str) -> None:
    """For whoever sits before the screen: stderr, so that a pipe holds the result only."""
    _console(stderr=True).print(Text(visible(text), style="dim"), soft_wrap=True)


def show(value: Any) -> None:
    """One JSON document on stdout, sorted, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n")


def rows(heads: Sequence[str], lines: Iterable[tuple[Sequence[str], str]]) -> None:
    """A table; every line is its cells and its style. No cell is ever cut: long ones fold."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        found.add_column(head, overflow="fold")
    for cells, style in lines:
        found.add_row(*(Text(visible(cell), style=style) for cell in cells))
    _console().print(found)


def digits(digest: bytes | str) -> str:
    """A digest in 8 groups of 8, as on the page for ink."""
    text = digest if isinstance(digest, str) else digest.hex()
    return " ".join(text[at : at + 8] for at in range(0, len(text), 8))


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else _PIPE_WIDTH
    return Console(file=stream, width=wide, highlight=False, markup=False, emoji=False)
