"""The store on disk: SQLite for order and durability, an AEAD around every row for everything else.

What can be read without keys: how many rows of which room there are, how long they are, and which belong to one log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rsc_share.durable import sync_folder
from rsc_share.errors import RscError, StorageError
from rsc_share.node.store.protocol import ERASABLE, Room
from rsc_share.node.store.rows import RowKey, id_of, open_row, seal_row, shelf_of
from rsc_share.node.store.segments import NEW, PERMANENT, Segments

DATABASE, KEY_FILE = "store.db", "keys"
HOUR: Final = 3_600_000
VERSION: Final = 1
CHUNK: Final = 512
"""Rows sealed again in one transaction of a rotation."""
_SCHEMA = """
CREATE TABLE rows (room INTEGER NOT NULL, shelf INTEGER NOT NULL, id BLOB NOT NULL, segment INTEGER NOT NULL,
                   sealed BLOB NOT NULL, PRIMARY KEY (room, shelf, id)) WITHOUT ROWID;
CREATE INDEX by_segment ON rows (segment);
CREATE TABLE opened (n INTEGER PRIMARY KEY);
"""
_PUT = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_GET = "SELECT segment, sealed FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_WHERE = "SELECT segment FROM rows WHERE room = ? AND shelf = ? AND id = ?"
_ROWS = "SELECT id, segment, sealed FROM rows WHERE room = ? AND shelf = ?"
_SEGMENT = "SELECT room, shelf, id, sealed FROM rows WHERE segment = ? LIMIT ?"


class SqliteStore:
    """One folder. The caller holds the lock of the node's directory. Use `SqliteStore.open`."""

    def __init__(self, folder: Path, root: bytes, segments: Segments) -> None:
        self.folder, self.fresh = folder, False
        self._root, self._segments = root, segments
        self._writer = _connect(folder / DATABASE)
        self._reader = _connect(folder / DATABASE)
        self._one_writer = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rsc-share store")
        self._staged: dict[RowKey, bytes | None] = {}
        self._leaving: dict[RowKey, bytes | None] = {}
        self._made = self._durable = 0
        self._flushing: asyncio.Task[None] | None = None
        self._broken: StorageError | None = None
        self._rotated = segments.rotated
        self._dirty = set(segments.keys) - {PERMANENT}
        """Segments in which something was erased. After a start nobody knows, so all are."""

    @classmethod
    def open(cls, folder: Path, root: bytes) -> SqliteStore:
        """Open or make the store in `folder`. Raises `StorageError`: damaged, or the disk does not obey.

        Opening is a durable write: what a crashed process had committed but not synced is on disk before anybody acts
        on it.
        """
        database, keys = folder / DATABASE, folder / KEY_FILE
        if database.exists() and not keys.exists():
            raise StorageError(
                f"{keys} is missing: nothing in {database} can be read", code="damaged-state", advice=NEW
            )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not keys.exists():
                Segments.new().save(keys, root)  # before the database: a crash in between leaves no row without a key
            segments = Segments.load(keys, root)
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its journal gets the same mode
            store = cls(folder, root, segments)
        except (sqlite3.Error, OSError) as error:
            raise _failed(folder, error) from error
        try:
            store._begin()
        except (sqlite3.Error, OSError) as error:
            store.abandon()
            raise _failed(folder, error) from error
        except StorageError:
            store.abandon()
            raise
        return store

    def _begin(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            sync_folder(self.folder)
            version, self.fresh = VERSION, True
        if version != VERSION:
            what = f"{self.folder / DATABASE} has form {version}; this release reads {VERSION}"
            raise StorageError(what, code="damaged-state", advice="use the release that wrote it")
        self._writer.execute("INSERT INTO opened VALUES (NULL)")
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- rows

    def put(self, room: Room, log: str, key: bytes, value: bytes) -> None:
        self._staged[room, log, key] = value
        self._made += 1

    def delete(self, room: Room, log: str, key: bytes) -> None:
        self._staged[room, log, key] = None
        self._made += 1

    def get(self, room: Room, log: str, key: bytes) -> bytes | None:
        row = (room, log, key)
        for waiting in (self._staged, self._leaving):
            if row in waiting:
                return waiting[row]
        shelf, row_id = shelf_of(self._segments, log), id_of(self._segments, row)
        for attempt in range(2):
            found = self._reader.execute(_GET, (room, shelf, row_id)).fetchone()
            if found is None:
                return None
            with contextlib.suppress(KeyError):  # rotation went by between the row and its key: look again
                return self._opened(room, row_id, *found)[2]
            if attempt:
                raise self._damaged("the key of a row is not there")
        return None

    def rows(self, room: Room, log: str) -> Iterable[tuple[bytes, bytes]]:
        found: dict[bytes, bytes] = {}
        for row_id, segment, sealed in self._reader.execute(_ROWS, (room, shelf_of(self._segments, log))):
            try:
                where, key, value = self._opened(room, row_id, segment, sealed)
            except KeyError:
                raise self._damaged("the key of a row is not there") from None
            if where == log:
                found[key] = value
        for waiting in (self._leaving, self._staged):
            for (kind, where, key), value_or_none in waiting.items():
                if (kind, where) != (room, log):
                    continue
                if value_or_none is None:
                    found.pop(key, None)
                else:
                    found[key] = value_or_none
        return sorted(found.items())

    # --- durability

    async def commit(self) -> None:
        wanted = self._made
        while self._durable < wanted:
            if self._broken is not None:
                raise self._broken
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())
            # Cancelling a wait changes nothing: whoever else waits for the same write goes on waiting.
            await asyncio.shield(self._flushing)
        if self._broken is not None:
            raise self._broken

    async def _flush(self) -> None:
        """Write everything staged by now in one transaction: all who wait share its sync. Never raises.

        Rows are bound on the loop's thread and only the sync has a thread of its own: a row costs microseconds, and a
        thread that asks for the interpreter once for every row waits for a busy loop once for every row.
        """
        async with self._one_writer:
            self._leaving, self._staged, upto = self._staged, {}, self._made
            try:
                self._bind(self._leaving)
                await asyncio.get_running_loop().run_in_executor(self._thread, self._sync)
                self._durable, self._leaving = upto, {}
            except (sqlite3.Error, OSError) as error:
                # The outcome of a COMMIT that raised is unknown: after a restart the rows may be there.
                self._broken = self._broken or _failed(self.folder, error)
            finally:
                self._flushing = None

    def _bind(self, rows: dict[RowKey, bytes | None]) -> None:
        puts, deletes = [], []
        for row, value in rows.items():
            room, log, _ = row
            shelf, row_id = shelf_of(self._segments, log), id_of(self._segments, row)
            if room in ERASABLE:
                self._erases(room, shelf, row_id)
            if value is None:
                deletes.append((room, shelf, row_id))
                continue
            segment = self._segments.current if room in ERASABLE else PERMANENT
            puts.append((room, shelf, row_id, segment, seal_row(self._segments, row, row_id, segment, value)))
        self._writer.execute("BEGIN IMMEDIATE")
        self._writer.executemany(_DELETE, deletes)
        self._writer.executemany(_PUT, puts)

    def _sync(self) -> None:
        """In the store's thread: the only step that waits for the disk."""
        self._writer.execute("COMMIT")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def _erases(self, room: Room, shelf: int, row_id: bytes) -> None:
        found = self._writer.execute(_WHERE, (room, shelf, row_id)).fetchone()
        if found is not None:
            self._dirty.add(found[0])

    async def rotate(self, now: int) -> bool:
        if 0 <= now - self._rotated < HOUR:  # a clock that was set back must not put it off for ever
            return False
        self._rotated = now
        await self.commit()
        async with self._one_writer:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._rotate, now)
            except (sqlite3.Error, OSError) as error:
                self._broken = _failed(self.folder, error)
            except StorageError as error:
                self._broken = error
        if self._broken is not None:
            raise self._broken
        return True

    def _rotate(self, now: int) -> None:
        """Move what is alive out of the segments in which something was erased, then let their keys go."""
        dead = set(self._dirty)
        if not dead:
            return
        # The new key is on disk before a row needs it; the old ones leave it after no row does.
        self._segments = self._segments.opened()
        self._segments.save(self.folder / KEY_FILE, self._root)
        for segment in dead:
            while self._move(segment):
                pass
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._segments = self._segments.without(dead, now)
        self._segments.save(self.folder / KEY_FILE, self._root)
        self._dirty -= dead

    def _move(self, segment: int) -> bool:
        found = self._writer.execute(_SEGMENT, (segment, CHUNK)).fetchall()
        current, moved = self._segments.current, []
        for room, shelf, row_id, sealed in found:
            log, key, value = self._opened(room, row_id, segment, sealed)
            moved.append(
                (room, shelf, row_id, current, seal_row(self._segments, (room, log, key), row_id, current, value))
            )
        with self._transaction():
            self._writer.executemany(_PUT, moved)
        return bool(found)

    async def close(self) -> None:
        """Commit what is staged, then let go of the files. Closing twice is fine."""
        try:
            if self._broken is None:
                await self.commit()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the files without another write: what a crash at this moment would leave."""
        self._broken = self._broken or StorageError(f"the store in {self.folder} is closed", code="closed")
        self._thread.shutdown(wait=True)
        self._writer.close()
        self._reader.close()

    def _opened(self, room: int, row_id: bytes, segment: int, sealed: bytes) -> tuple[str, bytes, bytes]:
        """As `open_row`; a row that does not open is this machine's fault."""
        try:
            return open_row(self._segments, room, row_id, segment, sealed)
        except RscError as error:
            raise self._damaged(error.what) from None

    def _damaged(self, why: str) -> StorageError:
        return StorageError(f"{self.folder / DATABASE}: {why}", code="damaged-state", advice=NEW)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _failed(folder: Path, error: Exception) -> StorageError:
    advice = "look at the disk; start again when it is well: nothing acknowledged is lost"
    return StorageError(f"the store in {folder} failed: {error}", code="not-written", advice=advice)
