"""Trees that give any earlier root and any proof; one is whole in memory (64 bytes a leaf), for auditors and tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice

from rsc_share.errors import LocalError
from rsc_share.log.merkle import HASH_SIZE, fold

ROOTS = 4_096
"""Roots of earlier sizes that a tree in memory keeps."""
TOGETHER = 4_096
"""Leaves that are added at a time: so many are in memory twice."""
_PAIR = 2 * HASH_SIZE


class HashTree(ABC):
    """Roots and proofs of an RFC 6962 tree from its complete subtrees, wherever those are kept.

    Complete subtrees never change, so every earlier size can be asked for. Asking outside raises `LocalError`.
    """

    __slots__ = ("_size",)

    _size: int

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @abstractmethod
    def node(self, level: int, index: int) -> bytes:
        """Root of the complete subtree of leaves [index * 2^level, (index + 1) * 2^level)."""

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` leaves (default: all); `EMPTY_ROOT` for none."""
        return self._fold(0, self._size_or_all(size))

    def edge(self, size: int | None = None) -> tuple[bytes, ...]:
        """Complete subtrees of the first `size` leaves, largest first: what `CompactRange.from_edge` takes."""
        return tuple(self._nodes(0, self._size_or_all(size)))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Proof that leaf `index` is in the tree of `size`, for `proofs.verify_inclusion`."""
        end = self._size_or_all(size)
        if not 0 <= index < end:
            raise LocalError(f"no leaf {index} in a tree of size {end}")
        return self._path(0, index, end)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Proof that the tree of `new` extends that of `old`, for `proofs.verify_extension`; empty from 0."""
        end = self._size_or_all(new)
        if not 0 <= old <= end:
            raise LocalError(f"no consistency proof from size {old} to size {end}")
        if old in (0, end):
            return []
        # The last complete node that ends exactly at `old`; the verifier knows it already where it is the whole tree.
        level = (old & -old).bit_length() - 1
        index = (old >> level) - 1
        start = [self.node(level, index)] if index else []
        return start + self._path(level, index, end)

    def _size_or_all(self, size: int | None) -> int:
        if size is None:
            return self._size
        if not 0 <= size <= self._size:
            raise LocalError(f"a tree of {self._size} leaves has no size {size}")
        return size

    def _path(self, level: int, index: int, end: int) -> list[bytes]:
        """Siblings from node (level, index) up to the root of the first `end` leaves."""
        found = []
        last = (end - 1) >> level
        while last:
            if index & 1:
                found.append(self.node(level, index - 1))
            elif index < last:
                found.append(self._fold((index + 1) << level, min((index + 2) << level, end)))
            level, index, last = level + 1, index >> 1, last >> 1
        return found

    def _fold(self, start: int, end: int) -> bytes:
        return fold(self._nodes(start, end))

    def _nodes(self, start: int, end: int) -> Iterator[bytes]:
        """Complete subtrees of leaves [start, end), where `start` is a multiple of a power of two >= the length."""
        while start < end:
            level = (end - start).bit_length() - 1
            yield self.node(level, start >> level)
            start += 1 << level


class MemoryTree(HashTree):
    """Append-only tree over leaf hashes, all of it in memory.

    Level L holds, end to end in one bytearray, the roots of all complete subtrees of 2^L leaves.
    """

    __slots__ = ("_levels", "_roots")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self._roots: dict[int, bytes] = {}
        self._size = 0
        self.extend(leaves)

    @classmethod
    def of_row(cls, row: bytes | bytearray) -> MemoryTree:
        """The tree over leaf hashes that stand end to end, as `row` gives them."""
        if len(row) % HASH_SIZE:
            raise LocalError(f"{len(row)} bytes are no row of hashes")
        made = cls()
        made._grow(row)
        return made

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes)."""
        if len(leaf) != HASH_SIZE:
            raise LocalError(f"a leaf hash is 32 bytes, not {len(leaf)}")
        levels = self._levels
        levels[0] += leaf
        level, size = 0, self._size
        self._size = size + 1
        while size & 1:
            parent = sha256(b"\x01" + levels[level][-64:]).digest()
            level += 1
            size >>= 1
            if level == len(levels):
                levels.append(bytearray())
            levels[level] += parent

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order, thousands at a time: level by level they cost half of what each costs alone."""
        source = iter(leaves)
        while some := list(islice(source, TOGETHER)):
            for leaf in some:
                if len(leaf) != HASH_SIZE:
                    raise LocalError(f"a leaf hash is 32 bytes, not {len(leaf)}")
            self._grow(b"".join(some))

    def _grow(self, row: bytes | bytearray) -> None:
        """Add leaf hashes that stand end to end, then to every level the parents of the new pairs of the one below."""
        levels, level = self._levels, 0
        levels[0] += row
        self._size += len(row) // HASH_SIZE
        while self._size >> level + 1:
            if level + 1 == len(levels):
                levels.append(bytearray())
            below, above = levels[level], levels[level + 1]
            pairs = range(2 * len(above), len(below) // _PAIR * _PAIR, _PAIR)
            above += b"".join([sha256(b"\x01" + below[at : at + _PAIR]).digest() for at in pairs])
            level += 1

    def root(self, size: int | None = None) -> bytes:
        """As of every tree. The sizes asked for lately are remembered: each entry names the one its sender saw."""
        found = None if size is None else self._roots.get(size)
        if found is None:
            end = self._size_or_all(size)
            if len(self._roots) >= ROOTS:
                self._roots.clear()
            found = self._roots[end] = super().root(end)
        return found

    def find_root(self, size: int) -> bytes | None:
        """As `root` of a size; None for one the tree does not have."""
        found = self._roots.get(size)
        return found if found is not None or not 0 <= size <= self._size else self.root(size)

    def node(self, level: int, index: int) -> bytes:
        """Root of the complete subtree of leaves [index * 2^level, (index + 1) * 2^level)."""
        if not 0 <= level < len(self._levels) or not 0 <= index < len(self._levels[level]) // HASH_SIZE:
            raise LocalError(f"no complete node ({level}, {index}) in a tree of size {self._size}")
        return bytes(self._levels[level][index * HASH_SIZE : (index + 1) * HASH_SIZE])

    def row(self, level: int, start: int, count: int) -> bytes:
        """`count` complete nodes of a level from index `start`, end to end: the content of a tile."""
        have = len(self._levels[level]) // HASH_SIZE if 0 <= level < len(self._levels) else 0
        if start < 0 or count < 0 or start + count > have:
            raise LocalError(f"no complete nodes {start} to {start + count} at level {level}, size {self._size}")
        return bytes(self._levels[level][start * HASH_SIZE : (start + count) * HASH_SIZE]) if count else b""

    def leaf(self, index: int) -> bytes:
        """Leaf hash at `index`."""
        return self.node(0, index)

    def copy(self) -> MemoryTree:
        """An independent copy, to try a batch on before it is committed."""
        made = MemoryTree()
        made._size, made._levels = self._size, [row[:] for row in self._levels]
        return made
