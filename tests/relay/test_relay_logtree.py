"""A relay's tree over the store's tiles: the same answers as the whole tree, little memory, little reading."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_conformance import LOG, batch, entry

from rsc_share.errors import LocalError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.logtree import PROOFS, RECHECK, ROOTS, TILES, LogTree
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.protocol import Broken, Stored

SIZE = 66_000
WHOLE = MemoryTree(leaf_hash(entry(i)) for i in range(SIZE))


class Counting(MemoryStore):
    """Counts what is read of it."""

    def __init__(self):
        super().__init__()
        self.entries_read, self.tiles_read = 0, 0

    async def read(self, log, start, stop, *, max_bytes):
        async for stored in super().read(log, start, stop, max_bytes=max_bytes):
            self.entries_read += 1
            yield stored

    async def tile(self, log, level, index):
        self.tiles_read += 1
        return await super().tile(log, level, index)


async def filled(size: int) -> Counting:
    store = Counting()
    writer = await store.acquire(LOG)
    for start in range(0, size, 10_000):
        items = [Stored(entry(i)) for i in range(start, min(size, start + 10_000))]
        writer = await store.append(writer, batch(writer.head, items))
    return store


@cache
def large() -> Counting:
    with ThreadPoolExecutor(1) as thread:  # a test may already run on a loop of its own
        return thread.submit(asyncio.run, filled(SIZE)).result()


async def opened(store: Counting) -> LogTree:
    return await LogTree.open(store, LOG, (await store.logs())[LOG])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), min_size=1, max_size=20))
def test_same_answers_as_the_whole_tree(pairs):
    async def ask():
        tree = await opened(large())
        assert (tree.size, await tree.root(SIZE)) == (SIZE, WHOLE.root())
        for old, new in map(sorted, pairs):
            assert await tree.root(old) == WHOLE.root(old)
            assert await tree.consistency(old, new) == WHOLE.consistency(old, new)
            if old < new:
                assert await tree.inclusion(old, new) == WHOLE.inclusion(old, new)
        sizes = [size for pair in pairs for size in pair]
        assert await tree.roots([*sizes, SIZE + 1, -1, 1 << 63]) == {size: WHOLE.root(size) for size in sizes}

    asyncio.run(ask())


async def test_questions_asked_at_once_do_not_disturb_each_other():
    tree = await opened(large())
    indices = range(0, SIZE, 997)
    proofs = await asyncio.gather(*(tree.inclusion(index, SIZE) for index in indices))
    assert proofs == [WHOLE.inclusion(index, SIZE) for index in indices]
    assert len(tree._cache) == TILES


async def test_a_start_reads_the_end_of_a_log_and_no_more():
    store = large()
    store.entries_read = store.tiles_read = 0
    tree = await opened(store)
    assert store.entries_read < RECHECK + 256
    assert store.tiles_read < 12
    store.tiles_read = 0
    await tree.root(SIZE)
    await tree.inclusion(SIZE - 1, SIZE)
    await tree.consistency(SIZE - 500, SIZE)
    assert store.tiles_read == 0, "the edge is in memory"


async def test_what_was_just_appended_needs_no_disk():
    store = await filled(1)
    tree, whole = await opened(store), MemoryTree([leaf_hash(entry(0))])
    for start in range(1, 3_000, 300):
        leaves = [leaf_hash(entry(i)) for i in range(start, start + 300)]
        tree.extend(leaves)
        whole.extend(leaves)
        size = start + 300
        assert tree.root_in_memory(size) == await tree.root(size) == whole.root()
        for index in range(start, size):
            assert await tree.inclusion(index, size) == whole.inclusion(index, size)
        assert await tree.consistency(start, size) == whole.consistency(start, size)
    assert store.tiles_read == 1  # the first one, when it was opened


async def test_memory_stays_the_same_whoever_asks():
    tree = await opened(large())
    for size in range(0, SIZE, 13):
        await tree.root(size)
    assert len(tree._roots) == ROOTS
    assert len(tree._cache) == TILES


async def test_outside_the_tree():
    tree = await opened(large())
    for call in (tree.root(SIZE + 1), tree.root(-1), tree.inclusion(5, 5), tree.consistency(3, SIZE + 1)):
        with pytest.raises(LocalError):
            await call
    with pytest.raises(Broken, match="not in memory"):
        tree.root_in_memory(300)


class Lying(Counting):
    """A disk that gives another tile back."""

    lie: dict = {}  # noqa: RUF012

    async def tile(self, log, level, index):
        return self.lie.get((level, index), await super().tile(log, level, index))


@pytest.mark.parametrize(
    ("lie", "size"),
    [
        ({(0, 3): bytes(32) * 256}, 1_000),  # the edge is another
        ({(0, 3): b""}, 1_000),
        ({(0, 3): b"short"}, 1_000),
        ({(1, 0): bytes(32) * 3}, 1_000),
        ({(0, 2): bytes(32) * 256}, 1_000),  # a full tile near the end
        ({(0, 2): b""}, 1_000),
    ],
)
async def test_tiles_that_do_not_fit_are_broken(lie, size):
    store = await filled(size)
    store.__class__ = Lying
    store.lie = lie
    with pytest.raises(Broken):
        await opened(store)


async def test_a_tile_that_goes_missing_later_is_broken():
    store = await filled(3_000)
    tree = await opened(store)
    store.__class__ = Lying
    for bad in (b"", b"odd"):
        store.lie = {(0, 1): bad}
        with pytest.raises(Broken, match="missing"):
            await tree.root(300)


async def test_a_proof_that_was_made_is_not_made_again_and_few_are_kept():
    """Ten witnesses of a log are offered one tree, and most stand at the one before."""
    tree = await LogTree.open(store := await filled(SIZE), LOG, (await store.logs())[LOG])
    first = await tree.consistency(500, 65_000)
    tree._cache = None  # whoever makes it again asks for a tile
    assert await tree.consistency(500, 65_000) is first
    assert first == WHOLE.consistency(500, 65_000)
    tree = await LogTree.open(store, LOG, (await store.logs())[LOG])
    for old in range(100, 100 + 3 * PROOFS):
        assert await tree.consistency(old, 65_000) == WHOLE.consistency(old, 65_000)
    assert len(tree._proofs) == PROOFS
