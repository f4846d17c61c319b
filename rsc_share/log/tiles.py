"""Tiles and entry bundles: https://c2sp.org/tlog-tiles. The layout an exported log has on disk and a relay serves.

    tile/<level>/<n>[.p/<width>]     up to 256 hashes; level 0 holds leaf hashes, level L+1 roots of full tiles of L
    tile/entries/<n>[.p/<width>]     up to 256 entries, each after its length as two bytes

For one size of the log the set of files is fixed: `expected_paths` names it, so what is missing or extra shows. Write
order for whoever writes files: bundles, tiles, synced, and the checkpoint last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from rsc_share.errors import LocalError, RemoteError, StorageError
from rsc_share.log.merkle import HASH_SIZE, MAX_SIZE, leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.shape import wrong

WIDTH = 256
_HEIGHT = 8
MAX_LEVEL = 63
MAX_ENTRY = 65_535
MAX_TILE = WIDTH * HASH_SIZE
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)

_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

Read = Callable[[str, int], bytes | None]
"""`read(path, limit)`: the bytes under `path`, None where there are none; `limit` + 1 bytes of it are enough."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Tile `index` of `level` (None: entry bundle), `width` of 256 wide. Raises `LocalError` for what cannot be one."""

    level: int | None
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        level_fits = self.level is None or 0 <= self.level <= MAX_LEVEL
        if not level_fits or not 0 <= self.index <= MAX_SIZE or not 0 < self.width <= WIDTH:
            raise LocalError(f"no tile has level {self.level}, index {self.index} and width {self.width}")

    @property
    def path(self) -> str:
        """`tile/0/x001/x234/067.p/8`: groups of three digits, so that no file is also a folder."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
        kind = "entries" if self.level is None else str(self.level)
        return f"tile/{kind}/{name}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> Tile:
        """The tile whose path is exactly `path`; else `RemoteError`."""
        found = _PATH.fullmatch(path)
        if not found:
            raise wrong("path", "is not that of a tile or entry bundle")
        kind, name, width = found.groups()
        index = int(name.replace("/", "").replace("x", ""))
        level = None if kind == "entries" else int(kind)
        if index > MAX_SIZE or (level or 0) > MAX_LEVEL or int(width or 1) >= WIDTH:
            raise wrong("path", "is outside what a log can have")
        tile = cls(level, index, int(width or WIDTH))
        if tile.path != path:
            raise wrong("path", "is not the one spelling of its tile")
        return tile


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Path of a tile of hashes."""
    return Tile(level, index, width).path


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Path of an entry bundle."""
    return Tile(None, index, width).path


def _row_of(level: int | None, size: int) -> Iterator[Tile]:
    """The tiles of one level for a log of `size`: the full ones, then the partial one if it is not empty."""
    nodes = size >> (_HEIGHT * (level or 0))
    for index in range(nodes // WIDTH):
        yield Tile(level, index)
    if nodes % WIDTH:
        yield Tile(level, nodes // WIDTH, nodes % WIDTH)


def bundles_of(size: int) -> Iterator[Tile]:
    """Entry bundles of a log of `size`, in order."""
    return _row_of(None, size)


def tiles_of(size: int) -> Iterator[Tile]:
    """Tiles of hashes of a log of `size`, level by level; only the partial tiles of that very size."""
    level = 0
    while size >> (_HEIGHT * level):
        yield from _row_of(level, size)
        level += 1


def expected_paths(size: int) -> Iterator[str]:
    """Every file a log of `size` has besides its checkpoint: one less is missing, one more is extra."""
    for tile in bundles_of(size):
        yield tile.path
    for tile in tiles_of(size):
        yield tile.path


def tile_data(tree: MemoryTree, tile: Tile) -> bytes:
    """What a tile of hashes holds, by the tree. `LocalError` where the tree has no such nodes, or for a bundle."""
    if tile.level is None:
        raise LocalError("an entry bundle does not follow from the tree")
    return tree.row(_HEIGHT * tile.level, tile.index * WIDTH, tile.width)


def pack_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries with their two-byte lengths. `LocalError` over 65,535 bytes an entry."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise LocalError(f"an entry of {len(entry)} bytes; a log takes at most {MAX_ENTRY}")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def read_bundle(data: bytes, width: int, where: str = "entry bundle") -> list[bytes]:
    """Exactly `width` entries and nothing after them; else `RemoteError` (`malformed`)."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data):
            raise wrong(where, f"ends within entry {len(entries)} of {width}")
        entries.append(data[start:at])
    if at != len(data):
        raise wrong(where, f"goes on after its {width} entries")
    return entries


def export_log(tree: MemoryTree, entries: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """All files of a log but its checkpoint, bundles first. Takes entries one bundle at a time.

    Raises `StorageError` where the entries are not those of the tree: a mismatch is a stop, never a repair.
    """
    source = iter(entries)
    for tile in bundles_of(tree.size):
        batch = list(islice(source, tile.width))
        first = tile.index * WIDTH
        if b"".join(map(leaf_hash, batch)) != tree.row(0, first, tile.width):
            raise StorageError(f"entries {first} to {first + tile.width} are not those of the tree", code="wrong-entry")
        yield tile.path, pack_bundle(batch)
    if next(source, None) is not None:
        raise StorageError(f"there are more entries than the {tree.size} of the tree", code="wrong-entry")
    for tile in tiles_of(tree.size):
        yield tile.path, tile_data(tree, tile)


def read_entries(size: int, read: Read, start: int = 0) -> Iterator[bytes]:
    """Entries `start` to `size` of an export, one bundle in memory at a time. They are not verified.

    Raises `RemoteError`: `missing` or `malformed`, with the path in it.
    """
    if not 0 <= start <= size:
        raise LocalError(f"cannot read from entry {start} of a log of size {size}")
    for tile in bundles_of(size):
        first = tile.index * WIDTH
        if first + tile.width > start:
            entries = read_bundle(_file(read, tile.path, MAX_BUNDLE), tile.width, tile.path)
            yield from entries[max(start - first, 0) :]


def damaged_tiles(tree: MemoryTree, read: Read) -> Iterator[tuple[str, str]]:
    """(path, reason) of every tile of hashes that is missing or does not follow from the leaves in `tree`."""
    for tile in tiles_of(tree.size):
        found = read(tile.path, MAX_TILE)
        if found != tile_data(tree, tile):
            yield tile.path, "is missing" if found is None else "does not follow from the entries"


def verify_log(size: int, root: bytes, read: Read) -> MemoryTree:
    """Recompute a whole export from its entries: every tile and the root. The tree it really has.

    `size` and `root` are those of a checkpoint already verified. Raises `RemoteError`: `missing`, `malformed`,
    `bad-tile`, or `bad-root`.
    """
    tree = MemoryTree(leaf_hash(entry) for entry in read_entries(size, read))
    for path, reason in damaged_tiles(tree, read):
        raise RemoteError(f"{path} {reason}", code="bad-tile", path=path)
    if tree.root() != root:
        raise RemoteError(f"the {size} entries do not hash to the root of the checkpoint", code="bad-root")
    return tree


def _file(read: Read, path: str, limit: int) -> bytes:
    data = read(path, limit)
    if data is None:
        raise RemoteError(f"{path} is missing", code="missing", path=path)
    if len(data) > limit:
        raise RemoteError(f"{path} is longer than {limit} bytes", path=path)
    return data
