"""`python -m rsc_share.testing.vectors docs/vectors`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rsc_share.testing.vectors import (
    admission,
    auditing,
    basics,
    blobs,
    decisions,
    entries,
    exports,
    founding,
    sealed,
    sessions,
    sharing,
    trees,
    turning,
)
from rsc_share.testing.vectors.material import Material

KEPT = "randomised.json"
FILES: Mapping[str, Callable[[Material], dict[str, Any]]] = {
    "encoding.json": basics.encoding,
    "names.json": basics.names_,
    "signatures.json": basics.signatures,
    "merkle.json": trees.merkle,
    "notes.json": trees.notes,
    "tiles.json": trees.tiles_,
    "sealing.json": sealed.sealing,
    "parts.json": sealed.parts,
    "blobs.json": blobs.blobs_,
    "labels.json": sharing.labels,
    "policy.json": decisions.policy,
    "charter.json": founding.charters,
    "directory.json": founding.directories,
    "entries.json": entries.entries,
    "admission.json": admission.admission,
    "turning.json": turning.turning,
    "sessions.json": sessions.sessions,
    "export.json": exports.export,
    "auditing.json": auditing.auditing,
}


def write(folder: Path) -> None:
    """Write every file of vectors into `folder`; answers kept in `randomised.json` there are used again."""
    kept = folder / KEPT
    material = Material(json.loads(kept.read_text()) if kept.exists() else {})
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        _save(folder / name, make(material))
    _save(kept, material.used)


def _save(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
