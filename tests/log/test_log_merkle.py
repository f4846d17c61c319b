"""The fast trees against RFC 6962's recursive definition, and every proof against every damage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.errors import LocalError, RemoteError
from rsc_share.log import merkle, proofs
from rsc_share.log.merkle import EMPTY_ROOT, CompactRange, leaf_hash, node_hash
from rsc_share.log.tree import MemoryTree

LEAVES = [leaf_hash(b"leaf %d" % i) for i in range(140)]
SMALL = 36


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return [*slow_path(m, leaves[:k]), slow_root(leaves[k:])]
    return [*slow_path(m - k, leaves[k:]), slow_root(leaves[:k])]


def slow_consistency(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [slow_root(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return [*slow_consistency(m, leaves[:k], whole), slow_root(leaves[k:])]
    return [*slow_consistency(m - k, leaves[k:], False), slow_root(leaves[:k])]


def refused(check: Callable[..., None], *args: object) -> None:
    with pytest.raises(RemoteError) as caught:
        check(*args)
    assert caught.value.code == "bad-proof"


def test_hashes_of_the_rfc() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"a" * 32, b"b" * 32) == hashlib.sha256(b"\x01" + b"a" * 32 + b"b" * 32).digest()
    assert leaf_hash(b"x") != hashlib.sha256(b"x").digest()


def test_entry_cannot_pose_as_a_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


def test_every_small_tree_equals_the_reference() -> None:
    edge, tree = CompactRange(), MemoryTree()
    for size in range(len(LEAVES)):
        expected = slow_root(LEAVES[:size])
        assert edge.root() == tree.root() == proofs.tree_root(LEAVES[:size]) == expected
        assert edge.edge == tree.edge()
        assert CompactRange.from_edge(size, edge.edge) == edge
        edge.append(LEAVES[size])
        tree.append(LEAVES[size])
    assert all(tree.root(size) == slow_root(LEAVES[:size]) for size in range(tree.size + 1))
    fresh = MemoryTree(LEAVES)
    for known in (fresh, tree):
        assert [known.find_root(size) for size in range(tree.size + 1)] == [tree.root(n) for n in range(tree.size + 1)]
        assert (known.find_root(-1), known.find_root(tree.size + 1)) == (None, None)


@pytest.mark.parametrize("together", [1, 2, 3, 8, 4_096])
def test_leaves_added_some_at_a_time_are_the_tree_of_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("rsc_share.log.tree.TOGETHER", together)
    for first in range(12):
        for size in range(first, SMALL):
            tree, one_by_one = MemoryTree(LEAVES[:first]), MemoryTree()
            tree.extend(LEAVES[first:size])
            for leaf in LEAVES[:size]:
                one_by_one.append(leaf)
            assert tree._levels == one_by_one._levels == MemoryTree.of_row(b"".join(LEAVES[:size]))._levels
            assert (tree.size, tree.root()) == (size, slow_root(LEAVES[:size]))


def test_every_small_proof_equals_the_reference_and_verifies() -> None:
    tree = MemoryTree(LEAVES)
    for size in range(1, SMALL):
        leaves, root = LEAVES[:size], slow_root(LEAVES[:size])
        assert proofs.paths(leaves) == [proofs.path(leaves, i) for i in range(size)]
        for index in range(size):
            path = tree.inclusion(index, size)
            assert path == slow_path(index, leaves) == proofs.path(leaves, index)
            proofs.verify_inclusion(index, size, LEAVES[index], path, root)
        for old in range(1, size + 1):
            proof = tree.consistency(old, size)
            assert proof == slow_consistency(old, leaves)
            proofs.verify_consistency(old, size, slow_root(leaves[:old]), root, proof)


def test_inclusion_proof_fits_one_place_only() -> None:
    """No proof verifies for another leaf, index or (by number of hashes on the way) another shape of tree."""
    tree = MemoryTree(LEAVES)
    for size in range(1, 20):
        root = tree.root(size)
        for index in range(size):
            path = tree.inclusion(index, size)
            for other in range(size):
                if other != index:
                    refused(proofs.verify_inclusion, other, size, LEAVES[index], path, root)
                    refused(proofs.verify_inclusion, index, size, LEAVES[other], path, root)


def test_consistency_proof_fits_one_pair_of_trees_only() -> None:
    tree = MemoryTree(LEAVES)
    for new in range(1, 16):
        for old in range(1, new + 1):
            proof = tree.consistency(old, new)
            for wrong in range(1, 20):
                if wrong != old:
                    refused(proofs.verify_consistency, wrong, new, tree.root(old), tree.root(new), proof)
                    refused(proofs.verify_consistency, old, new, tree.root(wrong), tree.root(new), proof)
                if wrong != new:
                    refused(proofs.verify_consistency, old, new, tree.root(old), tree.root(wrong), proof)


@given(st.data())
def test_any_changed_byte_of_a_proof_fails(data: st.DataObject) -> None:
    tree = MemoryTree(LEAVES)
    size = data.draw(st.integers(2, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    for proof, check in (
        (
            tree.inclusion(index, size),
            lambda p: proofs.verify_inclusion(index, size, LEAVES[index], p, tree.root(size)),
        ),
        (
            tree.consistency(index or 1, size),
            lambda p: proofs.verify_consistency(index or 1, size, tree.root(index or 1), tree.root(size), p),
        ),
    ):
        check(proof)
        at, byte = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 31))
        changed = bytearray(proof[at])
        changed[byte] ^= bit
        refused(check, [*proof[:at], bytes(changed), *proof[at + 1 :]])
        refused(check, proof[:at] + proof[at + 1 :])
        refused(check, [*proof[:at], proof[at], *proof[at:]])
        refused(check, [*proof, bytes(32)])
        refused(check, [bytes(32), *proof])


def test_hashes_of_other_lengths_cannot_shift_the_border() -> None:
    tree = MemoryTree(LEAVES[:4])
    path = tree.inclusion(0)
    refused(proofs.verify_inclusion, 0, 4, LEAVES[0], [path[0] + b"\x00", path[1]], tree.root())
    refused(proofs.verify_inclusion, 0, 4, LEAVES[0][:31], path, tree.root())
    refused(proofs.verify_consistency, 3, 4, tree.root(3), tree.root(), [p[:-1] for p in tree.consistency(3)])


def test_sizes_outside_a_tree_are_refused() -> None:
    root = LEAVES[0]
    for index, size in ((0, 0), (1, 1), (-1, 1), (0, merkle.MAX_SIZE + 1)):
        refused(proofs.verify_inclusion, index, size, root, [], root)
    for old, new in ((2, 1), (-1, 1), (1, merkle.MAX_SIZE + 1)):
        refused(proofs.verify_consistency, old, new, root, root, [])
    refused(proofs.verify_inclusion, 0, merkle.MAX_SIZE, root, [root] * 64, root)


def test_growth_from_an_empty_tree() -> None:
    """C2SP tlog-witness accepts it with an empty proof; RFC 9162's verifier does not speak of it."""
    root = LEAVES[0]
    proofs.verify_extension(0, 1, EMPTY_ROOT, root, [])
    proofs.verify_extension(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    refused(proofs.verify_consistency, 0, 1, EMPTY_ROOT, root, [])
    refused(proofs.verify_consistency, 0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    for old_root, new_root, new, proof in (
        (EMPTY_ROOT, root, 1, [root]),
        (root, root, 1, []),
        (EMPTY_ROOT, root, 0, []),
        (root, root, 0, []),
        (EMPTY_ROOT, root, -1, []),
        (EMPTY_ROOT, root[:5], 1, []),
    ):
        refused(proofs.verify_extension, 0, new, old_root, new_root, proof)


def test_fork_at_the_same_size_is_refused() -> None:
    refused(proofs.verify_extension, 5, 5, slow_root(LEAVES[:5]), slow_root(LEAVES[1:6]), [])


def test_edge_that_does_not_fit_its_size_is_refused() -> None:
    for size, edge in ((3, LEAVES[:1]), (-1, []), (merkle.MAX_SIZE + 1, LEAVES[:1]), (1, [b"short"]), (0, LEAVES[:1])):
        with pytest.raises(RemoteError):
            CompactRange.from_edge(size, edge)


def test_copy_of_a_range_grows_alone() -> None:
    edge = CompactRange.from_edge(2, [node_hash(LEAVES[0], LEAVES[1])])
    copy = edge.copy()
    copy.append(LEAVES[2])
    assert (edge.size, copy.size, copy.root()) == (2, 3, slow_root(LEAVES[:3]))
    assert edge != copy
    assert edge != "edge"
    assert repr(edge).startswith("CompactRange(size=2")


def test_asking_outside_the_tree_is_a_local_mistake() -> None:
    tree = MemoryTree(LEAVES[:5])
    for call in (
        lambda: tree.root(6),
        lambda: tree.inclusion(5),
        lambda: tree.inclusion(3, 3),
        lambda: tree.consistency(4, 3),
        lambda: tree.node(1, 2),
        lambda: tree.node(9, 0),
        lambda: tree.append(b"short"),
        lambda: tree.extend([LEAVES[5], b"short"]),
        lambda: MemoryTree.of_row(LEAVES[5] + b"short"),
        lambda: CompactRange().append(b"short"),
        lambda: proofs.path(LEAVES[:2], 2),
        lambda: proofs.tree_root([b"short"]),
    ):
        with pytest.raises(LocalError):
            call()
    assert (tree.size, tree.leaf(4), tree.consistency(0), tree.consistency(5)) == (5, LEAVES[4], [], [])
