"""Fixtures of every folder that works with founders: their `conftest.py` names them."""

from __future__ import annotations

from typing import Any

import pytest
from cli_world import Founders, found

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
