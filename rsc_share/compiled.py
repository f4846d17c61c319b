"""Which modules of this package run as C (ADR 0068), and whether they are still what their sources say.

A checkout runs interpreted unless `make compiled` was called in it. Verdicts and reports are the same bytes either way;
rates are not, so what prints a rate prints `described()` beside it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader
from types import BuiltinFunctionType

HERE = os.path.dirname(os.path.abspath(__file__))
MADE_FROM = "compiled.json"
"""Written beside this file by a build: SHA-256 of each compiled module's source, by its path in the package."""


def modules() -> tuple[str, ...]:
    """Names of the modules of this package that are loaded and run as C."""
    loaded = [name for name in sys.modules if name.startswith("rsc_share.")]
    specs = {name: getattr(sys.modules[name], "__spec__", None) for name in loaded}
    return tuple(
        sorted(n for n, spec in specs.items() if isinstance(getattr(spec, "loader", None), ExtensionFileLoader))
    )


def described() -> str:
    """For people, beside a rate: `interpreted`, or how many of the loaded modules are compiled."""
    found = len(modules())
    return f"{found} modules compiled" if found else "interpreted"


def is_compiled(function: object) -> bool:
    """Whether a function of this package runs as C: its compiled callers do not see what a test puts in its place."""
    return isinstance(function, BuiltinFunctionType) and (function.__module__ or "").startswith("rsc_share.")


def check(package: str = HERE) -> None:
    """Raises `LocalError` where a source changed since it was compiled: what is written would not be what decides."""
    made_from = os.path.join(package, MADE_FROM)
    if not os.path.exists(made_from):
        return
    import hashlib
    import json

    from rsc_share.errors import LocalError

    with open(made_from, "rb") as file:
        digests: dict[str, str] = json.load(file)
    for path, digest in digests.items():
        source = os.path.join(package, path)
        if os.path.exists(source):
            with open(source, "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() == digest:
                    continue
        advice = "compile again (make compiled), or go back to the sources (make interpreted)"
        raise LocalError(f"{path} is not what was compiled", advice=advice, path=path)
