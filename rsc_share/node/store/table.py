"""The database: sealed rows by a keyed name, and the journal of what is not among them yet. Plain calls, no loop.

`sqlite3.Error` and `OSError` pass; whoever calls says what they mean.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rsc_share.durable import sync_folder
from rsc_share.errors import RscError, StorageError
from rsc_share.node.store.journal import open_piece, pieces, seal_piece
from rsc_share.node.store.layers import Rows
from rsc_share.node.store.protocol import ERASABLE, Room
from rsc_share.node.store.rows import RowKey, id_of, open_row, seal_row, shelf_of
from rsc_share.node.store.segments import NEW, PERMANENT, Segments

DATABASE: Final = "store.db"
VERSION: Final = 4
_PAGE: Final = 4_096
_PAGES: Final = 4
"""Pages that every commit writes; each row that is folded may cost one more."""
CHUNK: Final = 512
"""Rows sealed again in one transaction of a rotation."""
# The index leaves the permanent segment out: only what is sealed again has to be found by its segment.
_SCHEMA = """
CREATE TABLE rows (room INTEGER NOT NULL, shelf INTEGER NOT NULL, id BLOB NOT NULL, segment INTEGER NOT NULL,
                   sealed BLOB NOT NULL, PRIMARY KEY (room, shelf, id)) WITHOUT ROWID;
