"""The demonstration's export, replayed by a program in another language that was written from docs/protocol.md."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import CHECKED
from rsc_share.audit.files import Folder
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import Replay
from rsc_share.audit.replay import replay as replay_here
from rsc_share.cli.main import main

REPLAY = Path(__file__).with_name("replay.mjs")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("node"):
        pytest.skip("no node")
    folder = tmp_path_factory.mktemp("demo") / "export"
    assert main(["demo", "--in-process", "--out", str(folder)]) == 0
    return folder


def digest(export: Path) -> str:
    return (export / "charter-digest.txt").read_text().strip()


def elsewhere(export: Path, pin: str) -> dict[str, Any]:
    done = subprocess.run(
        ["node", str(REPLAY), str(export), pin], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def here(export: Path, pin: str) -> Replay:
    return replay_here(Folder(export), Anchors(charter_digest=bytes.fromhex(pin)))


def graver(result: Replay) -> set[tuple[str, int | None]]:
    """Where something is wrong with an entry, without what is only worth knowing."""
    return {(f.log, f.index) for f in result.findings if f.grade != Grade.OBSERVATION and f.index is not None}


def test_the_demonstration_is_clean_by_another_program_too(export: Path) -> None:
    theirs, ours = elsewhere(export, digest(export)), here(export, digest(export))
    assert theirs["findings"] == []
    assert graver(ours) == set()
    assert theirs["classes"] == {origin: {CHECKED: n.counts()[CHECKED]} for origin, n in ours.classes.items()}
    assert sum(found[CHECKED] for found in theirs["classes"].values()) > 50


def test_another_charter_digest_is_found_out(export: Path) -> None:
    done = subprocess.run(
        ["node", str(REPLAY), str(export), "00" * 32], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0 or json.loads(done.stdout)["findings"]


def test_an_altered_entry_is_found_out(export: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered"
    shutil.copytree(export, altered)
    (bundle,) = (altered / "export/logs/cyber/tile/entries").rglob("*.p/*")
    data = bytearray(bundle.read_bytes())
    # The last bytes of an entry are its stamp; this one was logged a little earlier or later.
    data[-2] ^= 1
    bundle.write_bytes(data)
    codes = {code for code, _, _ in elsewhere(altered, digest(export))["findings"]}
    assert {"file", "root"} <= codes
