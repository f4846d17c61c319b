"""The store on disk: SQLite for order and durability, an AEAD around everything.

What can be read without keys: how many rows of which room there are, how long they are, and which belong to one log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rsc_share.errors import StorageError
from rsc_share.node.store.layers import Layers, Rows
from rsc_share.node.store.protocol import ERASABLE, Room
from rsc_share.node.store.segments import NEW, Segments
from rsc_share.node.store.table import DATABASE, Table, failed, merged

KEY_FILE: Final = "keys"
HOUR: Final = 3_600_000
ROUNDS: Final = 4
"""Rounds of the loop before a write begins: who is awake may add to it, and a message is signed in the write that makes
it durable."""
SOON_SECONDS: Final = 0.02
"""What nobody waits for is written with what is staged until then: a sync for each turn would be most of its cost."""
COPY: Final = 1 << 20
"""Bytes that are committed before they are copied from SQLite's log into its database."""
FOLD: Final = 64
"""Rows that a commit folds into the table beside as many as it brings, where too many wait."""


class SqliteStore:
    """One folder. The caller holds the lock of the node's directory. Use `SqliteStore.open`."""

    def __init__(self, folder: Path, root: bytes, segments: Segments) -> None:
        self.folder, self.fresh = folder, False
        self._root = root
        self._table = Table(folder / DATABASE, segments)
        self._layers = Layers()
        self._later: list[Callable[[], None]] = []
        self._one_writer = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rsc-share store")
        self._made = self._durable = 0
        self._flushing: asyncio.Task[None] | None = None
        self._copying: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._hurry = False
        """Whether somebody waits for the next write."""
        self._broken: StorageError | None = None
        self._rotated = segments.rotated
        self._passed = False
        """Whether anything erasable went through the journal of this hour."""

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
            store = cls(folder, root, Segments.load(keys, root))
        except (sqlite3.Error, OSError) as error:
            raise failed(folder, error) from error
        try:
            store._begin()
        except (sqlite3.Error, OSError) as error:
            store.abandon()
            raise failed(folder, error) from error
        except StorageError:
            store.abandon()
            raise
        return store

    def _begin(self) -> None:
        self.fresh = self._table.begin()
        for number, row, value in self._table.journal():
            self._layers.keep(number, row, value)
            self._passed = True

    # --- rows

    def put(self, room: Room, log: str, key: bytes, value: bytes) -> None:
        self._layers.staged[room, log, key] = value
        self._made += 1

    def delete(self, room: Room, log: str, key: bytes) -> None:
        self._layers.staged[room, log, key] = None
        self._made += 1

    def later(self, stage: Callable[[], None]) -> None:
        self._later.append(stage)
        self._made += 1

    def _stage(self) -> None:
        due, self._later = self._later, []
        for stage in due:
            stage()

    def get(self, room: Room, log: str, key: bytes) -> bytes | None:
        self._stage()
        row = (room, log, key)
        found = self._layers.find(row)
        return self._table.get(row) if found is None else found[0]

    def rows(self, room: Room, log: str) -> Iterable[tuple[bytes, bytes]]:
        self._stage()
        return merged(self._table.rows(room, log), self._layers.of(room, log))

    # --- durability

    def flush(self) -> None:
        if self._soon is None and self._flushing is None:
            self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self._begin_flush)

    def _begin_flush(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._flushing is None and self._durable < self._made and self._broken is None:
            self._flushing = asyncio.create_task(self._flush())

    async def commit(self) -> None:
        wanted = self._made
        while self._durable < wanted:
            if self._broken is not None:
                raise self._broken
            self._hurry = True
            self._begin_flush()
            if self._flushing is not None:
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
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
            self._stage()
            leaving, upto = self._layers.leave(), self._made
            try:
                number = self._bind(leaving)
                await asyncio.get_running_loop().run_in_executor(self._thread, self._sync)
                self._durable = upto
                self._layers.written(number)
            except (sqlite3.Error, OSError) as error:
                # The outcome of a COMMIT that raised is unknown: after a restart the rows may be there.
                self._broken = self._broken or failed(self.folder, error)
            finally:
                self._flushing = None
        if self._table.grown >= COPY and self._copying is None and self._broken is None:
            self._copying = asyncio.create_task(self._copy())

    async def _copy(self) -> None:
        """Behind the commit that made it due, and before the next. Never raises."""
        async with self._one_writer:
            try:
                if self._broken is None:  # nobody closed it meanwhile
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._table.copy)
            except (sqlite3.Error, OSError) as error:
                self._broken = self._broken or failed(self.folder, error)
            finally:
                self._copying = None

    def _bind(self, leaving: Rows) -> int:
        self._passed = self._passed or any(room in ERASABLE for room, _, _ in leaving)
        hurry, self._hurry = self._hurry, False
        folding = self._layers.fold(2 * len(leaving) + FOLD, hurry=hurry)
        return self._table.write(leaving, folding, self._layers.oldest)

    def _sync(self) -> None:
        """In the store's thread."""
        self._table.commit()

    async def rotate(self, now: int) -> bool:
        if 0 <= now - self._rotated < HOUR:  # a clock that was set back must not put it off for ever
            return False
        self._rotated = now
        await self.commit()
        async with self._one_writer:
            try:
                rows = self._layers.fold(-1)
                await asyncio.get_running_loop().run_in_executor(self._thread, self._rotate, rows, now)
                self._layers.folding = {}
            except (sqlite3.Error, OSError) as error:
                self._broken = failed(self.folder, error)
            except StorageError as error:
                self._broken = error
        if self._broken is not None:
            raise self._broken
        return True

    def _rotate(self, rows: Rows, now: int) -> None:
        self._table.fold_all(rows)
        if self._passed or self._table.dirty:
            self._table.rotate(now, self._root, self.folder / KEY_FILE)
            self._passed = False

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
        if self._soon is not None:
            self._soon.cancel()
        self._thread.shutdown(wait=True)
        self._table.close()
