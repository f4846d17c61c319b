"""Small readers that turn an unpacked value into a typed one, or say which part of what is wrong.

Every reader takes the value, the name of the place it stands in (for the message), and bounds.
All raise `RemoteError` with code `malformed` and the field `where`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from rsc_share.codec import INT_MAX
from rsc_share.errors import RemoteError

T = TypeVar("T")


def wrong(where: str, what: str) -> RemoteError:
    return RemoteError(f"{where}: {what}", where=where)


def integer(value: Any, where: str, *, low: int = 0, high: int = INT_MAX) -> int:
    if type(value) is not int or not low <= value <= high:
        raise wrong(where, f"needs a whole number from {low} to {high}")
    return value


def flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise wrong(where, "needs true or false")
    return value


def text(value: Any, where: str, *, low: int = 0, high: int = 255) -> str:
    """A string of `low` to `high` characters without control characters."""
    if type(value) is not str or not low <= len(value) <= high:
        raise wrong(where, f"needs a text of {low} to {high} characters")
    if not value.isprintable() and any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise wrong(where, "holds control characters")
    return value


def blob(value: Any, where: str, *, size: int | None = None, low: int = 0, high: int = 65_535) -> bytes:
    if type(value) is not bytes or (len(value) != size if size is not None else not low <= len(value) <= high):
        wanted = f"exactly {size}" if size is not None else f"{low} to {high}"
        raise wrong(where, f"needs {wanted} bytes")
    return value


def items(value: Any, where: str, *, low: int = 0, high: int = 1024) -> list[Any]:
    if type(value) is not list or not low <= len(value) <= high:
        raise wrong(where, f"needs a list of {low} to {high} items")
    return value


def row(value: Any, where: str, length: int) -> list[Any]:
    """A list of exactly `length` items."""
    if type(value) is not list or len(value) != length:
        raise wrong(where, f"needs a list of exactly {length} items")
    return value


def closed(value: Any, where: str, keys: Collection[str]) -> dict[str, Any]:
    """A map with exactly `keys`: an unknown key is refused, a missing one too (absent is nil, not missing)."""
    if type(value) is not dict:
        raise wrong(where, "needs a map")
    if len(value) != len(keys) or not all(map(value.__contains__, keys)):
        odd = sorted(value.keys() ^ set(keys))
        raise wrong(where, f"keys missing or unknown: {', '.join(odd)[:200]}")
    return value


def choice(value: Any, where: str, allowed: Collection[T]) -> T:
    if type(value) not in (str, int) or value not in allowed:
        raise wrong(where, f"is not one of {', '.join(sorted(map(str, allowed)))}")
    found: T = value
    return found


def maybe(read: Callable[..., T], value: Any, where: str, **bounds: Any) -> T | None:
    """nil, or what `read` makes of the value."""
    return None if value is None else read(value, where, **bounds)


def each(read: Callable[..., T], value: Any, where: str, *, low: int = 0, high: int = 1024, **bounds: Any) -> list[T]:
    """A list whose every item passes `read`."""
    if not items(value, where, low=low, high=high):
        return []
    return [read(item, f"{where}[{i}]", **bounds) for i, item in enumerate(value)]


def ascending(values: Sequence[Any], where: str) -> None:
    """Strictly rising: sorted and without duplicates, so that a set has one spelling."""
    if len(values) > 1 and not all(map(operator.lt, values, values[1:])):
        raise wrong(where, "is not sorted and free of duplicates")
