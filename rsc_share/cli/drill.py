"""`rsc-share drill`: practise a loss before it happens, in a scratch folder."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from rsc_share.cli.ask import AsJson
from rsc_share.cli.files import must_be_free
from rsc_share.cli.output import GOOD, WRONG, rows, say, show
from rsc_share.testing.drill import Finding
from rsc_share.testing.drill import drill as run_drill

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def _drill() -> None:
    """Practise a loss before it happens, in a scratch folder."""


@app.command()
def node(
    keep: Annotated[Path | None, typer.Option(help="New folder to leave everything in; usual: removed.")] = None,
    as_json: AsJson = False,
) -> int:
    """Destroy a node and restore it from an old backup; look whether any key or number was used twice.

    Exit code 0: nothing was. 1: something was.
    """
    findings = _run(keep)
    good = all(found.good for found in findings)
    if as_json:
        show({"good": good, "findings": [asdict(found) for found in findings]})
        return int(not good)
    lines = [((f.what, f.seen, "yes" if f.good else "NO"), GOOD if f.good else WRONG) for f in findings]
    rows(("looked at", "seen", ""), lines)
    say("Nothing was used twice." if good else "Something was used twice: report this.", GOOD if good else WRONG)
    return int(not good)


def _run(keep: Path | None) -> list[Finding]:
    if keep is not None:
        must_be_free(keep)
        keep.mkdir(parents=True)
        return asyncio.run(run_drill(keep))
    with TemporaryDirectory(prefix="rsc-share-drill-") as folder:
        return asyncio.run(run_drill(Path(folder)))
