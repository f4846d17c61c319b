"""A store in front of another: every call goes through, and some are more than that."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from rsc_share.relay.store.protocol import Batch, Body, Erased, Erasing, Full, Head, LogStore, Note, Stored, Writer
from rsc_share.rulebook.facts import Fact, Key


class FrontStore:
    """A `LogStore` that only passes on."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        return await self._store.append(writer, batch)

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

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        return await self._store.keep_note(log, note, erasing)


class TimedStore(FrontStore):
    """`told` gets the log and the seconds of each append that succeeded."""

    def __init__(self, store: LogStore, told: Callable[[str, float], None]) -> None:
        super().__init__(store)
        self._told = told

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        start = time.perf_counter()
        after = await super().append(writer, batch)
        self._told(writer.log, time.perf_counter() - start)
        return after


class SparedStore(FrontStore):
    """What has to be written although the disk is full: `spare` makes room, once in its life, and it is tried again.

    An entry is refused before it is logged, and costs nothing. An erasure is ordered by an entry that is logged, and a
    note stands for one: without room for them the log would have to stop.
    """

    def __init__(self, store: LogStore, spare: Callable[[], None]) -> None:
        super().__init__(store)
        self._spare = spare

    async def erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        try:
            return await super().erase(log, digests, reason)
        except Full:
            self._spare()  # another log may have done so a moment ago: there may be room either way
            return await super().erase(log, digests, reason)

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        try:
            return await super().keep_note(log, note, erasing)
        except Full:
            self._spare()
            return await super().keep_note(log, note, erasing)
