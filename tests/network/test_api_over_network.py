"""The tests of tests/api, unchanged, with a network between nodes and relay: an embedder cannot tell."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from rsc_share.testing.loopback import LoopbackFramework

API = Path(__file__).parents[1] / "api"
FILES = ("test_first_path", "test_publishing", "test_subscribing", "test_embedders_scripts")


def over_tls(name: str) -> ModuleType:
    """A copy of a test file of its own, whose framework is on loopback."""
    spec = importlib.util.spec_from_file_location(f"{name}_over_tls", API / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert hasattr(module, "Framework")
    module.Framework = LoopbackFramework  # type: ignore[attr-defined]
    return module


for _module in map(over_tls, FILES):
    for _name, _item in vars(_module).items():
        if _name.startswith("test_") or _name == "homes":
            globals()[_name] = _item
