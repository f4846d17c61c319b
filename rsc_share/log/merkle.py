"""Merkle tree hashing of RFC 6962 section 2.1, and the right edge a log needs in order to grow.

A leaf is hashed with a 0x00 prefix and an inner node with 0x01, so that no node can be passed off as an entry. A tree
of n leaves splits at the largest power of two below n. All hashes are SHA-256: 32 raw bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from rsc_share.errors import LocalError, RemoteError

HASH_SIZE = 32
MAX_SIZE = (1 << 63) - 1
"""Largest tree size C2SP tlog-cosignature allows; also bounds every proof to 63 hashes."""
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right). Both must be 32 bytes: other lengths would let one hash have two readings."""
    return sha256(b"\x01" + left + right).digest()


def fold(edge: Iterable[bytes]) -> bytes:
    """Root over complete subtrees of strictly falling size, largest first; `EMPTY_ROOT` for none."""
    root = b""
    for node in reversed(tuple(edge)):
        root = node_hash(node, root) if root else node
    return root or EMPTY_ROOT


class CompactRange:
    """The right edge of a growing tree: one hash for each one-bit of its size, largest subtree first.

    Enough to append and to compute the root, in at most 63 hashes whatever the size.
    """

    __slots__ = ("_edge", "_size")

    def __init__(self) -> None:
        self._edge: list[bytes] = []
        self._size = 0

    @classmethod
    def from_edge(cls, size: int, edge: Iterable[bytes]) -> CompactRange:
        """The range another one's `size` and `edge` describe. Raises `RemoteError` where they do not fit together.

        The hashes themselves prove nothing: compare `root()` with a root you trust.
        """
        nodes = list(edge)
        if not 0 <= size <= MAX_SIZE or len(nodes) != size.bit_count():
            raise RemoteError(f"{len(nodes)} edge hashes do not make a tree of size {size}", where="edge")
        if any(len(node) != HASH_SIZE for node in nodes):
            raise RemoteError("an edge hash is not 32 bytes", where="edge")
        made = cls()
        made._size, made._edge = size, nodes
        return made

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def edge(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, largest first."""
        return tuple(self._edge)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash. Raises `LocalError` if it is not 32 bytes."""
        if len(leaf) != HASH_SIZE:
            raise LocalError(f"a leaf hash is 32 bytes, not {len(leaf)}")
        edge = self._edge
        size = self._size
        self._size = size + 1
        while size & 1:  # a full subtree of this height stands at the edge: merge, as in adding one in binary
            leaf = sha256(b"\x01" + edge.pop() + leaf).digest()
            size >>= 1
        edge.append(leaf)

    def root(self) -> bytes:
        """Root of the tree so far; `EMPTY_ROOT` at size 0."""
        return fold(self._edge)

    def copy(self) -> CompactRange:
        """An independent copy, to try a batch on before it is committed."""
        made = CompactRange()
        made._size, made._edge = self._size, self._edge.copy()
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompactRange):
            return NotImplemented
        return self._size == other._size and self._edge == other._edge

    def __repr__(self) -> str:
        return f"CompactRange(size={self._size}, root={self.root().hex()[:16]})"
