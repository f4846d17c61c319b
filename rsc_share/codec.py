"""Strict msgpack: one spelling for every value, bounded before anything is allocated.

What is signed here is bytes, so two spellings of one value would be two messages. Rules on top of
https://github.com/msgpack/msgpack/blob/master/spec.md:

- shortest form for every integer, string, binary, list and map header;
- map keys are strings, unique, in UTF-8 byte order; strings are valid UTF-8; no extension types;
- floats are 64 bit, finite and never negative zero; integers lie in -2^63 .. 2^63 - 1;
- nesting and list lengths are bounded.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgpack
import msgspec

from rsc_share.errors import LocalError, RemoteError

MAX_DEPTH = 16
MAX_ITEMS = 1024
"""Default bound on one list or map. msgpack allocates what a header *claims*, once per nesting level."""
_TEXTS = {str}
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1

Value = Any
"""None, bool, int, float, str, bytes, list[Value] or dict[str, Value]."""


def pack(value: Value) -> bytes:
    """The one spelling of `value`. Raises `LocalError` for what the format cannot hold."""
    try:
        return _dump(value if _as_is(value) else _ordered(value, MAX_DEPTH))
    except UnicodeEncodeError:
        raise LocalError("a text holds half a surrogate pair, which UTF-8 cannot spell") from None


def unpack(data: bytes, *, max_size: int, max_items: int = MAX_ITEMS, max_depth: int = MAX_DEPTH) -> Value:
    """The value whose one spelling is `data`. Raises `RemoteError` (`malformed`) for anything else."""
    if len(data) > max_size:
        raise RemoteError(f"{len(data)} bytes where at most {max_size} are allowed", limit=max_size)
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            use_list=True,
            strict_map_key=True,
            ext_hook=_no_extensions,
            max_array_len=max_items,
            max_map_len=max_items,
            max_ext_len=0,
        )
    except RemoteError:
        raise
    except (ValueError, msgpack.UnpackException):  # msgpack's own errors and bad UTF-8 are ValueErrors
        # Not what the library says of it: that depends on its version, and this stands in auditors' reports.
        raise RemoteError("not msgpack, or more of it than is allowed here") from None
    _check(value, max_depth)
    if _dump(value) != data:
        raise RemoteError("not the one spelling of its value (a longer form of a number or length, a key twice)")
    return value


again: Final = msgspec.msgpack.Encoder().encode
"""The bytes of a value, or of a part of one, that `unpack` returned, or of a list of our own texts and bytes: what has
nothing to sort and nothing to refuse is not looked through."""
# Written by msgspec, which takes a fifth of the time; read by msgpack, which bounds what it allocates. That both spell
# every value alike is a test, and every reading writes what it read again.
_dump: Final = again


def _as_is(value: Value) -> bool:
    """Whether `value` can be written without sorting or refusing anything: most of what is written is made in order."""
    try:
        _check(value, MAX_DEPTH)
    except RemoteError:
        return False
    return True


def _ordered(value: Value, depth: int) -> Value:
    """`value` with sorted maps, or `LocalError`: what we write we must be able to read."""
    kind = type(value)
    if value is None or kind in (bool, str, bytes):
        return value
    if kind is int:
        if not INT_MIN <= value <= INT_MAX:
            raise LocalError(f"integer {value} is outside 64 bits")
        return value
    if kind is float:
        if not _plain_float(value):
            raise LocalError(f"float {value!r} has no one spelling")
        return value
    if depth == 0:
        raise LocalError(f"nested deeper than {MAX_DEPTH}")
    if kind in (list, tuple):
        return [_ordered(item, depth - 1) for item in value]
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise LocalError("map keys must be strings")
        return {key: _ordered(value[key], depth - 1) for key in sorted(value)}
    raise LocalError(f"{kind.__name__} cannot be encoded")


def _check(value: Value, depth: int) -> None:
    """Bounds that msgpack does not know. Level by level, because calls are what costs here."""
    level: list[Any] = [[value]]
    for _ in range(depth + 1):
        inner: list[Any] = []
        for container in level:
            for item in container:
                kind = type(item)
                if kind is bytes or kind is str or kind is bool or item is None:
                    continue
                if kind is int:
                    if not INT_MIN <= item <= INT_MAX:
                        raise RemoteError("integer outside 64 bits")
                elif kind is list or kind is tuple:  # of what is to be written; nothing is read as one
                    inner.append(item)
                elif kind is dict:
                    _check_keys(list(item))
                    inner.append(item.values())
                elif kind is not float:
                    raise RemoteError(f"{kind.__name__} is not allowed")
                elif not _plain_float(item):
                    raise RemoteError("float that has no one spelling")
        if not inner:
            return
        level = inner
    raise RemoteError("nested too deep")


def _plain_float(value: float) -> bool:
    return math.isfinite(value) and not (value == 0 and math.copysign(1.0, value) < 0)


def _check_keys(keys: list[Any]) -> None:
    """Sorted texts. Of a key that stood there twice one is left, and the map is then shorter than its bytes."""
    if keys and set(map(type, keys)) != _TEXTS:
        raise RemoteError("map key is not a string")
    # Python compares strings by code point, which for valid UTF-8 is the order of the bytes.
    if keys != sorted(keys):
        raise RemoteError("map keys are not sorted")


def _no_extensions(code: int, data: bytes) -> Any:
    raise RemoteError(f"extension type {code} is not allowed")
