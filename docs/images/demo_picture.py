"""Draws `demo.svg` from a real run: python docs/images/demo_picture.py"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import time
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from rsc_share.demo.inputs import read_inputs
from rsc_share.demo.parts import Part
from rsc_share.demo.play import play
from rsc_share.demo.screen import Screen

OUT = Path(__file__).with_name("demo.svg")
SHOWN = (4, 5, 8, 9, 12)
"""The steps in the picture; the others are run and left out."""


class Some(Screen):
    """A screen that shows some of the steps, and nothing that moves."""

    def working(self, what: str) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def part(self, part: Part) -> None:
        if self._step + 1 in SHOWN:
            super().part(part)
        else:
            self._step += 1


def main() -> None:
    console = Console(
        record=True, file=io.StringIO(), width=112, force_terminal=True, highlight=False, markup=False, emoji=False
    )
    screen, began = Some(console), time.monotonic()
    screen.begin()
    with TemporaryDirectory() as folder:
        parts = asyncio.run(play(read_inputs(None, None), Path(folder), screen))
    screen.end(parts, Path("demo-out"), None, "rsc-share", time.monotonic() - began)
    # No font from elsewhere: a picture in a repository loads nothing.
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    OUT.write_text(console.export_svg(title="rsc-share demo (steps 4, 5, 8, 9 and 12)", code_format=form))


if __name__ == "__main__":
    main()
