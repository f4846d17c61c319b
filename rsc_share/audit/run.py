"""One call for a command line or a script: audit a folder, and write the report beside it.

done = run(Path("export-2026-11"), anchors_from("1eef…", [Path("from-EST.checkpoint")]))
sys.exit(done.code)
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsc_share.audit import html, layout, outcome
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.files import Folder
from rsc_share.audit.layout import digest_of
from rsc_share.audit.outcome import Exit
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.report import Mandate, Run, encode, report, versions
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError
from rsc_share.log.note import VerifierKey
from rsc_share.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Done:
    """A finished audit: its report as values, the number a process ends with, and the replay for further questions."""

    report: dict[str, Any]
    code: Exit
    result: Replay


def anchors_from(
    charter_digest: str | None = None, checkpoints: Sequence[Path] = (), vkeys: Sequence[Path] = ()
) -> Anchors:
    """Anchors as people type them: 64 hex digits (spaces allowed, as printed on paper) and files, or folders of files.

    Raises `LocalError` for what cannot be read, `RemoteError` for a list of keys that is none.
    """
    pin = None
    if charter_digest is not None:
        pin = digest_of("".join(charter_digest.split()).lower())
        if pin is None:
            raise LocalError("the charter digest needs 64 hex digits", code="bad-digest")
    keys = [line for path in _files(vkeys) for line in _read(path).decode("utf-8", "replace").split("\n") if line]
    return Anchors(pin, {str(path): _read(path) for path in _files(checkpoints)}, tuple(map(VerifierKey.parse, keys)))


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """Each file, and the files in each folder. Raises `LocalError` for an empty folder: it would anchor nothing."""
    for path in given:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        if not found:
            raise LocalError(f"{path} is empty", code="no-file")
        yield from found


def _read(path: Path) -> bytes:
    try:
        # A folder of checkpoints may be another's, and a pipe in it would be waited for without end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise LocalError(f"{path} is no regular file", code="no-file")
        with os.fdopen(descriptor, "rb") as file:
            return file.read(layout.MAX_NOTE + 1)
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}", code="no-file") from None


def run(
    folder: Path,
    anchors: Anchors,
    *,
    member: str | None = None,
    mandate: Mandate | None = None,
    progress: Progress = silent,
    blobs: Path | None = None,
) -> Done:
    """Audit the export in `folder`. Raises `LocalError`, `RemoteError` or `StorageError` where nothing can be audited:
    exit code `Exit.UNUSABLE`."""
    started, clock = int(time.time() * 1000), time.monotonic()
    result = replay(Folder(folder), anchors, member=member, progress=progress, blobs=blobs)
    seconds = time.monotonic() - clock
    made = report(result, mandate, Run(started, seconds, versions()))
    return Done(made, outcome.exit_code(result), result)


def write_reports(done: Done, folder: Path, page: Path | None = None) -> tuple[Path, Path]:
    """`report.json` in `folder`, and the page there or at `page`."""
    target = page or folder / layout.REPORT_HTML
    write_whole(folder / layout.REPORT_JSON, encode(done.report))
    write_whole(target, html.render(done.report).encode())
    return folder / layout.REPORT_JSON, target
