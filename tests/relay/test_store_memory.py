"""The conformance suite over the memory store, and what only that store has."""

from __future__ import annotations

import pytest
from hypothesis import settings
from store_conformance import LOG, StoreConformance, StoreMachine, batch, body, everything, stored

from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.protocol import Full


@pytest.fixture
def store():
    return MemoryStore()


class TestMemoryStore(StoreConformance):
    pass


class MemoryMachine(StoreMachine):
    factory = staticmethod(MemoryStore)


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


async def test_full_writes_nothing_and_erasing_makes_room():
    store = MemoryStore(limit=1_000)
    writer = await store.acquire(LOG)
    large = body(bytes(900), 0)
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=large))
    with pytest.raises(Full):
        await store.append(writer, batch(writer.head, [stored(1)], bodies=body(bytes([1]) * 900, 1)))
    assert len(await everything(store)) == 1
    await store.erase(LOG, large.keys(), "recall")
    await store.append(writer, batch(writer.head, [stored(1)], bodies=body(bytes([1]) * 900, 1)))
    assert len(await everything(store)) == 2
