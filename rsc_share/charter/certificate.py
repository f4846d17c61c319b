"""Certificates: a member's authority names a node or an officer and its keys.

    content of a node's:     {accreditation issued name realms role signing subject: "node" valid witness}
    content of an officer's: {issued key name powers subject: "officer" valid}

Signed by the member's authority; an active node of the member may countersign, and then it is active at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rsc_share import names, shape
from rsc_share.charter.model import NODE_ROLES, REALMS, NodeRole, Realm
from rsc_share.charter.objects import content_of, sign_object
from rsc_share.codec import unpack
from rsc_share.crypto.signing import PublicKey, Signer, Suite
from rsc_share.labels.label import level_name, scheme_id

Power = Literal["approve", "release", "acknowledge", "judge"]
POWERS: tuple[Power, ...] = ("acknowledge", "approve", "judge", "release")
_NODE_KEYS = ("accreditation", "issued", "name", "realms", "role", "signing", "subject", "valid", "witness")
_OFFICER_KEYS = ("issued", "key", "name", "powers", "subject", "valid")


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """A node and its keys. `valid` is `[from, until)` ms; `witness` is Ed25519 and ML-DSA-44."""

    name: str
    signing: PublicKey
    witness: tuple[PublicKey, PublicKey]
    realms: frozenset[Realm]
    accreditation: Mapping[str, str]
    role: NodeRole
    valid: tuple[int, int]
    issued: int

    @property
    def member(self) -> str:
        return names.member_of(self.name)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        return (self.signing, *self.witness)

    def content(self) -> dict[str, Any]:
        return {
            "accreditation": dict(self.accreditation),
            "issued": self.issued,
            "name": self.name,
            "realms": sorted(self.realms),
            "role": self.role,
            "signing": self.signing.wire(),
            "subject": "node",
            "valid": list(self.valid),
            "witness": [key.wire() for key in self.witness],
        }


@dataclass(frozen=True, slots=True)
class OfficerCertificate:
    """A pseudonymous post, its Ed25519 key and what its signature may do."""

    name: str
    key: PublicKey
    powers: frozenset[Power]
    valid: tuple[int, int]
    issued: int

    @property
    def member(self) -> str:
        return names.member_of(self.name)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        return (self.key,)

    def content(self) -> dict[str, Any]:
        return {
            "issued": self.issued,
            "key": self.key.wire(),
            "name": self.name,
            "powers": sorted(self.powers),
            "subject": "officer",
            "valid": list(self.valid),
        }


Certificate = NodeCertificate | OfficerCertificate


def certify(certificate: Certificate, framework_id: bytes, authority: Signer, *countersigner: Signer) -> bytes:
    """The directory object. `countersigner`: an active node of the same member, and it is active at once."""
    return sign_object("certificate", certificate.content(), framework_id, authority, *countersigner)


def read_certificate(content: bytes) -> Certificate:
    """What a certificate says; whether its signer may say it is the fold's question."""
    value = unpack(content, max_size=len(content))
    if isinstance(value, dict) and value.get("subject") == "officer":
        return _officer(content_of(content, "certificate", _OFFICER_KEYS))
    return _node(content_of(content, "certificate", _NODE_KEYS))


def _node(value: dict[str, Any]) -> NodeCertificate:
    shape.choice(value["subject"], "subject", ("node",))
    first, second = shape.row(value["witness"], "witness", 2)
    return NodeCertificate(
        name=names.node(value["name"], "name"),
        signing=_key(value["signing"], "signing", Suite.ED25519),
        witness=(_key(first, "witness[0]", Suite.ED25519), _key(second, "witness[1]", Suite.ML_DSA_44)),
        realms=frozenset(_chosen(value["realms"], "realms", REALMS)),
        accreditation=_levels(value["accreditation"], "accreditation"),
        role=shape.choice(value["role"], "role", NODE_ROLES),
        valid=_valid(value["valid"]),
        issued=shape.integer(value["issued"], "issued"),
    )


def _officer(value: dict[str, Any]) -> OfficerCertificate:
    return OfficerCertificate(
        name=names.officer(value["name"], "name"),
        key=_key(value["key"], "key", Suite.ED25519),
        powers=frozenset(_chosen(value["powers"], "powers", POWERS)),
        valid=_valid(value["valid"]),
        issued=shape.integer(value["issued"], "issued"),
    )


def _key(value: Any, where: str, suite: Suite) -> PublicKey:
    key = PublicKey.from_wire(value, where)
    if key.suite != suite:
        raise shape.wrong(where, f"needs a key of suite {suite.name}")
    return key


def _chosen(value: Any, where: str, allowed: tuple[Any, ...]) -> list[Any]:
    found = [shape.choice(item, where, allowed) for item in shape.items(value, where, low=1, high=len(allowed))]
    shape.ascending(found, where)
    return found


def _levels(value: Any, where: str) -> dict[str, str]:
    if type(value) is not dict or len(value) > 64:
        raise shape.wrong(where, "needs a map of at most 64 schemes to levels")
    return {scheme_id(scheme, where): level_name(level, f"{where}.{scheme}") for scheme, level in value.items()}


def _valid(value: Any) -> tuple[int, int]:
    begin, end = shape.row(value, "valid", 2)
    start = shape.integer(begin, "valid[0]")
    return start, shape.integer(end, "valid[1]", low=start + 1)
