"""The store on a disk: one SQLite database, one thread that writes, a few that read.

    store = await asyncio.to_thread(SqliteStore.open, folder)
    ...
    await store.aclose()

A commit is durable when it is answered (WAL, synchronous=FULL). After any error but a full disk or a lock nothing is
written, answered or retried any more, and the next start is refused until `check` has read the store again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from rsc_share.errors import StorageError
from rsc_share.relay.store import selects
from rsc_share.relay.store.calls import Call
from rsc_share.relay.store.committer import Committer, cut
from rsc_share.relay.store.failures import Damaged, told
from rsc_share.relay.store.folder import (
    FolderLock,
    begin,
    make_file,
    make_folder,
    mark_broken,
    refuse_marked,
    refuse_old_sqlite,
)
from rsc_share.relay.store.protocol import EMPTY, Batch, Body, Erased, Erasing, Head, Note, Stored, Writer
from rsc_share.relay.store.readers import Readers
from rsc_share.relay.store.schema import Synchronous, connect_writer
from rsc_share.relay.store.state import LogState, load_states
from rsc_share.relay.store.work import Transaction, acquire, append, erase, keep_note
from rsc_share.rulebook.facts import Fact, Key

T = TypeVar("T")

OPEN_TRIES = 50
"""Times a start tries to cut the log before the database, 100 ms each, while somebody else reads it."""


class SqliteStore:
    """A `LogStore` that tolerates the loss of its process and of power. Made by `open`."""

    def __init__(
        self, lock: FolderLock, db: sqlite3.Connection, readers: Readers, states: dict[str, LogState], path: Path
    ) -> None:
        self._lock, self._db, self._readers = lock, db, readers
        self._committer = Committer(db, path, states, partial(mark_broken, path.parent))
        self._grown: dict[str, asyncio.Event] = {}
        self._closed = False

    @classmethod
    def open(cls, folder: Path, *, synchronous: Synchronous = "FULL") -> SqliteStore:
        """Open or create the store in `folder`. Blocks: a write, a sync, and a look at every log's last tiles.

        Raises `StorageError`: `locked`, `unchecked`, `version`, `not-opened`; `Broken` where what is stored does not
        fit together; `Full`. `synchronous="OFF"` gives durability away: for tests that must be seen to fail.
        """
        refuse_old_sqlite()
        make_folder(folder)
        lock = FolderLock(folder)
        try:
            refuse_marked(folder)
            path = make_file(folder)
            db = _begun(path, synchronous)
            try:
                states = load_states(db)
                return cls(lock, db, Readers(path), states, path)
            except StorageError:
                db.close()
                raise
        except StorageError as error:
            if isinstance(error, Damaged):
                mark_broken(folder, error)
            lock.release()
            raise

    @property
    def failure(self) -> StorageError | None:
        """What ended this store; a relay exits with it."""
        return self._committer.failure

    @property
    def wal_bytes(self) -> int:
        """Size of the log before the database, for alarms: it grows while somebody keeps a read open."""
        return self._committer.wal_bytes

    async def aclose(self) -> None:
        """Finish what is queued and close the files."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """As `aclose`, blocking."""
        if self._closed:
            return
        self._closed = True
        self._committer.close()
        # Whoever closes last copies the log into the database: the writer, except where nothing may be written.
        if self.failure is None:
            self._readers.close()
            self._db.close()
        else:
            self._db.close()
            self._readers.close()
        self._lock.release()

    # --- the protocol

    async def logs(self) -> Mapping[str, Head]:
        self._refuse_failed()
        return {origin: state.head for origin, state in sorted(self._committer.states.items())}

    async def acquire(self, log: str) -> Writer:
        return await self._write(log, lambda txn: acquire(txn, log))

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        return await self._write(writer.log, lambda txn: append(txn, writer, batch))

    async def lookup(self, log: str, keys: Collection[Key]) -> Mapping[Key, Fact]:
        self._refuse_failed()
        recent = self._committer.facts.find(log, keys)
        return recent if recent is not None else await self._read(log, partial(selects.facts, keys=keys), {})

    async def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        """As many short transactions as it takes: none is open while the caller has an entry in hand."""
        start, stop, given = max(0, start), min(stop, self._head(log).size), 0
        while start < stop and (not given or given < max_bytes):
            left = max(1, min(selects.CHUNK, max_bytes - given))
            some = partial(selects.entries, start=start, stop=stop, max_bytes=left)
            found = await self._read(log, some, list[Stored]())
            for stored in found:
                given += len(stored.entry)
                start += 1
                yield stored

    async def wait(self, log: str, size: int, timeout_s: float) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                while self._head(log).size <= size:
                    await self._grown.setdefault(log, asyncio.Event()).wait()
        except TimeoutError:
            pass
        return self._head(log).size

    async def tile(self, log: str, level: int, index: int) -> bytes:
        return await self._read(log, partial(selects.tile, level=level, index=index), b"")

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        self._refuse_failed()
        recent = self._committer.bodies.find(log, digests)
        return recent if recent is not None else await self._read(log, partial(selects.bodies, digests=digests), {})

    async def erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        return await self._write(log, lambda txn: erase(txn, log, digests, reason), sweeps=True)

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        return await self._write(log, lambda txn: keep_note(txn, log, note, erasing), sweeps=bool(erasing))

    # --- threads

    async def _write(self, log: str, work: Callable[[Transaction], T], *, sweeps: bool = False) -> T:
        """Hand a call to the writing thread. Whoever is cancelled does not know whether it was done."""
        self._refuse_failed()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._committer.put(Call(work, future, partial(self._wake, log), sweeps))
        return await future

    async def _read(self, log: str, select: Callable[[sqlite3.Connection, str, int], T], nothing: T) -> T:
        self._refuse_failed()
        state = self._committer.states.get(log)
        if state is None:
            return nothing
        try:
            return await self._readers.run(lambda db: select(db, log, state.number))
        except Damaged as error:
            self._committer.fail(error)
            raise

    def _head(self, log: str) -> Head:
        self._refuse_failed()
        state = self._committer.states.get(log)
        return EMPTY if state is None else state.head

    def _wake(self, log: str) -> None:
        """On the loop, after each commit of this log."""
        event = self._grown.pop(log, None)
        if event is not None:
            event.set()

    def _refuse_failed(self) -> None:
        if self._committer.failure is not None:
            raise self._committer.failure
        if self._closed:
            raise StorageError("the store is closed", code="closed")


def _begun(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """The writing connection after the durable write of a start: everything readable is on the disk, in one file."""
    with told("opening the store"):
        db = connect_writer(path, synchronous=synchronous)
    try:
        begin(db)
        _cut_surely(db)
    except BaseException:
        db.close()
        raise
    return db


def _cut_surely(db: sqlite3.Connection) -> None:
    with told("cutting the log before the database"):
        if any(cut(db, wait_ms=100) for _ in range(OPEN_TRIES)):
            return
    advice = "end the process that reads it"
    raise StorageError("the store's database is being read by another process", code="busy", advice=advice)
