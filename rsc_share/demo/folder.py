"""The folder a run leaves: written beside first, then put in place; nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsc_share.audit import layout
from rsc_share.audit.manifest import Manifest
from rsc_share.demo.inspection import DEMO
from rsc_share.demo.network.count import NETWORK
from rsc_share.demo.stage import PLAN
from rsc_share.errors import LocalError, RemoteError, StorageError

OURS = (
    layout.MANIFEST,
    layout.REPORT_HTML,
    layout.REPORT_JSON,
    layout.CHARTER_DIGEST,
    layout.CHECKPOINTS.rstrip("/"),
    layout.EXPORT.rstrip("/"),
)
"""What a run leaves; the manifest goes first and comes last, so that half a folder never looks whole."""
FORMER = (NETWORK,)
"""What earlier releases left besides. Beside an export an auditor would name each of its files."""
DRAFT = ".rsc-share-demo-"


@contextmanager
def filling(out: Path, *, force: bool = False) -> Iterator[Path]:
    """An empty folder to write into; what is in it stands in `out` when the block ends without an error.

    Raises `LocalError` (`not-empty`) where `out` holds something that no run of the demonstration left, unless `force`:
    then our own files are replaced there and the others stay. Raises `StorageError` where the disk refuses.
    """
    with _storage(out):
        check(out, force=force)
        out.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=out))
    try:
        yield draft
        with _storage(out):
            _put(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(OSError):
            out.rmdir()  # only where nothing was put there


def beside(out: Path) -> Path:
    """The folder of the networked half: not in `out`, where an audit would name each of its files as not looked at."""
    found = out if out.name.strip(".") else out.absolute().resolve()
    return found.parent / f"{found.name}-{NETWORK}"


def check(out: Path, *, force: bool = False) -> None:
    """Whether a run may write here."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise LocalError(f"{out} is not a folder", code="not-a-folder", advice="name a folder")
    names = {path.name for path in out.iterdir() if not path.name.startswith(DRAFT)}
    if names and not force and not _left_by_us(out):
        advice = "name a new one, or give --force to replace only the demonstration's own files in it"
        raise LocalError(f"{out} holds files that no demonstration left", code="not-empty", advice=advice)


def _left_by_us(out: Path) -> bool:
    """Our own export says so. That of the networked half was written by its relay, as any relay's is: it is of our
    framework, and has nothing else beside it."""
    try:
        tool = Manifest.parse((out / layout.MANIFEST).read_bytes()).tool
        if tool.endswith(DEMO) or not out.name.endswith(f"-{NETWORK}"):
            return tool.endswith(DEMO)
        charter = (out / layout.charter_file(1, layout.CHARTER_FILES[0])).read_bytes()
    except (OSError, RemoteError):
        return False
    names = {path.name for path in out.iterdir() if not path.name.startswith(DRAFT)}
    return names <= set(OURS) and charter.startswith(f'framework = "{PLAN.framework}"\n'.encode())


def _put(draft: Path, out: Path) -> None:
    for old in out.glob(f"{DRAFT}*"):
        if old != draft:
            _remove(old)  # a run that was killed
    former = FORMER if _left_by_us(out) else ()  # somebody's own folder may be called that
    for name in (*OURS, *former):
        _remove(out / name)
    for name in reversed(OURS):
        (draft / name).rename(out / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


@contextmanager
def _storage(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{out}: {error.strerror or error}", code="not-written", path=str(out)) from None
