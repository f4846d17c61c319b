"""Exports: the layout of tlog-tiles, what damage does to it, and proof files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import LocalError, RemoteError, StorageError
from rsc_share.log import tiles
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519
from rsc_share.log.merkle import leaf_hash, node_hash
from rsc_share.log.note import KeyType, Note, VerifierKey
from rsc_share.log.proofs import tree_root
from rsc_share.log.tiles import Tile
from rsc_share.log.tlogproof import TlogProof
from rsc_share.log.tree import MemoryTree

SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 700]
ENTRIES = [b"entry %d" % i * (i % 5) for i in range(700)]
TREE = MemoryTree(map(leaf_hash, ENTRIES))


def export(size: int) -> dict[str, bytes]:
    return dict(tiles.export_log(MemoryTree(map(leaf_hash, ENTRIES[:size])), ENTRIES[:size]))


class Files:
    """A reader over a dictionary that notes how much it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def __call__(self, path: str, limit: int) -> bytes | None:
        assert limit <= tiles.MAX_BUNDLE
        found = self.files.get(path)
        return None if found is None else found[: limit + 1]


# -- paths


def test_paths_of_the_specification() -> None:
    assert tiles.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(0, 0) == "tile/0/000"
    assert tiles.tile_path(1, 999, 7) == "tile/1/999.p/7"
    assert tiles.bundle_path(1000, 44) == "tile/entries/x001/000.p/44"


