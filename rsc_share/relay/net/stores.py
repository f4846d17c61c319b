"""Which store a relay runs on: the only place that knows more than the store protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rsc_share.relay.net.journal import Journal
from rsc_share.relay.net.settings import MEMORY, Settings
from rsc_share.relay.store.memory import MemoryStore
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
    try:
        yield store
    finally:
        await store.aclose()
