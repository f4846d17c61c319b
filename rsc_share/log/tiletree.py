"""A tree of which only the right edge is in memory: full tiles of 256 hashes come from wherever they are kept.

The tiles are those of https://c2sp.org/tlog-tiles: tile `n` of level `t` holds complete subtrees of 256^t leaves. Full
tiles never change; the last tile of each level grows, and is here. Memory stays the same whatever the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rsc_share.errors import RemoteError
from rsc_share.log.merkle import HASH_SIZE
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tree import HashTree, MemoryTree
from rsc_share.recent import Recent

HEIGHT = 8
"""Levels of the tree in one tile."""

Place = tuple[int, int]
"""Level and index of a tile."""
FullTile = Callable[[Place], MemoryTree]
"""The 256 hashes of a full tile, as the small tree they make."""
TileCache = Recent[Place, MemoryTree]
"""The full tiles used last, some 17 KiB each."""


def read_tile(hashes: bytes) -> MemoryTree:
    """The small tree over the hashes of one tile. Raises `RemoteError` unless these are 0 to 256 whole hashes."""
    if len(hashes) % HASH_SIZE or len(hashes) > WIDTH * HASH_SIZE:
        raise RemoteError(f"{len(hashes)} bytes are no tile", where="tile")
    return MemoryTree.of_row(hashes)


def edge_widths(size: int) -> list[int]:
    """How many hashes the last tile of each level has in a tree of `size`; may be 0 below the highest level."""
    widths = []
    while size:
        widths.append(size % WIDTH)
        size >>= HEIGHT
    return widths


class TileTree(HashTree):
    """Append-only. `full` is asked for tiles that are not at the edge; what it raises passes through."""

    __slots__ = ("_edge", "_full")

    def __init__(self, full: FullTile, size: int = 0, edge: Iterable[MemoryTree] = ()) -> None:
        """`edge`: the last tile of each level, lowest first. Raises `RemoteError` where it does not fit `size`."""
        self._full, self._size, self._edge = full, size, list(edge)
        if [tile.size for tile in self._edge] != edge_widths(size):
            raise RemoteError(f"these tiles are not the edge of a tree of size {size}", where="edge")

    def copy(self) -> TileTree:
        """An independent copy, to try a batch on before it is committed."""
        return TileTree(self._full, self._size, (tile.copy() for tile in self._edge))

    def extend(self, leaves: Iterable[bytes]) -> dict[Place, MemoryTree]:
        """Add leaf hashes in order; every tile that has grown, as it is afterwards."""
        touched: dict[Place, MemoryTree] = {}
        for leaf in leaves:
            self._add(0, self._size, leaf, touched)
            self._size += 1
        return touched

    def _add(self, level: int, index: int, node: bytes, touched: dict[Place, MemoryTree]) -> None:
        if level == len(self._edge):
            self._edge.append(MemoryTree())
        tile = self._edge[level]
        tile.append(node)
        touched[level, index >> HEIGHT] = tile
        if tile.size == WIDTH:
            self._edge[level] = MemoryTree()
            self._add(level + 1, index >> HEIGHT, tile.root(), touched)

    def tile(self, place: Place) -> MemoryTree:
        """The tile at `place`, as wide as it is now; empty beyond the edge."""
        level, index = place
        last = self._size >> HEIGHT * (level + 1)
        if index < last:
            return self._full(place)
        return self._edge[level] if index == last and level < len(self._edge) else MemoryTree()

    def node(self, level: int, index: int) -> bytes:
        """Root of a complete subtree. `LocalError` where there is none."""
        tile_level, inner = divmod(level, HEIGHT)
        shift = HEIGHT - inner
        tile = self.tile((tile_level, index >> shift))
        return tile.node(inner, index & ((1 << shift) - 1))
