"""Where a family's inputs lie: `corpus` grows from run to run, `run` is what the last one left, crashes lie beside."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from pathlib import Path

from families import addressed

CORPUS, RUN, TALLY = "corpus", "run", "tally.json"
Tally = dict[str, tuple[int, float]]
"""What each target had in a run: how many inputs, and seconds."""


def cleared(keep: Path, family: str) -> Path:
    """The family's folder, without what an earlier run left: its inputs are not to count for this one."""
    folder = keep / family
    shutil.rmtree(folder / RUN, ignore_errors=True)
    for name in (CORPUS, RUN):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def store(folder: Path, data: bytes, before: str = "") -> Path:
    path = folder / f"{before}{hashlib.sha256(data).hexdigest()[:40]}"
    path.write_bytes(data)
    return path


def tally(folder: Path) -> Tally:
    """Empty if the family never came as far as its first input."""
    path = folder / RUN / TALLY
    if not path.exists():
        return {}
    return {name: (runs, seconds) for name, (runs, seconds) in json.loads(path.read_text(encoding="utf-8")).items()}


def inputs(folder: Path) -> dict[str, list[bytes]]:
    """Everything the family has, by target."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for path in sorted([*(folder / CORPUS).iterdir(), *(folder / RUN).iterdir()]):
        if owner := addressed(path.read_bytes()):
            found[owner[0].name].append(owner[1])
    return found
