from __future__ import annotations

import pytest
from relay_world import World

from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def world(request, tmp_path):
    """A relay does not know which store it has, and must do the same over both."""
    store = MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "store")
    made = await World(store).ready()
    yield made
    await made.relay.aclose()
    if isinstance(store, SqliteStore):
        await store.aclose()
