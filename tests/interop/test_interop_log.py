"""Exported logs against tools written by others, and what those tools write against our verifiers.

Go: golang.org/x/mod/sumdb/note and tlog, the checksum database's own packages (Debian: `golang-go
golang-golang-x-mod-dev`). Node: node:crypto and @noble/post-quantum, a second implementation of ML-DSA, taken from
npm's cache or registry into a temporary folder, or from `RSC_NODE_MODULES`. What is absent is skipped with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.log import proofs, tiles
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44, open_checkpoint
from rsc_share.log.merkle import EMPTY_ROOT, leaf_hash
from rsc_share.log.note import KeyType, Note, VerifierKey, parse_signatures
from rsc_share.log.tlogproof import TlogProof
from rsc_share.log.tree import MemoryTree

HERE = Path(__file__).parent
GOPATH = Path("/usr/share/gocode")
NOBLE = "@noble/post-quantum@0.7.1"
ORIGIN = "relay.example/baltic/counter-terrorism"
WITNESS = "baltic/EST/mod-1"
TIME = 1_790_000_000
SIZES = [1, 2, 255, 256, 257, 700]

LOG, LOG_PQ, EST, EST_PQ = (
    PrivateKey.generate(suite, seed=seed) for seed in (b"log", b"witness") for suite in (Suite.ED25519, Suite.ML_DSA_44)
)
KEYS = (
    VerifierKey.of(ORIGIN, KeyType.ED25519, LOG.public),
    VerifierKey.of(ORIGIN, KeyType.ML_DSA_44, LOG_PQ.public),
    VerifierKey.of(WITNESS, KeyType.COSIGNATURE, EST.public),
    VerifierKey.of(WITNESS, KeyType.ML_DSA_44, EST_PQ.public),
)


def run(*command: str | Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def go_tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("go"):
        pytest.skip("no go (Debian: golang-go)")
    if not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip(f"no golang.org/x/mod under {GOPATH} (Debian: golang-golang-x-mod-dev)")
    tool = tmp_path_factory.mktemp("go") / "log_check"
    run("go", "build", "-o", tool, HERE / "log_check.go", GO111MODULE="off", GOPATH=str(GOPATH), GOFLAGS="")
    return tool


@pytest.fixture(scope="module")
def noble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML-DSA module of @noble/post-quantum."""
    if not shutil.which("node"):
        pytest.skip("no node")
    inside = Path("@noble/post-quantum/ml-dsa.js")
    if "RSC_NODE_MODULES" in os.environ:
        return Path(os.environ["RSC_NODE_MODULES"]) / inside
    if not shutil.which("npm"):
        pytest.skip("no npm, and RSC_NODE_MODULES is not set")
    folder = tmp_path_factory.mktemp("node")
    options = ("--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
    done = run("npm", "install", *options, "--fetch-timeout=5000", "--prefix", folder, NOBLE, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {NOBLE}: {done.stderr.strip()[-200:]}")
    return folder / "node_modules" / inside


def entries_of(size: int) -> list[bytes]:
    return [(b"entry %d " % i) * (i % 7) + bytes([i % 256]) for i in range(size)]


def signed(checkpoint: Checkpoint) -> bytes:
    lines = (
        sign_checkpoint(checkpoint, LOG),
        cosign_mldsa44(checkpoint, ORIGIN, LOG_PQ, TIME),
        cosign_ed25519(checkpoint, WITNESS, EST, TIME),
        cosign_mldsa44(checkpoint, WITNESS, EST_PQ, TIME + 1),
    )
    return Note(checkpoint.text(), lines).encode()


def export(folder: Path, size: int) -> Path:
    """A whole log on disk: checkpoint, tiles, bundles, keys, proof files and consistency proofs."""
    entries = entries_of(size)
    tree = MemoryTree(map(leaf_hash, entries))
    note = signed(Checkpoint(ORIGIN, size, tree.root()))
    files = dict(tiles.export_log(tree, entries)) | {
        "checkpoint": note,
        "keys.txt": "".join(key.vkey + "\n" for key in KEYS).encode(),
        "consistency.json": json.dumps([growth(tree, old) for old in sorted({1, size // 2 or 1, size})]).encode(),
    }
    for index in {0, size // 2, size - 1}:
        proof = TlogProof(index, tuple(tree.inclusion(index)), note, b"context" if index else None)
        files[f"proofs/{index}.tlog-proof"] = proof.encode()
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def growth(tree: MemoryTree, old: int) -> dict[str, Any]:
    def text(node: bytes) -> str:
        return b64encode(node).decode()

    return {
        "Old": old,
        "New": tree.size,
        "OldRoot": text(tree.root(old)),
        "NewRoot": text(tree.root()),
        "Proof": [text(node) for node in tree.consistency(old)],
    }


def flipped(data: bytes) -> bytes:
    """One bit changed: in a proof file within its first hash, since `extra` is nobody's statement."""
    at = data.find(b"\nindex ") + 20 if b"\nindex " in data else min(40, len(data) - 1)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def damage(folder: Path) -> list[Path]:
    """Every file a checker must look at, except those that only bring keys."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".txt", ".json"))


@pytest.mark.parametrize("size", SIZES)
def test_go_checksum_database_verifies_our_log(go_tool: Path, tmp_path: Path, size: int) -> None:
    seen = json.loads(run(go_tool, "check", export(tmp_path, size)).stdout)
    assert seen == {
        "size": size,
        "signatures": [ORIGIN, WITNESS],
        "proofs": len({0, size // 2, size - 1}),
        "consistency": len({1, size // 2 or 1, size}),
    }


@pytest.mark.parametrize("size", SIZES)
def test_node_and_noble_verify_our_log(noble: Path, tmp_path: Path, size: int) -> None:
    seen = json.loads(run("node", HERE / "log_check.mjs", "check", export(tmp_path, size), noble).stdout)
    assert seen == {
        "size": size,
        "signatures": [f"1 {ORIGIN}", f"6 {ORIGIN}", f"4 {WITNESS}", f"6 {WITNESS}"],
        "tiles": len(list(tiles.expected_paths(size))),
        "proofs": len({0, size // 2, size - 1}),
    }


def test_go_refuses_every_damaged_file(go_tool: Path, tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    folder = export(tmp_path, 300)
    for path in damage(folder):
        good = path.read_bytes()
        path.write_bytes(flipped(good))
        assert run(go_tool, "check", folder, check=False).returncode == 1, path
        path.write_bytes(good)
    assert run(go_tool, "check", folder).returncode == 0


def test_node_refuses_every_damaged_file(noble: Path, tmp_path: Path) -> None:
    folder = export(tmp_path, 300)
    for path in damage(folder):
        good = path.read_bytes()
        path.write_bytes(flipped(good))
        assert run("node", HERE / "log_check.mjs", "check", folder, noble, check=False).returncode == 1, path
        path.write_bytes(good)


def test_our_verifiers_accept_what_go_makes(go_tool: Path) -> None:
    size = 70
    made = json.loads(run(go_tool, "make", str(size)).stdout)
    opened = open_checkpoint(made["note"].encode(), [VerifierKey.parse(made["vkey"])])
    assert opened.note.encode() == made["note"].encode()
    root = opened.checkpoint.root
    entries = [b"entry %d" % i for i in range(size)]
    tree = MemoryTree(map(leaf_hash, entries))
    assert (opened.checkpoint.size, root) == (size, tree.root())
    for index, record in enumerate(made["records"]):
        path = [b64decode(node) for node in record or []]
        assert path == tree.inclusion(index)
        proofs.verify_inclusion(index, size, leaf_hash(entries[index]), path, root)
    for grown in made["growth"]:
        path, old_root = [b64decode(node) for node in grown["Proof"]], b64decode(grown["OldRoot"])
        assert path == tree.consistency(grown["Old"])
        proofs.verify_consistency(grown["Old"], size, old_root, root, path)
    proofs.verify_extension(0, size, EMPTY_ROOT, root, [])


def test_our_verifiers_accept_what_noble_cosigns(noble: Path, tmp_path: Path) -> None:
    folder = export(tmp_path, 5)
    made = json.loads(run("node", HERE / "log_check.mjs", "sign", folder, noble).stdout)
    witnesses = [VerifierKey.parse(text) for text in made["keys"]]
    assert [key.vkey for key in witnesses] == made["keys"]
    lines = parse_signatures("".join(made["lines"]).encode())
    note = Note.parse((folder / "checkpoint").read_bytes())
    opened = open_checkpoint(Note(note.text, (*note.signatures, *lines)).encode(), KEYS[:2], witnesses)
    assert [(c.name, c.kind, c.time_s) for c in opened.cosignatures] == [
        ("witness.example/node", KeyType.COSIGNATURE, 1_790_000_123),
        ("witness.example/node", KeyType.ML_DSA_44, 1_790_000_123),
    ]
