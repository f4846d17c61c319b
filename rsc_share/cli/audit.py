"""`rsc-share audit`: what an examiner does with a copy of the logs and no key. The answers are the audit room's."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from rsc_share.audit import html, layout, terminal
from rsc_share.audit import trace as tracing
from rsc_share.audit.disclose import disclose as match
from rsc_share.audit.outcome import Exit as Outcome
from rsc_share.audit.outcome import exit_code, first_line
from rsc_share.audit.replay import Replay
from rsc_share.audit.report import Mandate
from rsc_share.audit.run import Done, anchors_from, run, write_reports
from rsc_share.audit.sample import sample as draw
from rsc_share.cli.ask import AsJson
from rsc_share.cli.bars import bars
from rsc_share.cli.files import must_be_free, read_file
from rsc_share.cli.frame import Exit
from rsc_share.cli.output import GOOD, LOOK, PLAIN, WRONG, note, rows, say, show
from rsc_share.collector import few_collections
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError, StorageError

app = typer.Typer(rich_markup_mode=None)

MAX_PAYLOAD = 1 << 26
_WHERE = "Folder of the export (the one with manifest.json)."
Export = Annotated[Path, typer.Argument(help=_WHERE)]
ExportOption = Annotated[Path, typer.Option("--export", help=_WHERE)]
Digest = Annotated[str | None, typer.Option("--charter-digest", help="SHA-256 of charter version 1, from outside.")]
Checkpoints = Annotated[
    list[Path] | None, typer.Option("--checkpoint", help="Checkpoint straight from a member, or a folder of them.")
]
Vkeys = Annotated[list[Path] | None, typer.Option("--vkeys", help="File of verifier keys straight from a member.")]
AsMember = Annotated[str | None, typer.Option("--as", metavar="MEMBER", help="The view the export is cut to.")]
_GRADES = {"BREACH": WRONG, "INTEGRITY": WRONG, "IRREGULARITY": LOOK}
_STYLES = {
    "CHECKED AGAINST ITSELF ONLY": WRONG,
    "NO FINDINGS": GOOD,
    "WHAT WAS NOT CHECKED": LOOK,
}


_NUMBERED = re.compile(r"  [0-9]+\. ([A-Z]+)")


@app.command()
def replay(
    export: Export,
    charter_digest: Digest = None,
    checkpoint: Checkpoints = None,
    vkeys: Vkeys = None,
    member: AsMember = None,
    blobs: Annotated[Path | None, typer.Option(help="Folder of attachments that came with the export.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="New file for the page.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Write report.json and report.html into the folder.")] = False,
    label: Annotated[str, typer.Option(help="Label of the report itself, printed on every page.")] = "UNMARKED",
    asked_by: Annotated[str, typer.Option(help="Who asked for the audit.")] = "",
    question: Annotated[str, typer.Option(help="What they asked.")] = "",
    period: Annotated[str, typer.Option(help="For which time.")] = "",
    basis: Annotated[str, typer.Option(help="On which legal basis.")] = "",
    examiner: Annotated[str, typer.Option(help="Who examines.")] = "",
    digest_from: Annotated[str, typer.Option(help="Where the charter digest stands: treaty annex, page 12.")] = "",
    as_json: AsJson = False,
) -> None:
    """Replay every entry of an export and report what was found.

    Exit code 0: no finding, and anchored outside the export; 1 findings; 2 cannot be audited; 3 no finding, but
    checked against itself only (no --charter-digest, or neither --checkpoint nor --vkeys that agree).
    """
    if html_file is not None:
        must_be_free(html_file)
    mandate = Mandate(asked_by, question, period, basis, examiner, label, digest_from)
    done = _audit(export, charter_digest, checkpoint, vkeys, member, mandate, blobs)
    failed = _written(done, html_file, export if save else None)
    if as_json:
        show(done.report)
    else:
        for line in terminal.render(done.report).splitlines():
            say(line, _style(line))
    if failed is not None:
        raise failed
    raise typer.Exit(int(done.code))


def _written(done: Done, page: Path | None, folder: Path | None) -> StorageError | None:
    """Why a report could not be written, once it has been printed: an hour's work is not lost to a full disk."""
    try:
        if page is not None:
            write_whole(page, html.render(done.report).encode())
        if folder is not None:
            note(f"Wrote {' and '.join(map(str, write_reports(done, folder)))}")
    except StorageError as error:
        return error
    return None


