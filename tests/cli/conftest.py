from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_world import Founders, Run, found, runner

from rsc_share.cli import keys
from rsc_share.crypto.keystore import UNSAFE_FAST


@pytest.fixture(autouse=True, scope="session")
def _fast_keystores() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "COST", UNSAFE_FAST)
        patch.setenv("NO_COLOR", "1")
        yield


@pytest.fixture(scope="session")
def founders(tmp_path_factory: pytest.TempPathFactory, _fast_keystores: None) -> Founders:
    return found(tmp_path_factory.mktemp("founders"))


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
