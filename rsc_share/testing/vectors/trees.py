"""Hash trees, batches, signed notes, cosignatures, tiles and proof files."""

from __future__ import annotations

from typing import Any

from rsc_share.crypto.signing import Suite
from rsc_share.log import proofs, tiles
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44, open_checkpoint
from rsc_share.log.merkle import EMPTY_ROOT, leaf_hash
from rsc_share.log.note import KeyType, Note, NoteSignature, VerifierKey
from rsc_share.log.tlogproof import TlogProof
from rsc_share.log.tree import MemoryTree
from rsc_share.testing.vectors.basics import Vectors
from rsc_share.testing.vectors.material import T0, Material, refusal

ORIGIN = "relay.example/regional/ct"
_TIME = T0 // 1000


def merkle(_: Material) -> Vectors:
    entries = [f"entry {i}".encode() for i in range(9)]
    leaves = [leaf_hash(entry) for entry in entries]
    tree = MemoryTree(leaves)
    roots = [{"size": size, "root": tree.root(size).hex()} for size in range(10)]
    inclusion = [_inclusion(tree, i, size) for size in (1, 2, 5, 7, 8, 9) for i in range(0, size, 2)]
    good = inclusion[-1]
    inclusion += [
        {**good, "index": good["index"] - 1, "ok": False, "why": "other index"},
        {**good, "proof": good["proof"][:-1], "ok": False, "why": "too short"},
        {**good, "proof": [*good["proof"], "00" * 32], "ok": False, "why": "too long"},
        {**good, "leaf": leaf_hash(b"x").hex(), "ok": False, "why": "other leaf"},
        {**good, "index": 9, "ok": False, "why": "outside the tree"},
    ]
    consistency = [_consistency(tree, old, new) for new in (1, 2, 5, 7, 8, 9) for old in range(1, new + 1)]
    proof = _consistency(tree, 5, 9)
    consistency += [
        {**proof, "old": 4, "ok": False, "why": "other size"},
        {**proof, "old_root": tree.root(4).hex(), "ok": False, "why": "other root"},
        {**proof, "proof": proof["proof"][1:], "ok": False, "why": "too short"},
        {**proof, "old": 0, "old_root": EMPTY_ROOT.hex(), "proof": [], "ok": False, "why": "nothing is proved from 0"},
        {**_consistency(tree, 9, 9), "new_root": tree.root(8).hex(), "ok": False, "why": "equal sizes, other root"},
    ]
    checked = all(_holds(case) == case["ok"] for case in (*inclusion, *consistency))
    return {
        "what": "RFC 6962 trees: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right).",
        "checked": checked,
        "entries": [entry.hex() for entry in entries],
        "leaves": [leaf.hex() for leaf in leaves],
        "roots": roots,
        "inclusion": inclusion,
        "consistency": consistency,
    }


def _inclusion(tree: MemoryTree, index: int, size: int) -> dict[str, Any]:
    proof = [node.hex() for node in tree.inclusion(index, size)]
    leaf, root = tree.leaf(index).hex(), tree.root(size).hex()
    return {"index": index, "size": size, "leaf": leaf, "root": root, "proof": proof, "ok": True}


def _consistency(tree: MemoryTree, old: int, new: int) -> dict[str, Any]:
    proof = [node.hex() for node in tree.consistency(old, new)]
    roots = {"old_root": tree.root(old).hex(), "new_root": tree.root(new).hex()}
    return {"old": old, "new": new, **roots, "proof": proof, "ok": True}


def _holds(case: dict[str, Any]) -> bool:
    proof = [bytes.fromhex(node) for node in case["proof"]]
    if "leaf" in case:
        leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
        return refusal(proofs.verify_inclusion, case["index"], case["size"], leaf, proof, root) is None
    old, new = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
    return refusal(proofs.verify_consistency, case["old"], case["new"], old, new, proof) is None