@app.command()
def trace(
    reference: Annotated[str, typer.Argument(help="A message as people quote it: EST/mod-1/counter-terrorism/417.")],
    export: ExportOption = Path(),
    charter_digest: Digest = None,
    checkpoint: Checkpoints = None,
    vkeys: Vkeys = None,
    member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Follow one message: who had it, who opened it, what was derived, released, recalled, and who approved it."""
    result = _audit(export, charter_digest, checkpoint, vkeys, member).result
    found = tracing.trace(result, reference).values()
    if as_json:
        show({"first_line": first_line(result), "trace": found})
    else:
        _first_line(result)
        say(tracing.render(found).rstrip("\n"))
    raise typer.Exit(int(exit_code(result)))


@app.command()
def disclose(
    payload: Annotated[Path, typer.Argument(help="File with exactly the bytes that were said.")],
    salt: Annotated[str, typer.Option(help="The salt the holder shows, in hexadecimal digits.")],
    export: ExportOption = Path(),
    charter_digest: Digest = None,
    checkpoint: Checkpoints = None,
    vkeys: Vkeys = None,
    member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Whose words are these? Match a text and its salt with the commitments in the log. Exit code 1 if none fits."""
    try:
        spelled = bytes.fromhex(salt)
    except ValueError:
        raise LocalError("--salt is not hexadecimal digits", code="bad-salt") from None
    words = read_file(payload, MAX_PAYLOAD)
    result = _audit(export, charter_digest, checkpoint, vkeys, member).result
    found = match(result, words, spelled)
    if as_json:
        show({"first_line": first_line(result), "matches": [place.values() for place in found]})
    else:
        _first_line(result)
        for place in found:
            say(place.sentence())
        if not found:
            say("No commitment in these logs fits this text and salt.", LOOK)
    raise typer.Exit(int(exit_code(result)) if found else Exit.FINDINGS)


@app.command()
def sample(
    export: Export,
    seed: Annotated[str, typer.Option(help="The committee's own text: nobody else can steer the draw.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many messages at most.")] = 60,
    charter_digest: Digest = None,
    checkpoint: Checkpoints = None,
    vkeys: Vkeys = None,
    member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Draw messages by lot, in turn from every level and sender, whose labels people then compare with content."""
    result = _audit(export, charter_digest, checkpoint, vkeys, member).result
    drawn = draw(result, n, seed)
    if as_json:
        heads = ("reference", "level", "sender", "log", "index")
        show({"first_line": first_line(result), "drawn": [{h: getattr(d, h) for h in heads} for d in drawn]})
    else:
        _first_line(result)
        rows(
            ("message", "level", "log", "entry"), (((d.reference, d.level, d.log, str(d.index)), PLAIN) for d in drawn)
        )
    raise typer.Exit(int(exit_code(result)))


def _style(line: str) -> str:
    """By what stands where only the report writes: the name of a file may be `NO FINDINGS`, and begin a line further
    in."""
    found = _NUMBERED.match(line)
    if found is not None:
        return _GRADES.get(found[1], PLAIN)
    return next((style for start, style in _STYLES.items() if line.startswith(start)), PLAIN)


def _audit(
    export: Path,
    digest: str | None,
    checkpoints: list[Path] | None,
    vkeys: list[Path] | None,
    member: str | None,
    mandate: Mandate | None = None,
    blobs: Path | None = None,
) -> Done:
    anchors = anchors_from(digest, checkpoints or (), vkeys or ())
    if _holds_none(export):
        advice = "name the folder in which manifest.json and export/ lie; where they do not, ask for the export again"
        raise LocalError(f"{export.absolute()} holds no {layout.MANIFEST}", code="unreadable-export", advice=advice)
    with bars() as progress, few_collections():
        return run(export, anchors, member=member, mandate=mandate, progress=progress, blobs=blobs)


def _holds_none(export: Path) -> bool:
    """Whether this is a folder without a manifest. What cannot be looked into its reader has the right words for."""
    try:
        os.stat(export / layout.MANIFEST)
    except FileNotFoundError:
        return os.path.isdir(export)
    except OSError:
        return False
    return False


def _first_line(result: Replay) -> None:
    styles = {Outcome.CLEAN: GOOD, Outcome.AGAINST_ITSELF: WRONG}
    say(f"{first_line(result)} in this export", styles.get(exit_code(result), LOOK))
