from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

for folder in ("cli", "relay"):
    sys.path.append(str(Path(__file__).parents[1] / folder))

from cli_world import Founders, found  # noqa: E402

from rsc_share.cli import keys  # noqa: E402
from rsc_share.crypto.keystore import UNSAFE_FAST  # noqa: E402


@pytest.fixture(scope="session")
def founders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "COST", UNSAFE_FAST)
        patch.setenv("NO_COLOR", "1")
        made: Founders = found(tmp_path_factory.mktemp("founders"))
        yield made
