"""JSON with one spelling: sorted keys, one space of indent, ASCII, a final newline. No floats.

Manifests and reports are signed and compared by digest, so a second spelling of one value would be another document.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any

from rsc_share.errors import LocalError, RemoteError


def encode(value: Any) -> bytes:
    """The one spelling of `value`: None, bool, int, str, list or dict with string keys."""
    return (_spelled(value, "\n") + "\n").encode("ascii")


def rows_of(value: dict[str, Any]) -> dict[str, str]:
    """The spelled row of every key of a document, for `join`."""
    return _rows(value, "\n ")


def join(rows: dict[str, str], *without: str) -> bytes:
    """The document of these rows, as `encode` spells it, or the same without some keys: what a seal covers."""
    return (_object([row for key, row in rows.items() if key not in without], "\n") + "\n").encode("ascii")


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
    return decode_rows(data, where)[0]


def decode_rows(data: bytes, where: str) -> tuple[Any, dict[str, str]]:
    """As `decode`, and if it is a map the rows it is spelled with."""
    try:
        value = json.loads(data.decode("ascii"))
        rows = rows_of(value) if type(value) is dict else {}
        again = join(rows) if type(value) is dict else encode(value)
    except (ValueError, RecursionError, LocalError) as error:
        raise RemoteError(f"{where}: is not JSON: {error}", where=where) from None
    if again != data:
        raise RemoteError(f"{where}: is not in the one spelling a {where} has", where=where)
    return value, rows
