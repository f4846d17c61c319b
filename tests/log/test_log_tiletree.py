"""The tree over tiles against the tree that has everything in memory."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import TileTree, edge_widths, read_tile
from rsc_share.log.tree import MemoryTree

LARGE = WIDTH * WIDTH + 3 * WIDTH + 7
WHOLE = MemoryTree(hashlib.sha256(i.to_bytes(4, "big")).digest() for i in range(LARGE))
STEPS = (0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, LARGE)
sizes = st.sampled_from(STEPS) | st.integers(0, 2_000) | st.integers(0, LARGE)


def stored_tile(place):
    level, index = place
    return read_tile(WHOLE.row(8 * level, index * WIDTH, WIDTH))


def tile_tree(size: int) -> TileTree:
    """As a relay makes it at its start: the last tile of each level, and nothing else."""
    edge = []
    for level, width in enumerate(edge_widths(size)):
        first = size >> 8 * (level + 1) << 8
        edge.append(read_tile(WHOLE.row(8 * level, first, width)))
    return TileTree(stored_tile, size, edge)


@settings(max_examples=300, deadline=None)
@given(sizes, st.data())
def test_same_roots_and_proofs_as_the_whole_tree(size, data):
    tree = tile_tree(size)
    old = data.draw(st.integers(0, size))
    assert (tree.size, tree.root(), tree.edge()) == (size, WHOLE.root(size), WHOLE.edge(size))
    assert tree.root(old) == WHOLE.root(old)
    assert tree.consistency(old) == WHOLE.consistency(old, size)
    middle = data.draw(st.integers(old, size))
    assert tree.consistency(old, middle) == WHOLE.consistency(old, middle)
    if old < middle:
        assert tree.inclusion(old, middle) == WHOLE.inclusion(old, middle)


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(0, 1_500))
def test_growing_touches_exactly_the_tiles_that_change(size, more):
    tree, end = tile_tree(size), min(size + more, LARGE)
    before = tree.copy()
    touched = tree.extend(WHOLE.leaf(i) for i in range(size, end))
    assert (tree.size, tree.root()) == (end, WHOLE.root(end))
    assert (before.size, before.root()) == (size, WHOLE.root(size)), "the copy grew with it"
    changed = {}
    for level in range(3):
        low, high = size >> 8 * level, end >> 8 * level
        for index in range(low >> 8, ((high - 1) >> 8) + 1 if high > low else 0):
            changed[level, index] = WHOLE.row(8 * level, index * WIDTH, min(WIDTH, high - index * WIDTH))
    assert {place: tile.row(0, 0, tile.size) for place, tile in touched.items()} == changed


def test_only_full_tiles_are_asked_for():
    asked = []
    tree = tile_tree(LARGE)
    tree._full = lambda place: asked.append(place) or stored_tile(place)
    tree.inclusion(5)
    tree.root(300)
    assert set(asked) == {(0, 0), (0, 1), (1, 0)}  # the leaf, where the size of 300 ends, and the first 256 tiles
    assert tree.tile((0, LARGE // WIDTH)).size == LARGE % WIDTH
    assert tree.tile((0, 10**6)).size == tree.tile((7, 0)).size == 0


def test_what_is_no_edge_is_refused():
    with pytest.raises(RemoteError):
        TileTree(stored_tile, 3, [read_tile(bytes(64))])
    with pytest.raises(RemoteError):
        TileTree(stored_tile, 256, [MemoryTree()])
    for wrong in (bytes(31), bytes(257 * 32)):
        with pytest.raises(RemoteError):
            read_tile(wrong)
    with pytest.raises(LocalError):
        tile_tree(10).node(4, 0)
