"""Which lines of a parser were reached. Measured with coverage.py, on the functions a target names and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import coverage
from targets import Target

from rsc_share.charter.text import parse_charter
from rsc_share.policy.bundle import _unpacked

REMEMBER = (parse_charter, _unpacked)
"""Parsers that are not run again on what they read a moment ago."""


@dataclass(frozen=True)
class Reached:
    """Lines of one parser: `missing` by file."""

    total: int
    missing: dict[str, tuple[int, ...]]

    @property
    def percent(self) -> float:
        lost = sum(map(len, self.missing.values()))
        return 100.0 * (self.total - lost) / self.total if self.total else 100.0


def measure(target: Target, inputs: Iterable[bytes]) -> Reached:
    """Run `inputs` and say what of the parser they reached."""
    wanted: dict[str, set[int]] = {}
    for item in target.measured:
        for code in _codes(item):
            wanted.setdefault(code.co_filename, set()).update(_body(code))
    for remembers in REMEMBER:
        remembers.cache_clear()
    watch = coverage.Coverage(data_file=None, branch=False, include=list(wanted), config_file=False)
    watch.start()
    try:
        for data in inputs:
            target(data)
    finally:
        watch.stop()
    found = watch.get_data()
    missing = {file: tuple(sorted(lines - set(found.lines(file) or ()))) for file, lines in wanted.items()}
    return Reached(sum(map(len, wanted.values())), {file: lines for file, lines in missing.items() if lines})


def _codes(item: Any) -> Iterator[CodeType]:
    """The code of a function, of a class's or module's own functions."""
    if isinstance(item, ModuleType):
        for value in vars(item).values():
            if getattr(value, "__module__", None) == item.__name__ and isinstance(value, FunctionType):
                yield value.__code__
    elif isinstance(item, type):
        for value in vars(item).values():
            inner = value.fget if isinstance(value, property) else value
            if isinstance(inner, FunctionType) and inner.__code__.co_filename == inspect.getfile(item):
                yield inner.__code__
    else:
        yield inspect.unwrap(getattr(item, "__func__", item)).__code__


def _body(code: CodeType) -> set[int]:
    """Lines that run when the function runs: without its own `def`, with those of the functions inside it."""
    found = {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= {line for _, _, line in constant.co_lines() if line is not None} - {constant.co_firstlineno}
    return found
