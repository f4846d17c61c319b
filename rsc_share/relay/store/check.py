"""Recompute a store from its entries: what no start has the time for, and what must pass once a store was broken.

Online or offline, throttled, and resumable: how far it came is written down every few steps. It holds against every
entry the tiles, the head and the signed notes, and against every body and every attachment its digest. It repairs
nothing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rsc_share import names
from rsc_share.errors import LocalError, StorageError
from rsc_share.relay.store.check_blobs import BlobCheck
from rsc_share.relay.store.failures import told
from rsc_share.relay.store.file_blobs import FOLDER
from rsc_share.relay.store.folder import MARK, FolderLock, lift_mark, mark_broken, recognised
from rsc_share.relay.store.progress import CheckState, forget, load, save
from rsc_share.relay.store.protocol import Broken
from rsc_share.relay.store.recompute import Finding, LogCheck
from rsc_share.relay.store.schema import FILE, connect_reader

MISSED_SECONDS, MISSED_TRIES = 1.0, 5
"""How long a relay may take from deleting a file to saying so in its database."""
SAVE_EVERY = 64
"""Steps (tiles of entries, handfuls of bodies, chunks of attachments) between two notes of how far it has come."""
MAX_FINDINGS = 1_000
"""After this many the rest is not looked for: a store that bad is not repaired entry by entry."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a caller may show: the log in hand, how many of its entries were read, of how many.

    With `blobs` it is how many rows of its bodies were looked through for attachments.
    """

    log: str
    checked: int
    size: int
    blobs: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What a whole check found. `blobs`: attachments that are whole and right; `online`: a relay was using the store;
    `released`: a mark of damage was removed."""

    findings: tuple[Finding, ...]
    entries: int
    online: bool
    released: bool
    blobs: int = 0

    @property
    def passed(self) -> bool:
        return not self.findings


