"""What a few members may write into policy without a quorum, and the bundle with their rows in it."""

from __future__ import annotations

import tomllib
from typing import Any

from rsc_share.charter.rowtext import Agreement, Restriction
from rsc_share.errors import RemoteError


def agreement_rows(found: Agreement) -> None:
    """An agreement permits its parties' own material and nobody else's."""
    for row in _rows(found.rows):
        if not set(_from(row)) <= set(found.parties):
            raise RemoteError("an agreement permits only its signers' own material", code="rows")


def restriction_rows(found: Restriction) -> None:
    """A restriction narrows, and only over its member's own material."""
    for row in _rows(found.rows):
        if row.get("effect") not in ("deny", "ceiling"):
            raise RemoteError("a restriction can only deny or set a ceiling", code="rows")
        if _from(row) != [found.member]:
            raise RemoteError("a restriction is about its member's own material", code="rows")


def _rows(data: bytes) -> list[dict[str, Any]]:
    try:
        value = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        raise RemoteError("the rows are not TOML", code="rows") from None
    rows = value.get("agreement", [])
    if value.keys() - {"agreement"} or type(rows) is not list or not all(type(row) is dict for row in rows):
        raise RemoteError("rows are written [[agreement]]", code="rows")
    return rows


def _from(row: dict[str, Any]) -> list[str]:
    value = row.get("from")
    if type(value) is not list or not value or not all(type(item) is str for item in value):
        raise RemoteError("a row needs its originators in `from`", code="rows")
    return value
