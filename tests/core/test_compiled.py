"""What may run as C: the list is right, an old extension is refused, and interpreted is what nobody has to ask for."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import tomllib
from abc import ABCMeta
from pathlib import Path
from typing import Any

import pytest

import rsc_share
from rsc_share import compiled
from rsc_share.errors import LocalError, RscError

ROOT = Path(__file__).resolve().parents[2]
LISTED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["rsc-share"][
    "compiled"
]


def classes(module: Any) -> list[type]:
    """Those that mypyc makes C structures of: neither errors nor what msgspec makes."""
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return [kind for kind in found if kind.__module__ == module.__name__ and type(kind) in (type, ABCMeta)]


def test_listed_modules_are_there_once_and_in_order() -> None:
    assert sorted(set(LISTED)) == LISTED
    for name in LISTED:
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name


def test_no_class_outside_of_the_list_inherits_from_one_inside() -> None:
    """Nor the other way round: such a class cannot be made, and a compiled build would say so to its first user."""
    for module in pkgutil.walk_packages(rsc_share.__path__, "rsc_share."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LISTED:
        for kind in classes(importlib.import_module(name)):
            if issubclass(kind, RscError | tuple):
                continue
            heirs = [heir for heir in kind.__subclasses__() if heir.__module__ not in LISTED]
            assert not heirs, f"{heirs} inherit from {kind}"
            bases = [base for base in kind.__bases__ if base.__module__ not in ("builtins", "typing", *LISTED)]
            assert not bases, f"{kind} inherits from {bases}"


def test_source_that_changed_since_it_was_compiled_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "audit" / "walk.py"
    source.parent.mkdir()
    source.write_text("passed = True\n", encoding="utf-8")
    made_from = {"audit/walk.py": hashlib.sha256(source.read_bytes()).hexdigest()}
    compiled.check(str(tmp_path))  # never compiled
    (tmp_path / compiled.MADE_FROM).write_text(json.dumps(made_from), encoding="utf-8")
    compiled.check(str(tmp_path))
    source.write_text("passed = False\n", encoding="utf-8")
    with pytest.raises(LocalError, match=r"audit/walk\.py is not what was compiled") as told:
        compiled.check(str(tmp_path))
    assert "make interpreted" in told.value.advice
    source.unlink()
    with pytest.raises(LocalError, match="is not what was compiled"):
        compiled.check(str(tmp_path))


def test_what_runs_is_what_was_asked_for() -> None:
    """`make test-compiled` sets RSC_COMPILED: it must not pass because nothing was compiled."""
    for name in LISTED:
        importlib.import_module(name)
    built = (Path(compiled.HERE) / compiled.MADE_FROM).is_file()
    assert compiled.modules() == (tuple(LISTED) if built else ())
    assert compiled.described() == (f"{len(LISTED)} modules compiled" if built else "interpreted")
    assert built or "RSC_COMPILED" not in os.environ
