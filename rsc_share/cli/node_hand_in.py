"""`rsc-share node hand-in`: a certificate or the next charter goes into the directory by way of any running node."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from rsc_share.cli.ask import AsJson
from rsc_share.cli.charter_verify import OBJECT
from rsc_share.cli.files import read_file
from rsc_share.cli.output import GOOD, note, say, show
from rsc_share.errors import LocalError
from rsc_share.node.asking import ask
from rsc_share.node.door import MAX_OBJECT_BODIES


def hand_in(
    folder: Annotated[Path, typer.Argument(help="Home of a node that runs; whose does not matter.")],
    what: Annotated[Path, typer.Argument(help="A certificate, or the folder that `charter verify --out` made.")],
    as_json: AsJson = False,
) -> None:
    """Log a certificate or the next charter in the directory. It proves itself: the node only carries it.

    It counts once enough members have cosigned it. Handed in twice it is logged once.
    """
    found, bodies = _read(what)
    (answer,) = asyncio.run(_asked(folder, {"bodies": bodies, "object": found}))
    if as_json:
        show(answer)
        return
    say(f"{answer['log']}: entry {answer['index']}", GOOD)
    note("It counts once enough members have cosigned it; a new node without a countersignature waits longer.")


def _read(what: Path) -> tuple[bytes, list[bytes]]:
    """The object, and the bodies that lie beside it."""
    if not what.is_dir():
        return read_file(what), []
    others = sorted(path for path in what.iterdir() if path.name != OBJECT)
    if len(others) > MAX_OBJECT_BODIES:
        raise LocalError(f"{what} is not what `charter verify --out` made", code="wrong-folder", advice="name that one")
    return read_file(what / OBJECT), [read_file(path) for path in others]


async def _asked(folder: Path, fields: dict[str, object]) -> list[dict[str, object]]:
    return [answer async for _, answer in ask(folder, "hand-in", fields)]
