"""Every inclusion and consistency probe of transparency-dev/merkle (Apache-2.0): 184 of the 196 must fail."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from rsc_share.errors import RemoteError
from rsc_share.log import proofs

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared" / "vectors")) / "merkle"
PROBES = VECTORS / "transparency-dev-merkle" / "testdata"

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"no vectors of others at {VECTORS} (set RSC_VECTORS)")


def probes(kind: str) -> list[tuple[str, dict[str, Any]]]:
    files = sorted((PROBES / kind).rglob("*.json"))
    return [(str(path.relative_to(PROBES)), json.loads(path.read_bytes())) for path in files]


def raw(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def hashes(values: list[str] | None) -> list[bytes]:
    return [raw(value) for value in values or []]


def disagreements(kind: str) -> list[str]:
    wrong = []
    for name, probe in probes(kind):
        try:
            if kind == "inclusion":
                proofs.verify_inclusion(
                    probe["leafIdx"],
                    probe["treeSize"],
                    raw(probe["leafHash"]),
                    hashes(probe["proof"]),
                    raw(probe["root"]),
                )
            else:
                sizes = probe["size1"], probe["size2"]
                proofs.verify_consistency(*sizes, raw(probe["root1"]), raw(probe["root2"]), hashes(probe["proof"]))
        except RemoteError as error:
            refused = error.code == "bad-proof"
        else:
            refused = False
        if refused != probe["wantErr"]:
            wrong.append(name)
    return wrong


def test_every_probe_has_the_published_verdict() -> None:
    assert len(probes("inclusion")) + len(probes("consistency")) == 196
    assert disagreements("inclusion") == []
    assert disagreements("consistency") == []


def test_accumulated_subtrees_of_the_plants_draft() -> None:
    """130 leaves, leaf i = byte i; a subtree starts at a multiple of the least power of two not below its length."""
    published = json.loads((VECTORS / "c2sp-examples.json").read_bytes())["subtree_accumulated"]
    leaves = [hashlib.sha256(bytes([0, i])).digest() for i in range(130)]
    roots, inclusion = hashlib.sha256(), hashlib.sha256()
    for end in range(131):
        for start in range(end + 1):
            if start % (1 << max(end - start - 1, 0).bit_length()):
                continue
            part = leaves[start:end]
            roots.update(f"[{start}, {end}) {proofs.tree_root(part).hex()}\n".encode())
            for offset, path in enumerate(proofs.paths(part) if part else []):
                line = " ".join([f"{start + offset} [{start}, {end})", *(node.hex() for node in path)])
                inclusion.update(line.encode() + b"\n")
    assert roots.hexdigest() == published["subtree_hash"]
    assert inclusion.hexdigest() == published["subtree_inclusion"]
