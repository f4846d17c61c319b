"""The folder of a store: who may use it, how its files come to be, and the mark that it must be checked first."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from rsc_share.durable import sync_folder, write_whole
from rsc_share.errors import StorageError
from rsc_share.relay.store.failures import Damaged, told
from rsc_share.relay.store.schema import APPLICATION_ID, FILE, OLDEST_SQLITE, VERSION, create_store

LOCK = "lock"
MARK = "broken"
SMALLEST = 512
"""Bytes of the smallest page SQLite can have."""


class FolderLock:
    """An exclusive lock on the folder, as long as the process lives or until `release`."""

    def __init__(self, folder: Path) -> None:
        """Raises `StorageError` (`locked`) where another process has it, (`not-opened`) where it cannot be made."""
        try:
            self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{folder / LOCK} cannot be opened: {error.strerror}", code="not-opened") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            advice = "one relay at a time may write to it"
            raise StorageError(f"{folder} is in use by another process", code="locked", advice=advice) from None

    def release(self) -> None:
        os.close(self._file)


def make_folder(folder: Path) -> None:
    """The folder, only this user's, its name synced. Raises `StorageError` (`not-opened`)."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            sync_folder(folder.parent)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}", code="not-opened", path=str(folder)) from None


def make_file(folder: Path) -> Path:
    """Path of the database, a new and empty one if there is none, only this user's; its name is synced.

    SQLite gives the files it puts beside the database the same permissions. Raises `StorageError` (`not-opened`), and
    `Damaged` for a file too short to be a database: SQLite would begin a new one over it.
    """
    path = folder / FILE
    try:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_folder(folder)  # SQLite syncs the names of its journals, not that of the database
        size = path.stat().st_size
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror}", code="not-opened", path=str(path)) from None
    if 0 < size < SMALLEST:
        raise Damaged(f"{path} was cut to {size} bytes", path=str(path))
    return path


def mark_broken(folder: Path, error: StorageError) -> None:
    """No next start without a check. The disk may refuse this too: the exit code says it then."""
    with suppress(StorageError):
        write_whole(folder / MARK, f"{error.what}\n".encode(), mode=0o600)


def lift_mark(folder: Path) -> None:
    """Raises `StorageError` (`not-written`) where the mark stays."""
    try:
        (folder / MARK).unlink()
        sync_folder(folder)
    except OSError as error:
        what = f"{folder / MARK} cannot be removed: {error.strerror}"
        raise StorageError(what, code="not-written", path=str(folder / MARK)) from None


def refuse_marked(folder: Path) -> None:
    """Raises `StorageError` (`unchecked`) where the store was found damaged and not checked since."""
    try:
        reason = (folder / MARK).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{folder / MARK} cannot be read: {error.strerror}", code="not-opened") from None
    raise StorageError(
        f"the store in {folder} stopped: {reason}",
        code="unchecked",
        advice="run `rsc-share relay check`; it removes this mark once everything fits",
    )


def refuse_old_sqlite() -> None:
    """Raises `StorageError` (`version`) where Python comes with an SQLite that lacks what the tables need."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old: {wanted} or newer is needed", code="version")


def recognised(db: sqlite3.Connection) -> bool:
    """Whether the store's tables are there. Raises `StorageError` for another program's file or a newer version."""
    with told("opening the store"):
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not application and not version:
        return False
    if application != APPLICATION_ID:
        raise Damaged("this database is not a relay's store")
    if version != VERSION:
        advice = "use the release that wrote it, or a newer one"
        raise StorageError(f"this store has format {version}, known is {VERSION}", code="version", advice=advice)
    return True


def begin(db: sqlite3.Connection) -> None:
    """The tables if there are none, and the durable write every start begins with.

    A process that was killed inside its sync leaves rows that this one can read and a power cut still takes. This write
    syncs them, before anything is answered or signed.
    """
    if not recognised(db):
        with told("making the tables"):
            create_store(db)
    with told("the first write of a start"):
        db.execute("UPDATE store SET opened = opened + 1")
