"""Test files of other folders, unchanged, with a network between nodes and relay."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rsc_share.testing.loopback import LoopbackFramework

TESTS = Path(__file__).parents[1]


def over_tls(folder: str, files: Iterable[str], fixtures: Iterable[str] = ()) -> dict[str, Any]:
    """The tests and named fixtures of copies of the files, whose framework is on loopback."""
    if str(TESTS / folder) not in sys.path:
        sys.path.insert(0, str(TESTS / folder))
    found: dict[str, Any] = {}
    for name in files:
        spec = importlib.util.spec_from_file_location(f"{name}_over_tls", TESTS / folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert hasattr(module, "Framework")
        module.Framework = LoopbackFramework
        found |= {key: value for key, value in vars(module).items() if key.startswith("test_") or key in fixtures}
    return found
