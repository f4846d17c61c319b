"""The tree a log really has: recomputed from every entry, compared with every tile and with the signed root.

Where entries and tiles disagree, the root that the log signed says which of them was altered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rsc_share.audit import layout
from rsc_share.audit.besides import read_view
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.load import Export
from rsc_share.audit.log_files import LogFiles
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import HASH_SIZE, leaf_hash, leaf_hashes
from rsc_share.log.tiles import MAX_BUNDLE, WIDTH, Tile, bundles_of, expected_paths, read_bundle, tile_data, tiles_of
from rsc_share.log.tree import MemoryTree

_KEPT = 8
"""Bundles in memory at a time; references go back, seldom far."""


Bundle = Sequence[bytes | None]
"""Entries that lie in one file, in their order; None for one that is not in this view."""


class Entries:
    """A log's entries as they lie in the export, a bundle at a time. Nothing about them is verified."""

    __slots__ = ("_cached", "_export", "_log", "damaged", "size", "view")

    def __init__(self, export: Export, log: LogFiles, view: bool) -> None:
        self._export, self._log, self.view = export, log, view
        self.size = log.checkpoint.size
        self._cached: OrderedDict[int, Bundle] = OrderedDict()
        self.damaged: dict[str, str] = {}
        """Paths that could not be read, with the reason."""

    @property
    def origin(self) -> str:
        return self._log.checkpoint.origin

    def get(self, index: int) -> bytes | None:
        """The entry, or None where it is not in this view or cannot be read."""
        found, offset = self.bundle(index // WIDTH), index % WIDTH
        return found[offset] if offset < len(found) else None

    def bundle(self, number: int) -> Bundle:
        """Entries `256 * number` and those after it, as far as there are any; nothing where the file cannot be read."""
        found = self._cached.get(number)
        if found is None:
            found = self._cached[number] = self._read(number)
            if len(self._cached) > _KEPT:
                self._cached.popitem(last=False)
        return found

    def path(self, number: int) -> str:
        if self.view:
            return layout.view_file(self._log.folder, number)
        width = min(WIDTH, self.size - number * WIDTH)
        return layout.log_file(self._log.folder, Tile(None, number, width).path)

    def _read(self, number: int) -> Bundle:
        path = self.path(number)
        try:
            data = self._export.read(path, layout.MAX_VIEW if self.view else MAX_BUNDLE)
            if data is None:
                if not self.view:
                    self.damaged[path] = "is missing"
                return ()
            if self.view:
                return self._within(path, number, read_view(data, number))
            return read_bundle(data, min(WIDTH, self.size - number * WIDTH), path)
        except RemoteError as error:
            self.damaged[path] = f"cannot be read: {error.what}"
            return ()

    def _within(self, path: str, number: int, found: dict[int, bytes]) -> Bundle:
        if any(index >= self.size for index in found):
            self.damaged[path] = f"holds entries beyond the {self.size} of the log"
        first = number * WIDTH
        return [found.get(index) for index in range(first, min(first + WIDTH, self.size))]


@dataclass(frozen=True, slots=True)
class LogTree:
    """`tree` is None where nothing here has the signed root. `altered`: entries that are not the leaves of the tree."""

    tree: MemoryTree | None
    altered: frozenset[int]
    findings: tuple[Finding, ...]


def recompute(export: Export, log: LogFiles, entries: Entries) -> LogTree:
    """Recompute one log and compare. Every file of the log's folder that is not as it should be is a finding."""
    findings = list(_strangers(export, log, entries))
    tiles = _tile_leaves(export, log)
    leaves, altered = _leaves(entries, tiles)
    tree = _matching(log, leaves) or _matching(log, tiles)
    findings += [file_finding(path, what, "an entry bundle") for path, what in sorted(entries.damaged.items())]
    origin, size = log.checkpoint.origin, log.checkpoint.size
    if tree is None:
        what = f"the {size} entries of {origin} do not hash to the root of its checkpoint"
        evidence = {"size": size, "signed root": log.checkpoint.root}
        findings.append(Finding(Grade.INTEGRITY, "root", what, log=origin, evidence=evidence))
        return LogTree(None, altered, tuple(findings))
    findings += _damaged_tiles(export, log, tree)
    wrong = frozenset(i for i in altered if _leaf_of(entries, i) != tree.leaf(i))
    findings += [_altered(origin, index) for index in sorted(wrong)]
    return LogTree(tree, wrong, tuple(findings))


def _altered(origin: str, index: int) -> Finding:
    what = f"entry {index} of {origin} is not the entry its log signed"
    return Finding(Grade.INTEGRITY, "entry-altered", what, log=origin, index=index)


def _leaf_of(entries: Entries, index: int) -> bytes | None:
    raw = entries.get(index)
    return None if raw is None else leaf_hash(raw)


def _tile_leaves(export: Export, log: LogFiles) -> bytes:
    """Level 0, end to end; zeros where a tile is missing or of a wrong length."""
    found = bytearray()
    for tile in tiles_of(log.checkpoint.size):
        if tile.level != 0:
            break
        data = _tile(export, log, tile)
        found += data if data is not None and len(data) == tile.width * HASH_SIZE else bytes(tile.width * HASH_SIZE)
    return bytes(found)


def _tile(export: Export, log: LogFiles, tile: Tile) -> bytes | None:
    return export.files.read(layout.log_file(log.folder, tile.path), WIDTH * HASH_SIZE)


def _leaves(entries: Entries, tiles: bytes) -> tuple[bytes, frozenset[int]]:
    """Leaf hashes by the entries, by the tiles where there is no entry; and where the two differ."""
    leaves, altered = bytearray(tiles), set()
    for tile in bundles_of(entries.size):
        found, first = entries.bundle(tile.index), tile.index * WIDTH
        here = [offset for offset, raw in enumerate(found) if raw is not None]
        hashes = leaf_hashes(raw for raw in found if raw is not None)
        start = first * HASH_SIZE
        if len(here) == tile.width and tiles[start : start + tile.width * HASH_SIZE] == b"".join(hashes):
            continue
        for offset, leaf in zip(here, hashes, strict=True):
            at = start + offset * HASH_SIZE
            if tiles[at : at + HASH_SIZE] != leaf:
                altered.add(first + offset)
                leaves[at : at + HASH_SIZE] = leaf
    return bytes(leaves), frozenset(altered)


def _matching(log: LogFiles, leaves: bytes) -> MemoryTree | None:
    tree = MemoryTree(leaves[at : at + HASH_SIZE] for at in range(0, len(leaves), HASH_SIZE))
    return tree if tree.root() == log.checkpoint.root else None


def _damaged_tiles(export: Export, log: LogFiles, tree: MemoryTree) -> Iterator[Finding]:
    for tile in tiles_of(tree.size):
        if _tile(export, log, tile) != tile_data(tree, tile):
            yield file_finding(layout.log_file(log.folder, tile.path), "is not the tile of this log", "its tile")


def _strangers(export: Export, log: LogFiles, entries: Entries) -> Iterator[Finding]:
    """Files in the log's folder that a log of this size does not have."""
    prefix = f"{layout.EXPORT}logs/{log.folder}/"
    expected = {f"{prefix}{path}" for path in expected_paths(entries.size)}
    if entries.view:
        expected = {path for path in expected if not path.startswith(f"{prefix}tile/entries/")}
        expected |= {layout.view_file(log.folder, tile.index) for tile in bundles_of(entries.size)}
    expected |= {f"{prefix}checkpoint", f"{prefix}vkeys"}
    for path in layout.below(export.paths, prefix):
        if path not in expected:
            yield file_finding(path, f"does not belong to a log of {entries.size} entries", "no such file")
