"""Values that are made by the million: immutable, compared by what they hold, and cheap to make.

A frozen dataclass pays a call of the interpreter for each of its fields whenever one is made; a `Value` is filled in C.
Everything on the way of an entry from bytes to a verdict is one. What is made a few times a day may stay a dataclass.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True):
    """The base of such a type: fields by position or by name, in the order of their lines."""


def replace(value: T, **changes: Any) -> T:
    """A copy with these fields changed, of a `Value` or of a dataclass (`copy.replace` of later Pythons)."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]
