"""The one thread that writes and checkpoints: what is queued when a commit returns is the next one.

No timer and no lingering: while one sync runs the next group gathers by itself.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rsc_share.errors import StorageError
from rsc_share.log.tiles import WIDTH
from rsc_share.relay.store.calls import Call, answer
from rsc_share.relay.store.failures import Damaged, meaning, told
from rsc_share.relay.store.protocol import Full
from rsc_share.relay.store.recent import RecentBodies, RecentFacts
from rsc_share.relay.store.state import LogState, newest_ids
from rsc_share.relay.store.work import Pending, Transaction

GROUP = 64
"""Calls in one transaction."""
CHECKPOINT = 4 << 20
"""Bytes written after which the log before the database is copied into it, as soon as nobody waits."""
CHECKPOINT_BUSY = 16 << 20
"""The same, although somebody waits."""
CUT = 64 << 20
"""Size of that log from which it is not only copied but cut."""
RETRY_S = 0.02
"""Between two tries to cut it for an erasure, while somebody reads."""
BUSY_TRIES = 3
"""Times a transaction waits `BUSY_MS` for a lock of another process."""


class Committer:
    """Owns the writing connection. `failed` is called, in the thread, with what ended the store."""

    def __init__(
        self, db: sqlite3.Connection, path: Path, states: dict[str, LogState], failed: Callable[[StorageError], None]
    ) -> None:
        self._db, self._wal, self._failed = db, path.with_name(path.name + "-wal"), failed
        self.states = states
        """What is decided. Never changed but replaced, so that other threads may look."""
        self.bodies, self.facts = RecentBodies(), RecentFacts(newest_ids(db, states.values()))
        self.failure: StorageError | None = None
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._gate, self._failing = threading.Lock(), threading.Lock()
        self._ending = False
        self._unsynced: Pending = {}
        self._sweeping: list[Call] = []
        self._written = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store commits", daemon=True)
        self._thread.start()

    @property
    def wal_bytes(self) -> int:
        """Size of the log before the database: for alarms."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def put(self, call: Call) -> None:
        """Queue a call. Raises `StorageError` (`closed`) once the store is being closed."""
        with self._gate:
            if self._ending:
                raise StorageError("the store is closed", code="closed")
            self._queue.put(call)

    def close(self) -> None:
        """Finish what is queued, and end. Blocks."""
        with self._gate:  # nothing comes after the end: nobody would answer it
            self._ending = True
            self._queue.put(None)
        self._thread.join()

    # --- the thread

    def _run(self) -> None:
        while not self._closing:
            calls = self._take()
            try:
                self._turn(calls)
            except Exception as error:  # noqa: BLE001  a thread that died silently would leave everybody waiting
                self.fail(Damaged(f"the writing thread failed: {error!r}"))
            if self.failure is not None:
                calls += self._sweeping
                self._sweeping = []
                for call in calls:
                    call.outcome = self.failure
                answer(calls)
        self._end()

    def _turn(self, calls: list[Call]) -> None:
        if self.failure is None and calls:
            self._commit(calls)
            self._sweeping += [call for call in calls if call.sweeps and not isinstance(call.outcome, StorageError)]
            answer([call for call in calls if call not in self._sweeping])
        if self.failure is None:
            self._checkpoint()

    def _take(self) -> list[Call]:
        """Everything that waits, at least one unless an erasure waits to be swept."""
        calls: list[Call] = []
        try:
            found = self._queue.get(timeout=RETRY_S if self._sweeping else None)
            while found is not None:
                calls.append(found)
                if len(calls) == GROUP:
                    return calls
                found = self._queue.get_nowait()
            self._closing = True
        except queue.Empty:
            pass
        return calls

    def _commit(self, calls: Sequence[Call]) -> None:
        """One transaction for all; where there is no space for all, one for each, so that the small ones go on."""
        try:
            self._transaction(calls)
        except Full as full:
            if len(calls) > 1:
                for call in calls:
                    self._commit([call])
            else:
                calls[0].outcome = full
        except StorageError as error:
            if isinstance(error, Damaged):
                self.fail(error)
            for call in calls:
                call.outcome = error

    def _transaction(self, calls: Sequence[Call]) -> None:
        txn = Transaction(self._db, self.states, dict(self._unsynced))
        try:
            self._begin()
            before = self._db.total_changes
            for call in calls:
                call.outcome = _outcome(txn, call)
            if txn.urgent or self._db.total_changes != before:
                txn.flush()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise meaning(error, "writing") from error
        except BaseException:
            self._roll_back()
            raise
        self._decide(txn, wrote=self._db.total_changes != before)

    def _begin(self) -> None:
        for left in reversed(range(BUSY_TRIES)):
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not left or meaning(error, "").code != "busy":
                    raise
            else:
                return

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with told("rolling back"):
                self._db.execute("ROLLBACK")

    def _decide(self, txn: Transaction, *, wrote: bool) -> None:
        for log, touched in txn.tiles.items():
            for place, tile in touched.items():
                if tile.size == WIDTH:
                    txn.staged[log].cache.keep(place, tile)
        self.states = {**self.states, **txn.staged}
        self.bodies.follow(txn.bodies)
        self.facts.follow(txn.facts)
        self._unsynced = {} if wrote else txn.unsynced
        self._written += txn.written

    # --- the log before the database

    def _checkpoint(self) -> None:
        limit = CHECKPOINT if self._queue.empty() else CHECKPOINT_BUSY
        try:
            if self._sweeping or (self._written > limit and self.wal_bytes > CUT):
                self._cut()
            elif self._written > limit:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._written = 0
        except sqlite3.Error as error:
            failure = meaning(error, "copying the log into the database")
            if isinstance(failure, Damaged):  # else it is whole, and the next try will do
                self.fail(failure)

    def _cut(self) -> None:
        """Copy all of it and cut it to nothing; only then is what was erased nowhere any more."""
        if cut(self._db):
            self._written = 0
            swept, self._sweeping = self._sweeping, []
            answer(swept)

    # --- the end

    def fail(self, error: StorageError) -> None:
        """Nothing more is written or answered. Also called by a reader that found the store damaged."""
        with self._failing:
            if self.failure is None:
                self._failed(error)  # the mark first: whoever hears of the end may end the process
                self.failure = error

    def _end(self) -> None:
        for call in self._sweeping:
            call.outcome = StorageError("the store was closed before the erasure was complete", code="closed")
        answer(self._sweeping)
        if self.failure is None:
            self._last_words()

    def _last_words(self) -> None:
        """Notes that waited for a transaction, and a database that needs no recovery. Neither has to succeed."""
        try:
            with told("closing"):
                txn = Transaction(self._db, self.states, self._unsynced)
                self._db.execute("BEGIN IMMEDIATE")
                txn.flush()
                self._db.execute("COMMIT")
                cut(self._db, wait_ms=1_000)
        except Damaged as error:
            self.fail(error)
        except StorageError:
            self._roll_back()


def _outcome(txn: Transaction, call: Call) -> Any:
    try:
        return call.work(txn)
    except Damaged:
        raise
    except StorageError as refused:
        return refused


def cut(db: sqlite3.Connection, wait_ms: int = 20) -> bool:
    """Copy the log before the database into it and cut it to nothing. False while somebody reads from it."""
    db.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute("PRAGMA busy_timeout=5000")
    return not busy
