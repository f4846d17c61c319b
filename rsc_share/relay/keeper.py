"""The relay's own directory: the fold in memory, and the one place where an object is logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from rsc_share.charter.directory import Directory
from rsc_share.errors import LocalError
from rsc_share.relay.directory_log import admit_object, fold
from rsc_share.relay.live import LiveLog
from rsc_share.relay.store.protocol import EMPTY, Full

Logged = Callable[[], Awaitable[None]]


class DirectoryKeeper:
    """Objects are logged one at a time: the fold takes each before it is written, so none may overtake another."""

    def __init__(self, framework_id: bytes) -> None:
        self.framework_id = framework_id
        self.directory = Directory.begin(framework_id)
        self.log: LiveLog | None = None
        self._indices: dict[bytes, int] = {}
        self._lock = asyncio.Lock()

    async def fold(self, log: LiveLog) -> None:
        """Everything that is stored. Raises `Broken` where it does not apply."""
        self.directory, self._indices = await fold(log.store, log.origin, log.writer.head.size, self.framework_id)
        self.log = log

    def home(self, charter: bytes, bodies: Mapping[bytes, bytes], now: int) -> str:
        """Which log a founding charter names for itself; `Refused` for one that founds nothing here."""
        trial = Directory.begin(self.framework_id)
        admit_object(trial, EMPTY, charter, bodies, now)
        return trial.at(1).charter.directory

    async def log_object(self, found: bytes, bodies: Mapping[bytes, bytes], now: int, logged: Logged) -> int:
        """Log an object and call `logged`; its index, the same again for the same bytes. Raises `Refused`, `Full`.

        Shielded: once the fold has taken the object, the append must run to its end, whoever still waits for it.
        """
        return await asyncio.shield(self._log_object(found, bodies, now, logged))

    async def _log_object(self, found: bytes, bodies: Mapping[bytes, bytes], now: int, logged: Logged) -> int:
        mark = sha256(found).digest()
        async with self._lock:
            if mark not in self._indices:
                self._indices[mark] = await self._append(found, bodies, now)
                await logged()
            return self._indices[mark]

    async def _append(self, found: bytes, bodies: Mapping[bytes, bytes], now: int) -> int:
        log = self.log
        if log is None:
            raise LocalError("no directory is open here")
        index = log.writer.head.size
        _, batch = admit_object(self.directory, log.writer.head, found, bodies, now)
        try:
            await log.append(batch)
        except Full:
            await self.fold(log)  # nothing was written: the fold must not know it either
            raise
        await log.show(now)
        return index
