"""One log's tree as its relay uses it: the right edge in memory, full tiles from the store, the ones used last kept.

Neither memory nor the time of a start grows with the log. Nearly everything a relay is asked for lies at the edge (the
receipts of a commit, a witness one round behind) and needs no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from rsc_share.errors import RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import HEIGHT, Place, TileCache, TileTree, edge_widths, read_tile
from rsc_share.log.tree import MemoryTree
from rsc_share.recent import Recent
from rsc_share.relay.store.protocol import Broken, Head, LogStore

T = TypeVar("T")

TILES = 32
"""Full tiles kept in memory for each log: half a megabyte."""
ROOTS = 4_096
"""Roots of earlier sizes kept in memory: senders name the checkpoint they saw, and most saw the same few."""
PROOFS = 16
"""Consistency proofs kept in memory: all witnesses of a log are offered the same tree, and most come from the same."""
RECHECK = 1_024
"""Entries at the end of a log that a start hashes again."""


class _Absent(Exception):
    """A full tile that is not in memory."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


class LogTree:
    """Made by `LogTree.open`. Sizes and indices outside the tree raise `LocalError`, a missing tile `Broken`."""

    def __init__(self, store: LogStore, origin: str, size: int, edge: Iterable[MemoryTree]) -> None:
        self._store, self._origin = store, origin
        self._cache, self._held = TileCache(TILES), dict[Place, MemoryTree]()
        self._roots = Recent[int, bytes](ROOTS)
        self._proofs = Recent[tuple[int, int], list[bytes]](PROOFS)
        self._tree = TileTree(self._full, size, edge)

    @classmethod
    async def open(cls, store: LogStore, origin: str, head: Head) -> LogTree:
        """The tree of a stored log. Raises `Broken` where its last tiles do not make `head`."""
        try:
            edge = [
                read_tile(await store.tile(origin, level, head.size >> HEIGHT * (level + 1)))
                for level in range(len(edge_widths(head.size)))
            ]
            tree = cls(store, origin, head.size, edge)
        except RemoteError as error:
            raise Broken(f"the last tiles of {origin} do not fit its size: {error.what}", log=origin) from None
        if (tree._tree.root(), tree._tree.edge()) != (head.root, head.edge):
            raise Broken(f"the tiles of {origin} do not make its head", log=origin)
        await tree._recheck()
        return tree

    async def _recheck(self) -> None:
        """The newest entries against their tiles, and these against the tiles above."""
        size = self._tree.size
        start = max(0, size - RECHECK) // WIDTH * WIDTH
        leaves = MemoryTree()
        async for stored in self._store.read(self._origin, start, size, max_bytes=1 << 62):
            leaves.append(leaf_hash(stored.entry))
        for first in range(start, size, WIDTH):
            width = min(WIDTH, size - first)
            tile = await self._computed(lambda first=first: self._tree.tile((0, first // WIDTH)))  # type: ignore[misc]
            same = leaves.size >= first - start + width and leaves.row(0, first - start, width) == tile.row(0, 0, width)
            if not same or (width == WIDTH and tile.root() != await self._node(HEIGHT, first // WIDTH)):
                raise Broken(f"the entries of {self._origin} do not make its head", log=self._origin, index=first)

    async def _node(self, level: int, index: int) -> bytes:
        return await self._computed(lambda: self._tree.node(level, index))

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._tree.size

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add the leaf hashes of a batch that is stored."""
        for place, tile in self._tree.extend(leaves).items():
            if tile.size == WIDTH:
                self._cache.keep(place, tile)
        self._roots.keep(self._tree.size, self._tree.root())

    async def root(self, size: int) -> bytes:
        """Root of the first `size` leaves."""
        found = self._roots.get(size)
        if found is None:
            found = await self._computed(lambda: self._tree.root(size))
            self._roots.keep(size, found)
        return found

    async def roots(self, sizes: Iterable[int]) -> Mapping[int, bytes]:
        """Roots of all these sizes that this tree has."""
        return {size: await self.root(size) for size in set(sizes) if 0 <= size <= self.size}

    def root_in_memory(self, size: int) -> bytes:
        """Root of a size near the edge, or of one that was asked for. Raises `Broken` where it takes the disk."""
        try:
            return self._roots.get(size) or self._tree.root(size)
        except _Absent:
            raise Broken(f"the tree of {self._origin} at {size} is not in memory", log=self._origin) from None

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that leaf `index` is in the tree of `size`."""
        return await self._computed(lambda: self._tree.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree of `new` extends that of `old`."""
        found = self._proofs.get((old, new))
        if found is None:
            found = await self._computed(lambda: self._tree.consistency(old, new))
            self._proofs.keep((old, new), found)
        return found

    async def _computed(self, work: Callable[[], T]) -> T:
        """`work`, after fetching each tile it turns out to need. What it holds is not pushed out meanwhile."""
        held: dict[Place, MemoryTree] = {}
        while True:
            self._held = held  # nothing else runs until `work` is through
            try:
                return work()
            except _Absent as absent:
                place = absent.place
            finally:
                self._held = {}
            held[place] = await self._fetch(place)

    async def _fetch(self, place: Place) -> MemoryTree:
        try:
            tile = read_tile(await self._store.tile(self._origin, *place))
        except RemoteError:
            tile = MemoryTree()
        if tile.size != WIDTH:
            raise Broken(f"a tile of {self._origin} is missing", log=self._origin, level=place[0], index=place[1])
        self._cache.keep(place, tile)
        return tile

    def _full(self, place: Place) -> MemoryTree:
        found = self._held.get(place) or self._cache.get(place)
        if found is None:
            raise _Absent(place)
        return found
