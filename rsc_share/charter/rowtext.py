"""Agreements and restrictions: policy rows that a few members sign, without a quorum.

    agreement:   {id issued parties rows}   signed by every party's authority; permits only the parties' own material
    restriction: {id issued member rows}    signed by that member's authority or duty key; can only narrow

`rows` is the TOML that people read, in the vocabulary of the policy bundle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.charter.objects import content_of, sign_object
from rsc_share.crypto.signing import Signer

MAX_PARTIES = 12
"""12 hybrid signatures and the rows fit one entry; more parties than that amend the charter."""
MAX_ROWS = 16_384
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """`rows`: TOML bytes. `issued` ms; a later one with the same id and parties replaces it."""

    id: str
    parties: tuple[str, ...]
    rows: bytes
    issued: int

    def content(self) -> dict[str, Any]:
        return {"id": self.id, "issued": self.issued, "parties": sorted(self.parties), "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Restriction:
    """`rows`: TOML bytes, empty to lift the restriction (which only the authority can)."""

    id: str
    member: str
    rows: bytes
    issued: int

    def content(self) -> dict[str, Any]:
        return {"id": self.id, "issued": self.issued, "member": self.member, "rows": self.rows}


def agree(agreement: Agreement, framework_id: bytes, *authorities: Signer) -> bytes:
    """The directory object; parties that have not signed yet add theirs with `objects.add_signature`."""
    return sign_object("agreement", agreement.content(), framework_id, *authorities)


def restrict(restriction: Restriction, framework_id: bytes, signer: Signer) -> bytes:
    """The directory object; `signer` is the member's authority or duty key."""
    return sign_object("restriction", restriction.content(), framework_id, signer)


def read_agreement(content: bytes) -> Agreement:
    value = content_of(content, "agreement", ("id", "issued", "parties", "rows"))
    parties: list[str] = shape.each(names.member, value["parties"], "parties", low=2, high=MAX_PARTIES)
    shape.ascending(parties, "parties")
    return Agreement(
        id=_id(value["id"]),
        parties=tuple(parties),
        rows=shape.blob(value["rows"], "rows", low=1, high=MAX_ROWS),
        issued=shape.integer(value["issued"], "issued"),
    )


def read_restriction(content: bytes) -> Restriction:
    value = content_of(content, "restriction", ("id", "issued", "member", "rows"))
    return Restriction(
        id=_id(value["id"]),
        member=names.member(value["member"], "member"),
        rows=shape.blob(value["rows"], "rows", high=MAX_ROWS),
        issued=shape.integer(value["issued"], "issued"),
    )


def _id(value: Any) -> str:
    found = shape.text(value, "id", low=1, high=64)
    if not _ID.fullmatch(found):
        raise shape.wrong("id", "is not an id such as EST-FIN-2026-ct")
    return found
