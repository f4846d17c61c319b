"""Answers about one state, cached by the spans of time in which they stay the same.

Between two instants at which a certificate begins or ends, nothing about who is active changes. Each such span is a
`Slot`; the many entries judged inside it share its answers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rsc_share.charter.certificate import NodeCertificate
from rsc_share.charter.facts import NodeFact, OfficerFact, State, current
from rsc_share.charter.logs import LogSpec, log_specs
from rsc_share.charter.model import MEMBERS, Member, NodeSpec
from rsc_share.charter.rules import Bundles
from rsc_share.codec import INT_MAX, INT_MIN
from rsc_share.crypto.signing import PublicKey
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.subject import ChannelFacts, Entitlement, Subject


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A node's witness keys under the name they sign notes with, `<framework>/<node>`."""

    name: str
    node: str
    ed25519: PublicKey
    mldsa44: PublicKey


@dataclass(frozen=True, slots=True)
class Circle:
    """Who takes part in one channel and may be addressed there: sorted, as a set, and as policy sees them, in the
    order of `nodes`."""

    nodes: tuple[str, ...]
    active: frozenset[str]
    readers: tuple[Subject, ...]


NOBODY = Circle((), frozenset(), ())


@dataclass(slots=True)
class Slot:
    """Answers for `low <= now < high`. `current`: certificates within their time; `active`: those that may act."""

    low: int
    high: int
    current: Mapping[str, NodeCertificate]
    active: Mapping[str, NodeCertificate]
    circles: dict[str, Circle] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    senders: dict[tuple[str, str | None, str | None], NodeCertificate] = field(default_factory=dict)
    """Who may send what where, of those who may: (node, log, kind)."""
    witnesses: dict[str, Mapping[str, tuple[WitnessKey, ...]]] = field(default_factory=dict)
    memo: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Room for what upper floors derive from these answers; never part of them."""


class Core:
    """One state with its answers. Views of every size between two non-prekey entries share it."""

    __slots__ = ("_bundle", "_bundles", "_edges", "_slots", "channels", "logs", "node_facts", "officer_facts", "state")

    def __init__(self, state: State, bundles: Bundles) -> None:
        self.state = state
        self._bundles = bundles
        self._bundle: Bundle | None = None
        self.logs: Mapping[str, LogSpec] = log_specs(state)
        self.node_facts: dict[str, tuple[NodeFact, ...]] = {}
        self.officer_facts: dict[bytes, tuple[OfficerFact, ...]] = {}
        for party in state.parties.values():
            self.node_facts.update(party.nodes)
            for facts in party.officers.values():
                for fact in facts:
                    key_id = fact.certificate.key.key_id
                    self.officer_facts[key_id] = (*self.officer_facts.get(key_id, ()), fact)
        self._edges = self._boundaries()
        self._slots: dict[int, Slot] = {}
        self.channels: dict[str, ChannelFacts] = {}
        """What policy knows of the channel of each log that was asked for, by origin."""

    def _boundaries(self) -> list[int]:
        edges = {INT_MIN, *self.state.charter.valid}
        for facts in self.node_facts.values():
            for fact in facts:
                edges.update((fact.active_from, fact.until))
        return sorted(edges)

    def slot(self, now: int) -> Slot:
        position = bisect_right(self._edges, now) - 1
        found = self._slots.get(position)
        if found is None:
            high = self._edges[position + 1] if position + 1 < len(self._edges) else INT_MAX + 1
            found = self._slots[position] = self._fill(self._edges[position], high)
        return found

    def _fill(self, low: int, high: int) -> Slot:
        held: dict[str, NodeCertificate] = {}
        for name, facts in sorted(self.node_facts.items()):
            fact = current(facts, low)
            if fact is not None:
                held[name] = fact.certificate
        frozen = self.frozen(low)
        return Slot(low, high, held, {} if frozen else {n: c for n, c in held.items() if self._may_act(c)})

    def _may_act(self, certificate: NodeCertificate) -> bool:
        member = self.state.charter.members.get(certificate.member)
        return member is not None and not member.suspended

    def frozen(self, now: int) -> bool:
        """After the last day of a charter that freezes: nobody sends, is granted or reads anything new."""
        charter = self.state.charter
        return now >= charter.valid[1] and charter.on_expiry == "freeze"

    def circle(self, slot: Slot, channel: str) -> Circle:
        found = slot.circles.get(channel)
        if found is None:
            found = slot.circles[channel] = self._circle(slot, channel)
        return found

    def _circle(self, slot: Slot, channel: str) -> Circle:
        spec = self.logs.get(channel) or next((s for s in self.logs.values() if s.channel == channel), None)
        if spec is None:
            return NOBODY
        members = self.state.charter.members
        nodes = tuple(
            name
            for name, certificate in slot.active.items()
            if certificate.member in spec.members
            and spec.realm in certificate.realms
            and certificate.role != "witness"
            and members[certificate.member].role != "auditor"
        )
        return Circle(nodes, frozenset(nodes), tuple(self.subject(slot, slot.active[node]) for node in nodes))

    def subject(self, slot: Slot, certificate: NodeCertificate) -> Subject:
        found = slot.subjects.get(certificate.name)
        if found is None:
            member = self.state.charter.members[certificate.member]
            found = slot.subjects[certificate.name] = subject_of(member, certificate)
        return found

    def add_channel(self, spec: LogSpec) -> ChannelFacts:
        """Work out what stands in `channels` from now on."""
        channel = self.state.charter.channels.get(spec.channel)
        found = self.channels[spec.log] = ChannelFacts(
            name=spec.channel,
            realm=spec.realm,
            members=spec.members,
            ceiling=dict(channel.ceiling) if channel else {},
            families=channel.families if channel else frozenset(),
        )
        return found

    def bundle(self) -> Bundle:
        found = self._bundle
        if found is None:
            found = self._bundle = self._bundles.at(self.state)
        return found

    def witnesses(self, slot: Slot, operator: str) -> Mapping[str, tuple[WitnessKey, ...]]:
        """Members that may witness the logs of a relay run by `operator`, with their nodes' keys."""
        found = slot.witnesses.get(operator)
        if found is None:
            found = slot.witnesses[operator] = self._witnesses(slot, operator)
        return found

    def _witnesses(self, slot: Slot, operator: str) -> Mapping[str, tuple[WitnessKey, ...]]:
        charter = self.state.charter
        found: dict[str, tuple[WitnessKey, ...]] = {}
        # `current`, not `active`: an expired charter still needs witnesses, for the amendment that follows it.
        for name, certificate in slot.current.items():
            member = charter.members.get(certificate.member)
            if member is not None and member.votes and member.code != operator:
                key = WitnessKey(f"{charter.framework}/{name}", name, *certificate.witness)
                found[member.code] = (*found.get(member.code, ()), key)
        return found


def subject_of(member: Member, node: NodeCertificate | NodeSpec) -> Subject:
    """What policy decides about: a member's entitlements on one of its nodes."""
    return Subject(
        node=node.name,
        member=member.code,
        groups=member.groups | {MEMBERS} if member.role != "auditor" else frozenset(),
        entitlements={s: Entitlement(e.levels, dict(e.tags)) for s, e in member.entitlements.items()},
        accreditation=dict(node.accreditation),
    )
