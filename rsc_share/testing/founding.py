"""From parties to a signed charter version 1, and to the objects that change a framework afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from rsc_share.charter.amendment import charter_object
from rsc_share.charter.certificate import POWERS, OfficerCertificate, certify
from rsc_share.charter.compose import channel, compose, new_charter, next_charter
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Charter, Member, MemberEntitlement, Realm, Relay
from rsc_share.charter.parameters import DAY, Parameters
from rsc_share.charter.quorum import pack_signatures, sign_charter
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.signing import PrivateKey, PublicKey, Suite
from rsc_share.labels.scheme import SchemeSet
from rsc_share.policy.bundle import Bundle, pack_bundle
from rsc_share.policy.folder import shipped_files
from rsc_share.testing.people import NODE, Party
from rsc_share.value import replace

HOST = "relay.example"
OPERATOR = "HUB"
FAMILIES = ("threat", "terrorism", "cyber", "disaster")
STATES = ("EST", "LVA", "FIN")
SIGNABLE = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """A channel to be founded: its families, and its members (default: all states)."""

    name: str
    families: tuple[str, ...] = FAMILIES
    members: tuple[str, ...] = ()
    realm: Realm = "operational"
    ceiling: Mapping[str, str] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a framework is founded with. `cleared` caps members: code -> scheme -> highest level (default: all).

    `nodes` names a member's nodes where it has others than the one `mod-1`.
    """

    framework: str = "test-framework"
    members: tuple[str, ...] = STATES
    channels: tuple[ChannelPlan, ...] = (ChannelPlan("main"),)
    cleared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=Parameters)
    files: Mapping[str, bytes] = field(default_factory=shipped_files)
    witness_quorum: int | None = None
    seed: int = 0
    tls_pins: tuple[str, ...] = ("ab" * 32,)


@dataclass(frozen=True, slots=True)
class Founded:
    """A framework on paper: its charter, everybody's keys, and the relay's."""

    plan: Plan
    charter: Charter
    parties: Mapping[str, Party]
    log_keys: tuple[PrivateKey, PrivateKey] = field(repr=False)
    bundle: bytes = field(repr=False)
    extra: tuple[PublicKey, ...] = ()

    @property
    def framework_id(self) -> bytes:
        return self.charter.digest

    def genesis(self) -> SIGNABLE:
        """Version 1, signed by every founder: the directory object and its bodies."""
        return self.signed(self.charter, None, self.parties.values())

    def signed(self, charter: Charter, framework_id: bytes | None, signers: Iterable[Party]) -> SIGNABLE:
        """A charter signed by the authorities of `signers`: the directory object and its bodies."""
        made = {p.authority.public.key_id: sign_charter(charter.text, framework_id, p.authority) for p in signers}
        signatures, keys = pack_signatures(made), self.ring(charter).pack()
        bodies = {sha256(item).digest(): item for item in (charter.text, keys, signatures, self.bundle)}
        return charter_object(charter, keys, signatures), bodies

    def ring(self, charter: Charter) -> KeyRing:
        known = [*(key for party in self.parties.values() for key in party.public), *self.extra]
        known += [key.public for key in self.log_keys]
        by_fingerprint = {key.fingerprint: key for key in known}
        return KeyRing.of(by_fingerprint[fingerprint] for fingerprint in expected_suites(charter))

    def amended(self, current: Charter, members: Mapping[str, Member], signers: Sequence[str]) -> SIGNABLE:
        """The next version with other members, signed by `signers`."""
        charter = parse_charter(compose(next_charter(current, members=dict(members))))
        return self.signed(charter, self.framework_id, [self.parties[code] for code in signers])

    def officers(self, now: int) -> list[bytes]:
        """One officer's certificate for each member, with every power, countersigned by its first node."""
        made = []
        for party in self.parties.values():
            if party.nodes:
                post = OfficerCertificate(
                    party.officer_name, party.officer.public, frozenset(POWERS), self.charter.valid, now
                )
                made.append(certify(post, self.framework_id, party.authority, party.nodes[0].signing))
        return made


def found(plan: Plan, now: int) -> Founded:
    """Keys and charter of a framework, all from `plan.seed`. The relay is run by an observer, so no vote is lost."""
    parties = {code: Party.of(code, plan.seed, nodes=plan.nodes.get(code, (NODE,))) for code in plan.members}
    parties[OPERATOR] = Party.of(OPERATOR, plan.seed, role="observer")
    log_keys = (
        PrivateKey.generate(Suite.ED25519, seed=b"log %d" % plan.seed),
        PrivateKey.generate(Suite.ML_DSA_44, seed=b"log %d" % plan.seed),
    )
    bundle = pack_bundle(plan.files)
    schemes = Bundle.from_files(plan.files).schemes
    first_day = now // DAY * DAY - DAY
    charter = new_charter(
        plan.framework,
        valid=(first_day, first_day + 1096 * DAY),
        members=[_member(party, plan, schemes) for party in parties.values()],
        relays=[Relay(HOST, OPERATOR, (log_keys[0].public.fingerprint, log_keys[1].public.fingerprint), plan.tls_pins)],
        channels=[
            channel(
                item.name,
                HOST,
                item.members or plan.members,
                realm=item.realm,
                ceiling=item.ceiling or {name: _top(schemes, name) for name in schemes},
                families=item.families,
                limits=item.limits,
            )
            for item in plan.channels
        ],
        directory_relay=HOST,
        policy=sha256(bundle).digest(),
        witness_quorum=plan.witness_quorum or len(plan.members) // 2 + 1,
        parameters=plan.parameters,
        on_expiry="continue-restricted",
    )
    return Founded(plan, parse_charter(compose(charter)), parties, log_keys, bundle)


def _top(schemes: SchemeSet, name: str) -> str:
    return list(schemes[name].levels)[-1]


def _member(party: Party, plan: Plan, schemes: SchemeSet) -> Member:
    caps = plan.cleared.get(party.code, {})
    entitlements, accreditation = {}, {}
    for name, scheme in schemes.items():
        levels = list(scheme.levels)
        cap = caps.get(name, levels[-1])
        held = frozenset(levels[: levels.index(cap) + 1])
        tags = {
            tag.name: frozenset(tag.values) for tag in scheme.tags.values() if tag.type in ("restrictive", "permissive")
        }
        entitlements[name] = MemberEntitlement(held, tags)
        accreditation[name] = cap
    made = party.member(entitlements, accreditation, plan.titles.get(party.code, ""))
    return made if not plan.groups.get(party.code) else _with_groups(made, plan.groups[party.code])


def _with_groups(member: Member, groups: frozenset[str]) -> Member:
    return replace(member, groups=groups)
