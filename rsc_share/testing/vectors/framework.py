"""A framework of four states, a relay operator and an auditor: its charter, and objects for its directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from rsc_share.charter.amendment import charter_object
from rsc_share.charter.certificate import POWERS, NodeCertificate, OfficerCertificate, Power, certify
from rsc_share.charter.compose import channel, compose, new_charter, next_charter, node_spec
from rsc_share.charter.directory import Directory
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Charter, Member, MemberEntitlement, Relay
from rsc_share.charter.prekey import Prekey as PrekeyObject
from rsc_share.charter.prekey import publish_prekey
from rsc_share.charter.quorum import pack_signatures, sign_charter
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.sealing import Prekey
from rsc_share.crypto.signing import Suite
from rsc_share.errors import RscError
from rsc_share.testing.vectors import rules
from rsc_share.testing.vectors.material import BEGIN, DAY, T0, FixedSigner, Material

HOST = "relay.example"
LOG, DIRECTORY = f"{HOST}/regional/ct", f"{HOST}/regional/directory"
STATES = ("EST", "FIN", "LTU", "LVA")
ALL = (*STATES, "HUB", "AUD")


@dataclass
class Logged:
    """One entry of the directory as the vectors write it."""

    data: bytes
    logged_at: int
    why: str
    code: str | None


@dataclass
class Framework:
    """Grows one directory object at a time; `bodies` are the charters' by SHA-256."""

    material: Material
    charter: Charter = field(init=False)
    first: Charter = field(init=False)
    directory: Directory = field(init=False)
    now: int = T0
    entries: list[Logged] = field(default_factory=list)
    bodies: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self.charter = self.parsed(self.values())
        self.directory = Directory.begin(self.charter.digest)
        self.log(self.signed(self.charter, None, *ALL), "charter version 1, signed by every founder")

    @property
    def id(self) -> bytes:
        return self.directory.framework_id

    def authority(self, code: str) -> FixedSigner:
        return self.material.key(f"{code} authority", Suite.HYBRID)

    def duty(self, code: str) -> FixedSigner:
        return self.material.key(f"{code} duty")

    def signing(self, node: str) -> FixedSigner:
        return self.material.key(f"{node} signing")

    def witness(self, node: str) -> tuple[FixedSigner, FixedSigner]:
        return self.material.key(f"{node} witness"), self.material.key(f"{node} witness", Suite.ML_DSA_44)

    def log_keys(self) -> tuple[FixedSigner, FixedSigner]:
        return self.material.key("log"), self.material.key("log", Suite.ML_DSA_44)

    def prekey(self, node: str, number: int = 1) -> Prekey:
        return Prekey.generate(seed=f"{node} {number}".encode())

    def values(self, **changes: Any) -> Charter:
        one, two = self.log_keys()
        channels = [
            channel("ct", HOST, ["@members"], ceiling={"REGIONAL": "SECRET"}, families=["threat"], retention_days=365),
            channel("play", HOST, ["EST", "FIN"], realm="exercise", ceiling={"PACT": "BLACK"}, families=["threat"]),
        ]
        given: dict[str, Any] = {
            "valid": (BEGIN, BEGIN + 365 * DAY),
            "members": [self.member(code) for code in ALL],
            "relays": [Relay(HOST, "HUB", (one.public.fingerprint, two.public.fingerprint), ("ab" * 32,))],
            "channels": channels,
            "directory_relay": HOST,
            "policy": hashlib.sha256(rules.PACKED).digest(),
            "witness_quorum": 3,
            "erasure": ["EST/duty-1"],
        }
        return new_charter("regional", **{**given, **changes})

    def member(self, code: str) -> Member:
        state = code in STATES
        held = MemberEntitlement(
            frozenset({"OPEN", "RESTRICTED", "SECRET"}), {"caveat": frozenset({"CRYPTO", "SOURCE-SENSITIVE"})}
        )
        node = f"{code}/mod-1"
        first, second = self.witness(node)
        spec = node_spec(
            node, self.signing(node).public, (first.public, second.public), accreditation={"REGIONAL": "SECRET"}
        )
        return Member(
            code=code,
            role="member" if state else "observer" if code == "HUB" else "auditor",
            authority=self.authority(code).public.fingerprint,
            duty=self.duty(code).public.fingerprint if state else None,
            title="Relay operator" if code == "HUB" else "",
            groups=frozenset({"@nordic"} if code == "FIN" else ()),
            entitlements={"REGIONAL": held} if state else {},
            nodes={node: spec} if state else {},
        )

    def parsed(self, values: Charter) -> Charter:
        return parse_charter(compose(values))

    def next(self, **changes: Any) -> Charter:
        return self.parsed(next_charter(self.charter, **changes))

    def ring(self, charter: Charter) -> KeyRing:
        known = {key.public.fingerprint: key.public for key in self.material.keys.values()}
        return KeyRing.of(known[fingerprint] for fingerprint in expected_suites(charter))

    def signed(self, charter: Charter, framework_id: bytes | None, *codes: str) -> bytes:
        """The charter object; its bodies are kept."""
        signers = [self.authority(code) for code in codes]
        signatures = pack_signatures({s.public.key_id: sign_charter(charter.text, framework_id, s) for s in signers})
        keys = self.ring(charter).pack()
        for body in (charter.text, keys, signatures, rules.PACKED):
            self.bodies[hashlib.sha256(body).digest()] = body
        return charter_object(charter, keys, signatures)

    def log(self, data: bytes, why: str, *, after: int = 1000) -> str | None:
        """Log an object whether it applies or not: what does not is void. Its code, None if it applies."""
        self.now += after
        code = None
        try:
            self.directory.apply(data, self.now, self.bodies)
        except RscError as error:
            code = error.code
            self.directory.void(self.now, code)
        self.entries.append(Logged(data, self.now, why, code))
        return code

    def publish(
        self, node: str, number: int = 1, *, by: FixedSigner | None = None, created: int | None = None
    ) -> bytes:
        prekey = PrekeyObject(node, self.prekey(node, number).public, self.now if created is None else created)
        return publish_prekey(prekey, self.id, by or self.signing(node))

    def node(self, name: str, **changes: Any) -> NodeCertificate:
        first, second = self.witness(name)
        given: dict[str, Any] = {
            "signing": self.signing(name).public,
            "witness": (first.public, second.public),
            "realms": frozenset({"operational", "exercise"}),
            "accreditation": {"REGIONAL": "SECRET"},
            "role": "full",
            "valid": (BEGIN, BEGIN + 365 * DAY),
            "issued": self.now,
        }
        return NodeCertificate(name, **{**given, **changes})

    def officer(self, name: str, *powers: Power) -> OfficerCertificate:
        held = frozenset(powers or POWERS)
        return OfficerCertificate(
            name, self.material.key(f"{name} officer").public, held, (BEGIN, BEGIN + 365 * DAY), self.now
        )

    def revoke(self, name: str, *, by: FixedSigner | None = None, **changes: Any) -> bytes:
        given: dict[str, Any] = {"subject": "node", "reason": "stolen", "issued": self.now}
        return revoke(Revocation(name, **{**given, **changes}), self.id, by or self.authority(name[:3]))

    def certify(self, certificate: NodeCertificate | OfficerCertificate, *others: FixedSigner) -> bytes:
        return certify(certificate, self.id, self.authority(certificate.member), *others)
