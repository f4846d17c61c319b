"""A store that says how long its appends took."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping

from rsc_share.relay.store.protocol import Batch, Body, Erased, Head, LogStore, Note, Stored, Writer
from rsc_share.rulebook.facts import Fact, Key


class TimedStore:
    """A `LogStore` in front of another. `told` gets the log and the seconds of each append that succeeded."""

    def __init__(self, store: LogStore, told: Callable[[str, float], None]) -> None:
        self._store, self._told = store, told

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        start = time.perf_counter()
        after = await self._store.append(writer, batch)
        self._told(writer.log, time.perf_counter() - start)
        return after

    async def logs(self) -> Mapping[str, Head]:
        return await self._store.logs()

    async def acquire(self, log: str) -> Writer:
        return await self._store.acquire(log)

    async def lookup(self, log: str, keys: Collection[Key]) -> Mapping[Key, Fact]:
        return await self._store.lookup(log, keys)

    def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        return self._store.read(log, start, stop, max_bytes=max_bytes)

    async def wait(self, log: str, size: int, timeout_s: float) -> int:
        return await self._store.wait(log, size, timeout_s)

    async def tile(self, log: str, level: int, index: int) -> bytes:
        return await self._store.tile(log, level, index)

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        return await self._store.bodies(log, digests)

    async def erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        return await self._store.erase(log, digests, reason)

    async def keep_note(self, log: str, note: Note) -> Note:
        return await self._store.keep_note(log, note)