CREATE INDEX by_segment ON rows (segment) WHERE segment > 0;
CREATE TABLE journal (number INTEGER PRIMARY KEY, segment INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE opened (n INTEGER PRIMARY KEY);
"""
_PUT = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_GET = "SELECT segment, sealed FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_WHERE = "SELECT segment FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_ROWS = "SELECT id, segment, sealed FROM rows WHERE room = ? AND shelf = ?"
_SEGMENT = "SELECT room, shelf, id, sealed FROM rows WHERE segment = ? AND segment > 0 LIMIT ?"
_NOTE = "INSERT INTO journal VALUES (?, ?, ?)"
_JOURNAL = "SELECT number, segment, sealed FROM journal ORDER BY number"
_FORGET = "DELETE FROM journal WHERE number < ?"


class Table:
    """One database file with a writer and a reader. What is not committed is not there for the reader."""

    def __init__(self, path: Path, segments: Segments) -> None:
        self.path, self.segments = path, segments
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its journal gets the same mode
        self._writer = _connect(path)
        self._reader = _connect(path)
        self.dirty = set(segments.keys) - {PERMANENT, segments.journal}
        """Segments in which something was erased. After a start nobody knows, so all are."""
        self.number = 0
        """Of the newest piece of the journal."""
        self.grown = 0
        """Bytes, about and at most, that were committed and not copied into the database yet."""

    def begin(self) -> bool:
        """Make the database, or see that it is ours; True if it is new. Ends with a durable write."""
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        fresh: bool = version == 0
        if fresh:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            sync_folder(self.path.parent)
        elif version != VERSION:
            what = f"{self.path} has form {version}; this release reads {VERSION}"
            raise StorageError(what, code="damaged-state", advice="use the release that wrote it")
        self._writer.execute("INSERT INTO opened VALUES (NULL)")
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return fresh

    def journal(self) -> Iterator[tuple[int, RowKey, bytes | None]]:
        """Every change that may not be in the table yet, in the order in which they were made."""
        for number, segment, sealed in self._writer.execute(_JOURNAL):
            self.number = number
            try:
                for row, value in open_piece(self.segments, segment, number, sealed):
                    yield number, row, value
            except RscError as error:
                raise self.damaged(error.what) from None

    # --- reading

    def get(self, row: RowKey) -> bytes | None:
        room, log, _ = row
        shelf, row_id = shelf_of(self.segments, log), id_of(self.segments, row)
        for attempt in range(2):
            found = self._reader.execute(_GET, (room, shelf, row_id)).fetchone()
            if found is None:
                return None
            with contextlib.suppress(KeyError):  # rotation went by between the row and its key: look again
                return self._opened(room, row_id, *found)[2]
            if attempt:
                raise self.damaged("the key of a row is not there")
        return None

    def rows(self, room: Room, log: str) -> Iterator[tuple[bytes, bytes]]:
        for row_id, segment, sealed in self._reader.execute(_ROWS, (room, shelf_of(self.segments, log))):
            try:
                where, key, value = self._opened(room, row_id, segment, sealed)
            except KeyError:
                raise self.damaged("the key of a row is not there") from None
            if where == log:
                yield key, value

    # --- writing

    def write(self, leaving: Rows, folding: Rows, oldest: int | None) -> int:
        """Begin a transaction that is not committed yet; the number of its first piece.

        `oldest`: the number of the oldest piece that is needed apart from what is leaving now.
        """
        first = self.number + 1
        self._writer.execute("BEGIN IMMEDIATE")
        for piece in pieces(leaving):
            self.number += 1
            sealed = seal_piece(self.segments, self.number, piece)
            self._writer.execute(_NOTE, (self.number, self.segments.journal, sealed))
            self.grown += len(sealed)
        self._fold(folding)
        self.grown += (len(folding) + _PAGES) * _PAGE
        self._writer.execute(_FORGET, (first if oldest is None else oldest,))
        return first

    def commit(self) -> None:
        """The only step that waits for the disk."""
        self._writer.execute("COMMIT")

    def copy(self) -> None:
        """Copy what is committed from SQLite's log into the database. SQLite would do it in a commit by itself, and
        whoever waits for that would wait ten times as long. Two connections must not do it at once: before 3.51.3 that
        can corrupt a database."""
        self.grown = 0
        self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _fold(self, rows: Rows) -> None:
        puts, deletes = [], []
        for row, value in rows.items():
            room, log, _ = row
            shelf, row_id = shelf_of(self.segments, log), id_of(self.segments, row)
            if room in ERASABLE:
                self._erases(room, shelf, row_id)
            if value is None:
                deletes.append((room, shelf, row_id))
                continue
            segment = self.segments.current if room in ERASABLE else PERMANENT
            puts.append((room, shelf, row_id, segment, seal_row(self.segments, row, row_id, segment, value)))
        self._writer.executemany(_DELETE, deletes)
        self._writer.executemany(_PUT, puts)

    def _erases(self, room: Room, shelf: int, row_id: bytes) -> None:
        found = self._writer.execute(_WHERE, (room, shelf, row_id)).fetchone()
        if found is not None:
            self.dirty.add(found[0])

    # --- rotation

    def fold_all(self, rows: Rows) -> None:
        """Everything into the table; the journal is empty afterwards."""
        with self._transaction():
            self._fold(rows)
            self._writer.execute(_FORGET, (self.number + 1,))

    def rotate(self, now: int, root: bytes, keys: Path) -> None:
        """After `fold_all`: move what is alive out of the segments in which something was erased, then let their keys
        and the journal's go."""
        dead, journal = set(self.dirty), self.segments.journal
        # The new keys are on disk before a row needs them; the old ones leave it after no row does.
        self.segments = (self.segments.opened() if dead else self.segments).journaled()
        self.segments.save(keys, root)
        for segment in dead:
            while self._move(segment):
                pass
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.segments = self.segments.without({*dead, journal}, now)
        self.segments.save(keys, root)
        self.dirty -= dead

    def _move(self, segment: int) -> bool:
        found = self._writer.execute(_SEGMENT, (segment, CHUNK)).fetchall()
        current, moved = self.segments.current, []
        for room, shelf, row_id, sealed in found:
            log, key, value = self._opened(room, row_id, segment, sealed)
            moved.append(
                (room, shelf, row_id, current, seal_row(self.segments, (room, log, key), row_id, current, value))
            )
        with self._transaction():
            self._writer.executemany(_PUT, moved)
        return bool(found)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def _opened(self, room: int, row_id: bytes, segment: int, sealed: bytes) -> tuple[str, bytes, bytes]:
        """As `open_row`; a row that does not open is this machine's fault."""
        try:
            return open_row(self.segments, room, row_id, segment, sealed)
        except RscError as error:
            raise self.damaged(error.what) from None

    def damaged(self, why: str) -> StorageError:
        return StorageError(f"{self.path}: {why}", code="damaged-state", advice=NEW)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `Table.copy`
    # Free pages hold sealed rows only, and the keys of what was erased go within the hour: zeros would cost a write.
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def failed(folder: Path, error: Exception) -> StorageError:
    """What an error of the disk or of the database means. A disk that is well again does not mend a damaged file."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return StorageError(f"the store in {folder} is damaged: {error}", code="damaged-state", advice=NEW)
    advice = "look at the disk; start again when it is well: nothing acknowledged is lost"
    return StorageError(f"the store in {folder} failed: {error}", code="not-written", advice=advice)


def merged(
    below: Iterable[tuple[bytes, bytes]], above: Iterable[tuple[bytes, bytes | None]]
) -> list[tuple[bytes, bytes]]:
    """Rows by rising key, where what lies above counts."""
    found: dict[bytes, bytes | None] = dict(below)
    found.update(above)
    return sorted((key, value) for key, value in found.items() if value is not None)
