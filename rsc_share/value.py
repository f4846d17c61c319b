"""Values that are made by the million: immutable, compared by what they hold, and cheap to make.

A frozen dataclass pays a call of the interpreter for each of its fields whenever one is made; a `Value` is filled in C.
Everything on the way of an entry from bytes to a verdict is one. What is made a few times a day may stay a dataclass.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

T = TypeVar("T")


@runtime_checkable
class _Replaceable(Protocol):
    def __replace__(self, **changes: Any) -> Any: ...


class Value(msgspec.Struct, frozen=True):
    """The base of such a type: fields by position or by name, in the order of their lines."""


def replace(value: T, **changes: Any) -> T:
    """A copy with these fields changed, of a `Value`, of a dataclass or of whatever says how (`copy.replace` of later
    Pythons)."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, _Replaceable):
        found: T = value.__replace__(**changes)
        return found
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]
