"""JSON from strangers (RFC 8259), read so that two readers cannot see two documents in it.

Refused: duplicate keys, NaN and Infinity, numbers a double cannot hold, bad UTF-8, a byte order mark, deep nesting.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from rsc_share.errors import RemoteError

MAX_DEPTH = 64


class _Refused(ValueError):
    """Raised inside the parser's hooks, which know no file name."""


def load_json(data: bytes, name: str) -> Any:
    """The value in `data`. Raises `RemoteError` with `file` and, where the parser knows it, `line`."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        what = f"{name}: line {error.lineno}, column {error.colno}: {error.msg}"
        raise RemoteError(what, code="bad-json", file=name, line=error.lineno) from None
    except RecursionError:
        raise _deep(name) from None
    except ValueError as error:  # bad UTF-8, an integer of thousands of digits, or our own refusal
        raise RemoteError(f"{name}: {error}", code="bad-json", file=name) from None
    if _depth_exceeds(value, MAX_DEPTH):
        raise _deep(name)
    return value


def _deep(name: str) -> RemoteError:
    return RemoteError(f"{name}: nested deeper than {MAX_DEPTH}", code="bad-json", file=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise _Refused(f"key {json.dumps(twice[:80])} stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise _Refused(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused(f"number {digits[:40]} is too large")
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [inner for item in level for inner in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if type(value) is dict:
        return list(value.values())
    return value if type(value) is list else []
