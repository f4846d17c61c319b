"""Inclusion and consistency proofs: verifiers of RFC 9162 sections 2.1.3.2 and 2.1.4.2, and whole small trees.

Every check raises `RemoteError` with code `bad-proof`. A proof is a sequence of 32-byte hashes, leaf side first.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE

MAX_PROOF = 63
"""No tree within `MAX_SIZE` needs more hashes for inclusion; C2SP tlog-witness allows a consistency proof no more."""


def _bad(what: str) -> RemoteError:
    return RemoteError(what, code="bad-proof")


def _check_hashes(proof: Sequence[bytes], *others: bytes) -> None:
    # A hash of another length would shift the border between left and right inside the hashed bytes.
    if len(proof) > MAX_PROOF:
        raise _bad(f"a proof of {len(proof)} hashes; no tree needs more than {MAX_PROOF}")
    for node in (*proof, *others):
        if len(node) != HASH_SIZE:
            raise _bad(f"a hash of {len(node)} bytes in a proof")


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root an inclusion proof leads to, for leaf hash `leaf` at `index` of `size`.

    The result is worth something only once compared with, or signed as, a root; `size` must come from the same
    authenticated place, since one path leads to the same root under many sizes.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise _bad(f"index {index} is outside a tree of size {size}")
    if size == 1 and not path and len(leaf) == HASH_SIZE:
        return leaf
    _check_hashes(path, leaf)
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise _bad("proof is too long for the tree")
        if node & 1 or node == last:
            root = sha256(b"\x01" + sibling + root).digest()
            while not node & 1 and node:  # levels on which the right edge has no sibling
                node >>= 1
                last >>= 1
        else:
            root = sha256(b"\x01" + root + sibling).digest()
        node >>= 1
        last >>= 1
    if last:
        raise _bad("proof is too short for the tree")
    return root


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Leaf hash `leaf` stands at `index` in the tree of `size` and `root`, or `RemoteError` (`bad-proof`)."""
    if root_from_path(leaf, index, size, proof) != root:
        raise _bad(f"inclusion proof of index {index} does not lead to the root of size {size}")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """The tree (`new`, `new_root`) extends the tree (`old`, `old_root`), or `RemoteError` (`bad-proof`).

    Refuses `old` = 0, as RFC 9162 and golang.org/x/mod/sumdb/tlog do: nothing is proved about an empty tree. Where
    growth from an empty tree is legal (a witness, a fresh reader) call `verify_extension`.
    """
    if not 0 < old <= new <= MAX_SIZE:
        raise _bad(f"no consistency proof leads from size {old} to size {new}")
    if old == new:  # nothing is hashed: the same bytes are the same tree, whatever they are
        if proof or old_root != new_root:
            raise _bad(f"two different trees of size {old}" if old_root != new_root else "proof between equal sizes")
        return
    _check_hashes(proof, old_root)
    before, after = _roots_from_proof(old, new, old_root, proof)
    if before != old_root or after != new_root:
        which = "old" if before != old_root else "new"
        raise _bad(f"consistency proof from {old} to {new} does not lead to the {which} root")


def _roots_from_proof(old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots a proof leads to, 0 < old < new. A power of two is itself a node: its hash is not repeated."""
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise _bad("proof is empty")
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            raise _bad("proof is too long for the tree")
        if node & 1 or node == last:
            before = sha256(b"\x01" + sibling + before).digest()
            after = sha256(b"\x01" + sibling + after).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            after = sha256(b"\x01" + after + sibling).digest()
        node >>= 1
        last >>= 1
    if last:
        raise _bad("proof is too short for the tree")
    return before, after


def verify_extension(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """`verify_consistency`, and C2SP tlog-witness's rule for `old` = 0: an empty proof, from the empty root only."""
    if old:
        verify_consistency(old, new, old_root, new_root, proof)
        return
    if not 0 <= new <= MAX_SIZE:
        raise _bad(f"no tree has size {new}")
    _check_hashes(proof, old_root, new_root)
    if proof:
        raise _bad("a proof from size 0 must be empty")
    if old_root != EMPTY_ROOT or (new == 0 and new_root != EMPTY_ROOT):
        raise _bad("the root of an empty tree is SHA-256 of nothing")


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, such as a batch of headers or the chunks of a body; `EMPTY_ROOT` for none."""
    return _rows(leaves)[-1][0] if leaves else EMPTY_ROOT


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Inclusion proof of `leaves[index]`. Raises `LocalError` outside the list. For all of them: `paths`."""
    if not 0 <= index < len(leaves):
        raise LocalError(f"no leaf {index} among {len(leaves)}")
    return _path(_rows(leaves), index)


def paths(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Inclusion proofs of every leaf, hashing each node once: what a sender needs for one signed batch."""
    rows = _rows(leaves)
    return [_path(rows, index) for index in range(len(leaves))]


def _path(rows: list[list[bytes]], index: int) -> list[bytes]:
    return [row[s] for level, row in enumerate(rows[:-1]) if (s := (index >> level) ^ 1) < len(row)]


def _rows(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels, leaves first. An odd last node moves up unhashed, which is what RFC 6962's split comes to."""
    row = list(leaves)
    if any(len(leaf) != HASH_SIZE for leaf in row):
        raise LocalError("a leaf hash is 32 bytes")
    rows = [row]
    while len(row) > 1:
        odd = row[-1:] if len(row) & 1 else []
        row = [sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)] + odd
        rows.append(row)
    return rows
