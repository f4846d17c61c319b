from __future__ import annotations

from pathlib import Path

import pytest
from cli_fixtures import _fast_keystores, founders
from cli_world import Founders, Run, runner

__all__ = ["_fast_keystores", "founders"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def packet(founders: Founders, tmp_path: Path) -> Path:
    """A copy of the signed packet that a test may spoil."""
    import shutil

    return Path(shutil.copytree(founders.packet, tmp_path / "packet"))


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that spreads tests over processes sets one; what is checked here is output to a pipe."""
    monkeypatch.delenv("COLUMNS", raising=False)
