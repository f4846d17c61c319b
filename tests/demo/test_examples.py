"""The scripts people copy from run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAID = {
    "ten_lines.py": ["sent as EST/mod-1/main/", "FIN 2 A crew list names two people.", "LVA 2 withheld by"],
    "own_type.py": ["FIN 270 passive array 3", "LVA 270 sensor withheld"],
    "importer.py": ["logged EST/mod-1/main/"],
}


def run(name: str) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(SAID))
def test_an_example_runs_and_says_what_it_should(name: str) -> None:
    said = run(name)
    assert all(line in said for line in SAID[name])


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAID.keys()


def test_a_second_import_sends_nothing_twice() -> None:
    lines = run("importer.py").splitlines()
    half = len(lines) // 2
    assert half > 0
    assert lines[:half] == lines[half:]