def test_seventy_thousand_entries_as_in_the_specification() -> None:
    found = list(tiles.tiles_of(70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in found) == 273
    assert [tile for tile in found if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in found if tile.level == 1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert list(tiles.tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles.expected_paths(0)) == []


@given(st.one_of(st.none(), st.integers(0, 63)), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_path_reads_back(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/1234",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/0/000.p/",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/../000",
        "/tile/0/000",
        "tile/data/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "checkpoint",
    ],
)
def test_path_has_one_spelling(path: str) -> None:
    with pytest.raises(RemoteError):
        Tile.parse(path)


def test_impossible_tiles_are_a_local_mistake() -> None:
    for level, index, width in ((64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (-1, 0, 1)):
        with pytest.raises(LocalError):
            Tile(level, index, width)
    with pytest.raises(LocalError):
        tiles.tile_data(TREE, Tile(None, 0))
    with pytest.raises(LocalError):
        tiles.tile_data(TREE, Tile(0, 2, 256))
    with pytest.raises(LocalError):
        tiles.tile_data(TREE, Tile(5, 0, 1))


# -- content


@pytest.mark.parametrize("size", SIZES)
def test_export_is_exactly_the_expected_files_and_verifies(size: int) -> None:
    files = export(size)
    assert list(files) == list(tiles.expected_paths(size))
    assert list(tiles.read_entries(size, Files(files))) == ENTRIES[:size]
    assert tiles.verify_log(size, TREE.root(size), Files(files)).root() == TREE.root(size)


def test_upper_tile_holds_roots_of_full_tiles() -> None:
    files = export(700)
    full = [files[tiles.tile_path(0, n)] for n in (0, 1)]
    roots = [tree_root([tile[i : i + 32] for i in range(0, 8192, 32)]) for tile in full]
    assert files["tile/1/000.p/2"] == b"".join(roots)
    assert len(files["tile/0/002.p/188"]) == 188 * 32
    assert node_hash(*roots) == TREE.root(512)


def test_reading_begins_in_the_middle() -> None:
    reader = Files(export(700))
    del reader.files["tile/entries/000"]
    for start in (256, 300, 511, 512, 699, 700):
        assert list(tiles.read_entries(700, reader, start)) == ENTRIES[start:700]
    with pytest.raises(RemoteError):
        list(tiles.read_entries(700, reader, 255))
    with pytest.raises(LocalError):
        list(tiles.read_entries(700, reader, 701))


@pytest.mark.parametrize("path", sorted(export(300)))
def test_any_damaged_or_missing_file_is_found(path: str) -> None:
    files = export(300)
    good = files[path]
    flipped = bytes([good[0] ^ 1]) + good[1:], good[:-1] + bytes([good[-1] ^ 1])
    for bad in (*flipped, good[:-1], good + b"\x00", b"", good + good):
        with pytest.raises(RemoteError):
            tiles.verify_log(300, TREE.root(300), Files(files | {path: bad}))
    del files[path]
    with pytest.raises(RemoteError, match="missing"):
        tiles.verify_log(300, TREE.root(300), Files(files))


def test_rewritten_log_with_matching_tiles_fails_at_the_root() -> None:
    """A relay that changes an entry and rebuilds every tile still has the old checkpoint against it."""
    changed = [b"another", *ENTRIES[1:300]]
    files = dict(tiles.export_log(MemoryTree(map(leaf_hash, changed)), changed))
    with pytest.raises(RemoteError) as caught:
        tiles.verify_log(300, TREE.root(300), Files(files))
    assert caught.value.code == "bad-root"


def test_auditor_names_every_damaged_tile() -> None:
    files = export(300)
    files["tile/0/000"] = bytes(8192)
    del files["tile/1/000.p/1"]
    tree = MemoryTree(map(leaf_hash, ENTRIES[:300]))
    assert list(tiles.damaged_tiles(tree, Files(files))) == [
        ("tile/0/000", "does not follow from the entries"),
        ("tile/1/000.p/1", "is missing"),
    ]


def test_export_stops_where_entries_are_not_the_trees() -> None:
    tree = MemoryTree(map(leaf_hash, ENTRIES[:300]))
    for entries in (ENTRIES[:299], ENTRIES[:301], [b"x", *ENTRIES[1:300]], []):
        with pytest.raises(StorageError):
            list(tiles.export_log(tree, entries))


def test_bundle_of_longest_and_empty_entries() -> None:
    entries = [b"", b"x" * 65_535, b""]
    data = tiles.pack_bundle(entries)
    assert tiles.read_bundle(data, 3) == entries
    with pytest.raises(LocalError):
        tiles.pack_bundle([b"x" * 65_536])


@given(st.binary(max_size=40), st.integers(1, 8))
def test_bundle_that_reads_writes_the_same_bytes(data: bytes, width: int) -> None:
    try:
        entries = tiles.read_bundle(data, width)
    except RemoteError:
        return
    assert len(entries) == width
    assert tiles.pack_bundle(entries) == data


def test_bundle_longer_than_any_log_has_is_refused() -> None:
    long = Files({"tile/entries/000.p/1": bytes(tiles.MAX_BUNDLE + 9)})
    with pytest.raises(RemoteError, match="longer"):
        list(tiles.read_entries(1, long))


# -- proof files

ORIGIN = "relay.example/baltic/counter-terrorism"
LOG = PrivateKey.generate(Suite.ED25519, seed=b"log")
EST = PrivateKey.generate(Suite.ED25519, seed=b"est")
LOG_KEYS = [VerifierKey.of(ORIGIN, KeyType.ED25519, LOG.public)]
WITNESS_KEYS = [VerifierKey.of("baltic/EST/mod-1", KeyType.COSIGNATURE, EST.public)]


def proof_of(index: int, size: int, extra: bytes | None = None) -> TlogProof:
    checkpoint = Checkpoint(ORIGIN, size, TREE.root(size))
    signed = (sign_checkpoint(checkpoint, LOG), cosign_ed25519(checkpoint, "baltic/EST/mod-1", EST, 1_790_000_000))
    data = Note(checkpoint.text(), signed).encode()
    return TlogProof(index, tuple(TREE.inclusion(index, size)), data, extra)


@pytest.mark.parametrize(("index", "size", "extra"), [(0, 1, None), (5, 700, b"context"), (699, 700, None)])
def test_proof_file_reads_back_and_verifies(index: int, size: int, extra: bytes | None) -> None:
    proof = proof_of(index, size, extra)
    assert TlogProof.parse(proof.encode()) == proof
    opened = proof.verify(leaf_hash(ENTRIES[index]), LOG_KEYS, WITNESS_KEYS)
    assert opened.checkpoint.size == size
    assert [c.name for c in opened.cosignatures] == ["baltic/EST/mod-1"]


def test_proof_of_another_entry_or_place_is_refused() -> None:
    proof = proof_of(5, 700)
    for index, path, leaf in (
        (5, proof.path, ENTRIES[6]),
        (6, proof.path, ENTRIES[5]),
        (5, proof.path[:-1], ENTRIES[5]),
        (5, (*proof.path, bytes(32)), ENTRIES[5]),
    ):
        with pytest.raises(RemoteError) as caught:
            TlogProof(index, path, proof.checkpoint).verify(leaf_hash(leaf), LOG_KEYS)
        assert caught.value.code == "bad-proof"


@given(st.data())
def test_any_changed_byte_of_a_proof_file_is_seen(data: st.DataObject) -> None:
    """Refused, or only a line of an unknown signer or the unauthenticated extra differs."""
    proof = proof_of(5, 700, b"extra")
    changed = bytearray(proof.encode())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = TlogProof.parse(bytes(changed))
        opened = read.verify(leaf_hash(ENTRIES[5]), LOG_KEYS, WITNESS_KEYS)
    except RemoteError:
        return
    assert read.encode() == bytes(changed)
    assert (read.index, read.path) == (proof.index, proof.path)
    assert read.extra != b"extra" or opened.cosignatures == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1\n", b"@v2\n"),
        (b"index 5\n", b""),
        (b"index 5\n", b"index 05\n"),
        (b"index 5\n", b"index 700\n"),
        (b"index 5\n", b"index  5\n"),
        (b"index 5\n", b"extra \nindex 5\n"),
        (b"index 5\n", b"index 5\nextra YQ==\n"),
        (b"index 5\n", b"index 5\nAAAA\n"),
        (b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 63),
        (b"\n\n", b"\n"),
        (b"\n\n", b"\n\n\n"),
        (b"@v1\n", b"@v1\r\n"),
        (b"\n700\n", b"\n5\n"),
    ],
)
def test_malformed_proof_files_are_refused(old: bytes, new: bytes) -> None:
    data = proof_of(5, 700).encode()
    assert old in data
    with pytest.raises(RemoteError) as caught:
        TlogProof.parse(data.replace(old, new, 1))
    assert caught.value.code == "malformed"


def test_proof_file_that_would_not_parse_is_not_written() -> None:
    good = proof_of(5, 700)
    for broken in (
        TlogProof(700, good.path, good.checkpoint),
        TlogProof(5, good.path, b"x"),
        TlogProof(5, (b"x",), b""),
    ):
        with pytest.raises(LocalError):
            broken.encode()
