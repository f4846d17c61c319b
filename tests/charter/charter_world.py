"""A framework of states on paper: keys, charter and a directory that grows one object at a time."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from rsc_share.charter.amendment import charter_object
from rsc_share.charter.certificate import Certificate, NodeCertificate, OfficerCertificate, certify
from rsc_share.charter.compose import channel, compose, new_charter, next_charter, node_spec
from rsc_share.charter.directory import Directory
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Charter, Fraction, Member, MemberEntitlement, Relay
from rsc_share.charter.prekey import Prekey, publish_prekey
from rsc_share.charter.quorum import pack_signatures, sign_charter
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.policy.bundle import pack_bundle
from rsc_share.value import replace

ROOT = Path(__file__).parents[2]
DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
BEGIN = 20_454 * DAY  # 2026-01-01
END = BEGIN + 1096 * DAY  # 2029-01-01, not included
T0 = BEGIN + 10 * DAY
STATES = ("EST", "FIN", "LTU", "LVA", "SWE")
RELAY = "relay.example:8443"
LOG = f"{RELAY}/regional/ct"


@cache
def key(name: str, suite: int = Suite.ED25519) -> PrivateKey:
    return PrivateKey.generate(suite, seed=name.encode())


def authority(code: str) -> PrivateKey:
    return key(f"{code} authority", Suite.HYBRID)


def duty(code: str) -> PrivateKey:
    return key(f"{code} duty")


def signing(node: str) -> PrivateKey:
    return key(f"{node} signing")


def witness(node: str) -> tuple[PrivateKey, PrivateKey]:
    return key(f"{node} witness"), key(f"{node} witness", Suite.ML_DSA_44)


def log_keys(host: str = RELAY) -> tuple[PrivateKey, PrivateKey]:
    return key(f"{host} log"), key(f"{host} log", Suite.ML_DSA_44)


@cache
def bundle() -> bytes:
    files = {
        "policy.toml": b'policy = "regional"\nversion = 1\nvalid = [2026-01-01, 2028-12-31]\n',
        "schemes/regional.toml": (ROOT / "policies/schemes/regional.toml").read_bytes(),
    }
    return pack_bundle(files)


def first_node(code: str, name: str = "mod-1"):
    node = f"{code}/{name}"
    one, two = witness(node)
    return node_spec(node, signing(node).public, (one.public, two.public), accreditation={"REGIONAL": "SECRET"})


def member(code: str, **changes) -> Member:
    found = Member(
        code=code,
        role="member",
        authority=authority(code).public.fingerprint,
        duty=duty(code).public.fingerprint,
        groups=frozenset({"@nordic"} if code in ("FIN", "SWE") else ()),
        entitlements={"REGIONAL": MemberEntitlement(frozenset({"RESTRICTED", "SECRET"}), {})},
        nodes={f"{code}/mod-1": first_node(code)},
    )
    return replace(found, **changes)


def relay(host: str = RELAY, operator: str = "SWE") -> Relay:
    one, two = log_keys(host)
    return Relay(host, operator, (one.public.fingerprint, two.public.fingerprint), ("ab" * 32,))


def charter_values(*codes: str, **changes) -> Charter:
    values = {
        "valid": (BEGIN, END),
        "members": [member(code) for code in codes or STATES],
        "relays": [relay()],
        "channels": [channel("ct", RELAY, ["@members"], ceiling={"REGIONAL": "SECRET"}, families=["terrorism"])],
        "directory_relay": RELAY,
        "policy": hashlib.sha256(bundle()).digest(),
        "witness_quorum": 3,
        "quorum": Fraction(2, 3),
        "quorum_remove": Fraction(3, 4),
    }
    return new_charter("regional", **{**values, **changes})


def parsed(values: Charter) -> Charter:
    return parse_charter(compose(values))


def known_keys(*extra: PrivateKey) -> dict[str, PrivateKey]:
    codes = (*STATES, "NOR", "DNK", "UNO", "AUD")
    found = [*extra, *log_keys(), *log_keys("second.example")]
    for code in codes:
        found += [authority(code), duty(code)]
        for name in ("mod-1", "mod-2"):
            found += [signing(f"{code}/{name}"), *witness(f"{code}/{name}")]
    return {item.public.fingerprint: item for item in found}


def ring_for(charter: Charter, *extra: PrivateKey) -> KeyRing:
    known = known_keys(*extra)
    return KeyRing.of(known[fingerprint].public for fingerprint in expected_suites(charter))


def signed(charter: Charter, framework_id: bytes | None, *signers: PrivateKey, ring: KeyRing | None = None):
    """The charter object and its bodies."""
    signatures = pack_signatures({s.public.key_id: sign_charter(charter.text, framework_id, s) for s in signers})
    keys = (ring or ring_for(charter)).pack()
    bodies = {hashlib.sha256(item).digest(): item for item in (charter.text, keys, signatures, bundle())}
    return charter_object(charter, keys, signatures), bodies


class World:
    """A directory with charter version 1 in it, and hands to sign more."""

    def __init__(self, *codes: str, **changes) -> None:
        self.charter = parsed(charter_values(*codes, **changes))
        self.now = T0
        self.directory = Directory.begin(self.charter.digest)
        self.id = self.charter.digest
        everyone = [authority(code) for code in self.charter.members]
        self.objects: list[tuple[bytes, int, dict[bytes, bytes]]] = []
        self.log(*signed(self.charter, None, *everyone))

    def log(self, data: bytes, bodies: dict[bytes, bytes] | None = None, *, after: int = 1000) -> None:
        self.now += after
        self.directory.apply(data, self.now, bodies or {})
        self.objects.append((data, self.now, bodies or {}))

    @property
    def view(self):
        return self.directory.at(self.directory.size)

    def amendment(self, *signers: str, extra: tuple[PrivateKey, ...] = (), ring=None, **changes):
        charter = parsed(next_charter(self.charter, **changes))
        self.proposed = charter
        keys = [authority(code) for code in signers]
        return signed(charter, self.id, *keys, *extra, ring=ring)

    def amend(self, *signers: str, **changes) -> None:
        self.log(*self.amendment(*signers, **changes))
        self.charter = self.proposed

    def with_member(self, code: str, **changes) -> dict[str, Member]:
        return {**self.charter.members, code: replace(self.charter.members[code], **changes)}

    def node(self, name: str, **changes) -> NodeCertificate:
        one, two = witness(name)
        values = {
            "signing": signing(name).public,
            "witness": (one.public, two.public),
            "realms": frozenset({"operational"}),
            "accreditation": {"REGIONAL": "SECRET"},
            "role": "full",
            "valid": (BEGIN, END),
            "issued": self.now,
        }
        return NodeCertificate(name, **{**values, **changes})

    def officer(self, name: str, **changes) -> OfficerCertificate:
        values = {
            "key": key(name).public,
            "powers": frozenset({"approve", "release"}),
            "valid": (BEGIN, END),
            "issued": self.now,
        }
        return OfficerCertificate(name, **{**values, **changes})

    def certify(self, certificate: Certificate, *others: PrivateKey, by: PrivateKey | None = None) -> bytes:
        return certify(certificate, self.id, by or authority(certificate.member), *others)

    def revoke(self, name: str, *, by: PrivateKey | None = None, **changes) -> bytes:
        values = {"subject": "node", "reason": "stolen", "issued": self.now}
        signer = by or authority(name.partition("/")[0])
        return revoke(Revocation(name, **{**values, **changes}), self.id, signer)

    def prekey(self, node: str, seed: str = "1", *, by: PrivateKey | None = None, created: int | None = None) -> bytes:
        public = hashlib.shake_256(f"{node} {seed}".encode()).digest(1216)
        prekey = Prekey(node, public, self.now if created is None else created)
        return publish_prekey(prekey, self.id, by or signing(node))
