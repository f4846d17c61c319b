"""JSON with one spelling: sorted keys, one space of indent, ASCII, a final newline. No floats.

Manifests and reports are signed and compared by digest, so a second spelling of one value would be another document.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any, Literal

import msgspec

from rsc_share.errors import LocalError, RemoteError


def encode(value: Any) -> bytes:
    """The one spelling of `value`: None, bool, int, str, list or dict with string keys."""
    return (_spelled(value, "\n") + "\n").encode("ascii")


def _spelled(value: Any, line: str) -> str:
    """As `json.dumps(value, sort_keys=True, indent=1)`, which leaves its fast path for the indent: a manifest has a
    line for every body of a log."""
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is dict:
        return _object(list(_rows(value, line + " ").values()), line)
    if type(value) in (list, tuple):
        inner = line + " "
        items = [inner + _spelled(item, inner) for item in value]
        return f"[{','.join(items)}{line}]" if items else "[]"
    if value is None or type(value) in (bool, int):
        return json.dumps(value)
    raise LocalError(f"{type(value).__name__} has no place in a canonical document")


def _rows(value: dict[str, Any], inner: str) -> dict[str, str]:
    if not all(type(key) is str for key in value):
        raise LocalError("keys of a canonical document are texts")
    return {key: f"{inner}{encode_basestring_ascii(key)}: {_spelled(value[key], inner)}" for key in sorted(value)}


def _object(rows: list[str], line: str) -> str:
    return f"{{{','.join(rows)}{line}}}" if rows else "{}"


def decode(data: bytes, where: str) -> Any:
    """The value whose one spelling is `data`; `RemoteError` (`malformed`) for anything else."""
    plain = _plain(data)
    if plain is not None:
        return plain
    try:
        value = json.loads(data.decode("ascii"))
        again = encode(value)
    except (ValueError, RecursionError, LocalError):
        # Not what Python says of it: each version says something else, and this stands in reports.
        raise RemoteError(f"{where}: is not JSON, or holds a fraction", where=where) from None
    if again != data:
        raise RemoteError(f"{where}: is not in its one spelling", where=where)
    return value


def _plain(data: bytes) -> Any | None:
    """The value, if `data` is its one spelling and holds nothing that would be spelled with a backslash.

    A manifest has a line for every body of a log: msgspec writes the same bytes as `encode` in a tenth of the time, as
    long as no text needs an escape and no number is a fraction. Whatever is not settled here is read the long way.
    """
    if not has_no_escapes(data):
        return None
    try:
        value = json.loads(data, parse_float=_no_fraction, parse_constant=_no_fraction)
        return value if spells(value, data) else None
    except (ValueError, RecursionError, OverflowError):
        return None


def has_no_escapes(data: bytes) -> bool:
    return data.isascii() and b"\\" not in data and b"\x7f" not in data


def fast(value: Any) -> bytes:
    """As `encode`, where no text of `value` needs an escape (ask `has_no_escapes` of the result).

    A msgspec form is spelled in the order of its lines, which must be the alphabet's.
    """
    return _fast(value) + b"\n"


def spells(value: Any, data: bytes) -> bool:
    """Whether `data` is `fast(value)`."""
    found = _fast(value)
    return len(data) == len(found) + 1 and data.startswith(found) and data.endswith(b"\n")


def _fast(value: Any) -> bytes:
    order: Literal["sorted"] | None = None if isinstance(value, msgspec.Struct) else "sorted"
    return msgspec.json.format(msgspec.json.encode(value, order=order), indent=1)


def _no_fraction(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")