def check(
    folder: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    bytes_per_s: int | None = None,
    resume: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Checked:
    """Check every log in `folder`; blocks. Interrupted (by an exception out of `progress`), the next one goes on.

    A store with findings is marked, so that no relay starts on it; one that passes while no relay uses it loses its
    mark. Raises `LocalError` where there is no store, `StorageError` where it cannot be opened at all.
    """
    if not (folder / FILE).is_file():
        raise LocalError(f"there is no store in {folder}", path=str(folder))
    with opened_beside(folder) as (db, online):
        mark = _mark(folder)
        state = (load(folder, mark) if resume else None) or CheckState(mark)
        state.findings += [] if online or state.logs else _integrity(db)
        steps = _Steps(folder, state, bytes_per_s, sleep, progress, online)
        try:
            for origin in _origins(db):
                steps.run(db, origin)
                steps.run_blobs(db, origin)
        finally:
            save(folder, state)
        forget(folder)
    released = _settle(folder, state, online=online)
    entries = sum(log.tree.size for log in state.logs.values())
    return Checked(tuple(state.findings), entries, online, released, sum(log.read for log in state.blobs.values()))


@dataclass(slots=True)
class _Steps:
    """The steps of one run, with their pauses."""

    folder: Path
    state: CheckState
    bytes_per_s: int | None
    sleep: Callable[[float], None]
    progress: Callable[[Progress], None] | None
    online: bool
    taken: int = 0

    def run(self, db: sqlite3.Connection, origin: str) -> None:
        findings = self.state.findings
        try:
            with told("checking"):
                log = self.state.logs.get(origin) or LogCheck.begin(db, origin)
            self.state.logs[origin] = log
            while not log.bodies_done and len(findings) < MAX_FINDINGS:
                with told("checking"):
                    size, found = log.step(db)
                findings += found
                self._between(Progress(log.origin, log.tree.size, log.target), size)
        except Broken as error:  # pages that cannot be read: nothing after them in this log can be judged
            findings.append(Finding(origin, "the database", error.what))

    def run_blobs(self, db: sqlite3.Connection, origin: str) -> None:
        findings, log, folder = self.state.findings, self.state.logs.get(origin), self.folder / FOLDER
        if log is None or names.channel_of(origin) == names.DIRECTORY:
            return
        blobs = self.state.blobs.setdefault(origin, BlobCheck(origin, log.number))
        try:
            while not blobs.done and len(findings) < MAX_FINDINGS:
                with told("checking"):
                    size, found = blobs.step(db, folder)
                    end = blobs.end(db)
                findings += found
                self._between(Progress(origin, min(blobs.last, end), end, blobs=True), size)
            findings += self._missed(db, blobs, folder)
        except Broken as error:
            findings.append(Finding(origin, "the database", error.what))

    def _missed(self, db: sqlite3.Connection, blobs: BlobCheck, folder: Path) -> list[Finding]:
        found: list[Finding] = []
        for left in reversed(range(MISSED_TRIES if self.online else 1)):
            with told("checking"):
                found = blobs.missed(db, folder)
            if not found:
                break
            if left:
                self.sleep(MISSED_SECONDS)
        return found

    def _between(self, now: Progress, size: int) -> None:
        self.taken += 1
        if self.taken % SAVE_EVERY == 0:
            save(self.folder, self.state)
        if self.progress is not None:
            self.progress(now)
        if self.bytes_per_s is not None and size:
            self.sleep(size / self.bytes_per_s)


@contextmanager
def opened_beside(folder: Path) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """A connection that only reads, and whether a relay is using the store meanwhile."""
    path = folder / FILE
    try:
        lock = FolderLock(folder)
    except StorageError as error:
        if error.code != "locked":
            raise
        with closing(_reader(path)) as db:
            yield _ours(db, path), True
        return
    try:
        _drop_cached(path)
        with closing(_first_reader(path)) as db:
            yield _ours(db, path), False
    finally:
        lock.release()


def _reader(path: Path) -> sqlite3.Connection:
    with told("opening the store"):
        return connect_reader(path)


def _first_reader(path: Path) -> sqlite3.Connection:
    """A reader of a store nobody has open.

    Somebody has to make the index of the log before the database, and a connection that only reads may not. But the
    last connection to close copies that log into the database, if it may write: so the reader has to outlive it.
    """
    with told("opening the store"), closing(sqlite3.connect(path, isolation_level=None)) as opener:
        opener.execute("PRAGMA query_only=ON")
        opener.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        db = connect_reader(path)
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return db


def _ours(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    if not recognised(db):
        raise LocalError(f"{path} holds nothing", path=str(path))
    return db


def _drop_cached(path: Path) -> None:
    """Have the kernel forget what it holds of these files: after a failed sync that may never have reached the disk."""
    for name in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError), name.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _integrity(db: sqlite3.Connection) -> list[Finding]:
    """SQLite's own check of pages and indices. It holds one long read, so only where nobody waits for it."""
    try:
        with told("checking the database"):
            rows = db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall()
    except Broken as error:
        return [Finding("", "the database", error.what)]
    return [Finding("", "the database", str(row[0])) for row in rows if row[0] != "ok"]


def _origins(db: sqlite3.Connection) -> list[str]:
    with told("checking"):
        return [origin for (origin,) in db.execute("SELECT origin FROM log ORDER BY number").fetchall()]


def _mark(folder: Path) -> str:
    """Which mark of damage there is: what was checked before it was made does not count."""
    try:
        return f"{(folder / MARK).stat().st_mtime_ns} {(folder / MARK).read_text(errors='replace')}"
    except OSError:
        return ""


def _settle(folder: Path, state: CheckState, *, online: bool) -> bool:
    """Set the mark where something stops a relay; remove it where nothing does, and no relay could change the store."""
    stopping = [found for found in state.findings if found.stops]
    if stopping:
        first = stopping[0]
        what = f"check found {len(stopping)} faults, first {first.log} {first.where}: {first.what}"
        mark_broken(folder, Broken(what))
        return False
    if online or not state.mark or _mark(folder) != state.mark:
        return False
    lift_mark(folder)
    return True
