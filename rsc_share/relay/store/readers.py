"""Read-only connections, each used by one thread at a time. Nobody keeps one across two answers: no transaction stays
open, so the log before the database can be cut and what was erased is gone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rsc_share.relay.store.failures import told
from rsc_share.relay.store.schema import connect_reader

T = TypeVar("T")

READERS = 4


class Readers:
    """A few threads with a connection each. SQLite lets go of the interpreter's lock while it reads."""

    def __init__(self, path: Path, count: int = READERS) -> None:
        with told("opening the store for reading"):
            self._free = deque(connect_reader(path) for _ in range(count))
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="store reads")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` with a connection, in a thread. Raises what `told` makes of SQLite's errors."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._with_one, work)

    def _with_one(self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._free.pop()
        try:
            with told("reading"):
                return work(db)
        finally:
            self._free.append(db)

    def close(self) -> None:
        """Wait for what is being read, and end. Blocks."""
        self._threads.shutdown()
        while self._free:
            self._free.pop().close()
