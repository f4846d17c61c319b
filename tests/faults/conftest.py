from __future__ import annotations

import sys
from pathlib import Path

import pytest

for folder in ("cli", "relay"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
sys.path.append(str(Path(__file__).parent))

from cli_fixtures import _fast_keystores, founders  # noqa: E402
from cli_world import Founders, found, plan_text  # noqa: E402
from fault_world import LAG  # noqa: E402

__all__ = ["_fast_keystores", "founders"]


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory, _fast_keystores: None) -> Founders:
    """Founders whose members may have as many nodes as there can be."""
    return found(tmp_path_factory.mktemp("crowded"), f"{plan_text()}\n[parameters]\nnodes_max = 64\n")


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory, _fast_keystores: None) -> Founders:
    """Founders whose directory is stale after LAG / 2."""
    plan = f"{plan_text()}\n[parameters]\nlag_seconds = {LAG}\nskew_seconds = {LAG // 2}\n"
    return found(tmp_path_factory.mktemp("hasty"), plan)
