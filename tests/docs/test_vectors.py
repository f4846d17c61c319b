"""docs/vectors are what the code writes, and a program that shares no line with it comes to the same answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rsc_share.testing.vectors.__main__ import FILES, KEPT, write

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "docs" / "vectors"
CHECKER = Path(__file__).with_name("check_vectors.mjs")
NOBLE = "@noble/post-quantum@0.7.1"
ADVICE = "run `make vectors` and commit the result"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    shutil.copy(VECTORS / KEPT, folder)
    write(folder)
    return folder


@pytest.mark.parametrize("name", [*FILES, KEPT])
def test_vectors_are_up_to_date(written: Path, name: str) -> None:
    assert (VECTORS / name).exists(), ADVICE
    assert (written / name).read_bytes() == (VECTORS / name).read_bytes(), f"{name} differs: {ADVICE}"


def test_no_other_files_lie_among_the_vectors() -> None:
    assert {path.name for path in VECTORS.iterdir()} == {*FILES, KEPT}


@pytest.mark.parametrize("name", ["admission.json", "turning.json"])
def test_every_admission_case_fails_at_the_row_its_name_says(name: str) -> None:
    for case in json.loads((VECTORS / name).read_text())["cases"]:
        row, verdict = case["why"].partition(":")[0], case["verdict"]
        named = int(row.removeprefix("row ")) if row.startswith("row ") else None
        assert verdict["row"] == named, case["why"]


def test_every_row_of_the_table_has_a_case() -> None:
    cases = json.loads((VECTORS / "admission.json").read_text())["cases"]
    # Row 1 is in entries.json: what does not parse has no verdict that could be written beside it.
    assert {case["verdict"]["row"] for case in cases} == {None, *range(2, 16)}


def test_every_step_of_a_decision_has_a_case() -> None:
    codes = {case["code"] for case in json.loads((VECTORS / "policy.json").read_text())["decisions"]}
    steps = "epoch valid scheme level restrict audience permit need realm origin agreement handling"
    assert codes == {*steps.split(), "released", "action"}


def _node_modules(folder: Path) -> str | None:
    if "RSC_NODE_MODULES" in os.environ:
        return os.environ["RSC_NODE_MODULES"]
    if not shutil.which("npm"):
        return None
    options = ("--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
    done = subprocess.run(
        ["npm", "install", *options, "--fetch-timeout=5000", "--prefix", str(folder), NOBLE],
        capture_output=True,
        timeout=120,
        check=False,
    )
    return None if done.returncode else str(folder / "node_modules")


def test_another_implementation_agrees(tmp_path: Path) -> None:
    """Without @noble/post-quantum the cases that need it are counted as skipped, and the others are checked."""
    if not shutil.which("node"):
        pytest.skip("no node")
    modules = _node_modules(tmp_path)
    command = ["node", str(CHECKER), str(VECTORS), *([modules] if modules else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr[:4000]
    assert done.stdout.count(" right") == len(FILES)
