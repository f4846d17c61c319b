"""Which store a relay runs on: the only place that knows more than the store protocol."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from rsc_share.errors import StorageError
from rsc_share.relay.blobs import BlobLimits, Blobs
from rsc_share.relay.net.front import SparedStore
from rsc_share.relay.net.journal import Journal
from rsc_share.relay.net.settings import MEMORY, Settings
from rsc_share.relay.store.ballast import Ballast
from rsc_share.relay.store.file_blobs import FOLDER as BLOBS
from rsc_share.relay.store.file_blobs import FileBlobs
from rsc_share.relay.store.file_heads import FileHeads
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.memory_blobs import MemoryBlobs
from rsc_share.relay.store.protocol import LogStore
from rsc_share.relay.store.sqlite import SqliteStore


@asynccontextmanager
async def opened_store(settings: Settings, journal: Journal) -> AsyncIterator[LogStore]:
    """The store that `store` names, closed at the end. Raises `StorageError` for one that cannot be opened.

    Memory is never taken by itself: a relay that forgets its logs at a restart forks every one of them.
    """
    if settings.store == MEMORY:
        journal.warning(
            "THE STORE IS IN MEMORY: every log is lost when this process ends, and must never be begun again "
            "with the same keys; for trials only",
            store=MEMORY,
        )
        yield MemoryStore()
        return
    store = await asyncio.to_thread(SqliteStore.open, Path(settings.store))
    ballast = Ballast(Path(settings.store), settings.ballast)
    if not await asyncio.to_thread(ballast.fill):
        journal.warning("no room for the ballast: on a full disk nothing can be given away", bytes=settings.ballast)

    def spare() -> None:
        with suppress(StorageError):  # no ballast is as good as one that cannot be removed
            if freed := ballast.release():
                journal.error("the ballast is given away: make room, the next start makes another", bytes=freed)

    try:
        yield SparedStore(store, spare)
    finally:
        await store.aclose()


def opened_heads(settings: Settings) -> FileHeads | None:
    """What was shown of every log, in a folder outside of the store; None for a store in memory.

    Raises `StorageError`.
    """
    return None if settings.heads is None else FileHeads.open(settings.heads)


def opened_blobs(settings: Settings, clock: Callable[[], int]) -> Blobs:
    """Where that store's blobs lie: `<store>/blobs`, which may be another disk. `clock` gives ms UTC.

    Raises `StorageError`.
    """
    limits = BlobLimits(settings.limits.blob_bytes_per_member)
    if settings.store == MEMORY:
        return Blobs(MemoryBlobs(lambda: clock() / 1000), clock, lambda: 1.0, limits)
    store = FileBlobs(Path(settings.store) / BLOBS)
    return Blobs(store, clock, lambda: _free(store.root), limits)


def _free(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total if usage.total else 0.0