def notes(material: Material) -> Vectors:
    log, log_pq = material.key("log"), material.key("log", Suite.ML_DSA_44)
    est, est_pq = material.key("EST/mod-1 witness"), material.key("EST/mod-1 witness", Suite.ML_DSA_44)
    name = "regional/EST/mod-1"
    log_keys = [
        VerifierKey.of(ORIGIN, KeyType.ED25519, log.public),
        VerifierKey.of(ORIGIN, KeyType.ML_DSA_44, log_pq.public),
    ]
    witnesses = [
        VerifierKey.of(name, KeyType.COSIGNATURE, est.public),
        VerifierKey.of(name, KeyType.ML_DSA_44, est_pq.public),
    ]
    tree = MemoryTree(leaf_hash(bytes([i])) for i in range(3))
    head = Checkpoint(ORIGIN, 3, tree.root())
    own = sign_checkpoint(head, log)
    lines = [
        own,
        cosign_mldsa44(head, ORIGIN, log_pq, _TIME),
        cosign_ed25519(head, name, est, _TIME + 1),
        cosign_mldsa44(head, name, est_pq, _TIME + 2),
    ]
    whole = Note(head.text(), tuple(lines)).encode()
    other = Checkpoint(ORIGIN, 3, tree.root(2))
    stranger = NoteSignature("somebody.example", bytes(4), b"x" * 64)
    texts = {
        "log and witness, both kinds": whole,
        "the log's Ed25519 line alone": Note(head.text(), (own,)).encode(),
        "a line of an unknown key is ignored": Note(head.text(), (own, stranger)).encode(),
        "an empty log": _signed(Checkpoint(ORIGIN, 0, EMPTY_ROOT), log),
        "no line of the log": Note(head.text(), tuple(lines[2:])).encode(),
        "the log's ML-DSA-44 line alone": Note(head.text(), (lines[1],)).encode(),
        "another tree under the same signatures": Note(other.text(), tuple(lines)).encode(),
        "a known key that fails": Note(head.text(), (own, _broken(lines[2]))).encode(),
        "an extension line": whole.replace(b"\n\n", b"\nmore\n\n", 1),
        "size with a leading zero": whole.replace(b"\n3\n", b"\n03\n"),
        "no final newline": whole[:-1],
        "carriage return": whole.replace(b"\n3\n", b"\r\n3\n"),
        "another origin": whole.replace(b"/ct\n", b"/cu\n", 1),
    }
    cases = []
    for why, data in texts.items():
        code = refusal(open_checkpoint, data, log_keys, witnesses)
        found = open_checkpoint(data, log_keys, witnesses) if code is None else None
        times = [[c.name, int(c.kind), c.time_s] for c in found.cosignatures] if found else None
        cases.append({"why": why, "note": data.decode(), "ok": code is None, "code": code, "cosignatures": times})
    return {
        "what": "Checkpoints: C2SP signed notes. Keys as vkeys: log_vkeys sign, witness_vkeys cosign.",
        "log_vkeys": [key.vkey for key in log_keys],
        "witness_vkeys": [key.vkey for key in witnesses],
        "cases": cases,
        "proof_files": _proof_files(tree, whole, log_keys, witnesses),
    }


def _signed(head: Checkpoint, log: Any) -> bytes:
    return Note(head.text(), (sign_checkpoint(head, log),)).encode()


def _broken(line: NoteSignature) -> NoteSignature:
    return NoteSignature(line.name, line.key_id, line.blob[:-1] + bytes([line.blob[-1] ^ 1]))


def _proof_files(
    tree: MemoryTree, note: bytes, log: list[VerifierKey], witnesses: list[VerifierKey]
) -> list[dict[str, Any]]:
    good = TlogProof(1, tuple(tree.inclusion(1)), note, b"stamp").encode()
    leaf = tree.leaf(1)
    found = []
    for why, data, of in (
        ("right", good, leaf),
        ("another leaf", good, tree.leaf(0)),
        ("another index", good.replace(b"index 1", b"index 0"), leaf),
        ("another version", good.replace(b"@v1", b"@v2"), leaf),
        ("index outside the tree", good.replace(b"index 1", b"index 3"), leaf),
    ):
        code = refusal(_verify_file, data, of, log, witnesses)
        found.append({"why": why, "file": data.decode(), "leaf": of.hex(), "ok": code is None, "code": code})
    return found


def _verify_file(data: bytes, leaf: bytes, log: list[VerifierKey], witnesses: list[VerifierKey]) -> None:
    TlogProof.parse(data).verify(leaf, log, witnesses)


def tiles_(_: Material) -> Vectors:
    paths = [
        {"level": level, "index": index, "width": width, "path": tiles.Tile(level, index, width).path}
        for level, index, width in ((0, 0, 256), (0, 0, 3), (1, 1, 1), (0, 1234067, 8), (None, 0, 256), (None, 999, 5))
    ]
    bad = ["tile/0/1", "tile/00/000", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/x000/001", "tile/entries/0001"]
    sizes = [{"size": size, "paths": list(tiles.expected_paths(size))} for size in (0, 1, 255, 256, 257, 65_536)]
    sizes[-1]["paths"] = [path for path in tiles.expected_paths(65_536) if not path.startswith(("tile/0/", "tile/e"))]
    entries = [b"a", b"", b"ccc"]
    bundle = tiles.pack_bundle(entries)
    return {
        "what": "C2SP tlog-tiles. The last `sizes` case leaves out level 0 and entries (512 files).",
        "paths": paths,
        "bad_paths": [path for path in bad if refusal(tiles.Tile.parse, path)],
        "sizes": sizes,
        "bundle": {"entries": [entry.hex() for entry in entries], "bytes": bundle.hex()},
        "bad_bundles": [{"width": 3, "bytes": data.hex()} for data in (bundle[:-1], bundle + b"\0", bundle[:5])],
    }
