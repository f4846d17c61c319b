"""Revocations: a member ends its own node or officer, at once. Content: `{issued name reason subject suspect_from}`.

Signed by the member's authority, or by its duty key, which the authority confirms by revoking the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rsc_share import names, shape
from rsc_share.charter.objects import content_of, sign_object
from rsc_share.crypto.signing import Signer

_KEYS = ("issued", "name", "reason", "subject", "suspect_from")


@dataclass(frozen=True, slots=True)
class Revocation:
    """Every certificate of `name` so far ends. `suspect_from`: log origin and index from which entries are doubted."""

    name: str
    subject: Literal["node", "officer"]
    reason: str
    issued: int
    suspect_from: tuple[tuple[str, int], ...] = ()

    @property
    def member(self) -> str:
        return names.member_of(self.name)

    def content(self) -> dict[str, Any]:
        return {
            "issued": self.issued,
            "name": self.name,
            "reason": self.reason,
            "subject": self.subject,
            "suspect_from": [list(item) for item in sorted(self.suspect_from)],
        }


def revoke(revocation: Revocation, framework_id: bytes, signer: Signer) -> bytes:
    """The directory object; `signer` is the member's authority or duty key."""
    return sign_object("revocation", revocation.content(), framework_id, signer)


def read_revocation(content: bytes) -> Revocation:
    value = content_of(content, "revocation", _KEYS)
    subject: Literal["node", "officer"] = shape.choice(value["subject"], "subject", ("node", "officer"))
    suspect = [_suspect(item) for item in shape.items(value["suspect_from"], "suspect_from", high=64)]
    shape.ascending([log for log, _ in suspect], "suspect_from")
    return Revocation(
        name=names.node(value["name"], "name"),
        subject=subject,
        reason=shape.text(value["reason"], "reason", high=500),
        issued=shape.integer(value["issued"], "issued"),
        suspect_from=tuple(suspect),
    )


def _suspect(value: Any) -> tuple[str, int]:
    log, index = shape.row(value, "suspect_from", 2)
    return names.origin(log, "suspect_from"), shape.integer(index, "suspect_from")
