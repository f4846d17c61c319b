"""JSON with one spelling: sorted keys, one space of indent, ASCII, a final newline. No floats.

Manifests and reports are signed and compared by digest, so a second spelling of one value would be another document.
"""

from __future__ import annotations

import json
from typing import Any

from rsc_share.errors import RemoteError


def encode(value: Any) -> bytes:
    """The one spelling of `value`: None, bool, int, str, list or dict with string keys."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False)
    return (text + "\n").encode("ascii")


def decode(data: bytes, where: str) -> Any:
    """The value whose one spelling is `data`; `RemoteError` (`malformed`) for anything else."""
    try:
        value = json.loads(data.decode("ascii"))
        again = encode(value)
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"{where}: is not JSON: {error}", where=where) from None
    if again != data:
        raise RemoteError(f"{where}: is not in the one spelling a {where} has", where=where)
    return value
