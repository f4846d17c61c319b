"""Trust as of one size of the directory: cheap questions, answered the same way by relay, node and auditor.

`now` is always an argument: in the rulebook it is the entry's `logged_at`. What is not known is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsc_share.charter.certificate import NodeCertificate, OfficerCertificate, Power
from rsc_share.charter.core import Circle, Core, Slot, WitnessKey
from rsc_share.charter.facts import NodeFact, OfficerFact, Restricted, Revoked, State, current
from rsc_share.charter.logs import LogSpec
from rsc_share.charter.model import Charter, Closed
from rsc_share.charter.parameters import CONFIRM_WITHIN, Parameters
from rsc_share.charter.prekeys import PrekeyRecord, Prekeys
from rsc_share.errors import Refused
from rsc_share.names import member_of
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.subject import ChannelFacts, Subject

QUIET_KINDS = frozenset({"heartbeat", "acknowledgement"})
"""What observers and receive-only nodes may send."""


class DirectoryView:
    """The directory at `size` entries. Immutable; build it with `Directory.at`."""

    __slots__ = ("_core", "_prekeys", "_slot", "charter", "directory", "framework_id", "logs", "parameters", "size")

    charter: Charter
    """The newest charter at this size."""
    parameters: Parameters
    directory: str
    """The log origin of the directory."""
    logs: Mapping[str, LogSpec]
    """By origin."""

    def __init__(self, framework_id: bytes, size: int, core: Core, prekeys: Prekeys) -> None:
        self.framework_id = framework_id
        self.size = size
        self._core = core
        self._prekeys = prekeys
        self.charter = core.state.version.charter
        self.parameters = self.charter.parameters
        self.directory = self.charter.directory
        self.logs = core.logs
        self._slot = core.slot(self.charter.valid[0])

    def __repr__(self) -> str:
        return f"DirectoryView({self.charter.framework}, size={self.size}, charter version {self.charter.version})"

    @property
    def state(self) -> State:
        """The facts behind the answers, for reports."""
        return self._core.state

    def _at(self, now: int) -> Slot:
        slot = self._slot
        if not slot.low <= now < slot.high:
            slot = self._slot = self._core.slot(now)
        return slot

    def memo(self, now: int) -> dict[tuple[str, str], Any]:
        """Room for what is derived from trust at `now` and nothing else, by (what, log): gone when trust changes."""
        return self._at(now).memo

    # --- time and charter

    def frozen(self, now: int) -> bool:
        """The charter has ended and says freeze: nothing is sent, granted or admitted."""
        return self._core.frozen(now)

    def expired(self, now: int) -> bool:
        """The charter has ended; under continue-restricted everything goes on, marked, and nothing is added."""
        return now >= self.charter.valid[1]

    # --- nodes

    def is_active(self, node: str, now: int) -> bool:
        """Certified, its delay over, not revoked, within its time, its member a party and not suspended."""
        slot = self._slot
        if not slot.low <= now < slot.high:
            slot = self._at(now)
        return node in slot.active

    def active_nodes(self, channel: str, now: int) -> tuple[str, ...]:
        """Sorted nodes that take part in a channel (its name or log origin) and may be addressed there."""
        return self._core.circle(self._at(now), channel).nodes

    def circle(self, channel: str, now: int) -> Circle:
        """The same nodes, also as a set and as policy sees them: one value as long as nothing about them changes."""
        slot = self._slot
        if not slot.low <= now < slot.high:
            slot = self._at(now)
        return slot.circles.get(channel) or self._core.circle(slot, channel)

    def certificate(self, node: str, now: int) -> NodeCertificate | None:
        """The node's certificate within its time, whatever its member's standing; None if there is none."""
        return self._at(now).current.get(node)

    def sender(self, node: str, now: int, log: str | None = None, kind: str | None = None) -> NodeCertificate:
        """The certificate of a node that may send, or `Refused`, row 3: `unknown-sender revoked suspended role`.

        With `log` the node must take part in it, with `kind` its role must allow that kind of entry.
        """
        slot = self._slot
        if not slot.low <= now < slot.high:
            slot = self._at(now)
        found = slot.senders.get((node, log, kind))
        return found if found is not None else self._find_sender(slot, node, now, log, kind)

    def _find_sender(self, slot: Slot, node: str, now: int, log: str | None, kind: str | None) -> NodeCertificate:
        found = slot.active.get(node)
        if found is None:
            raise self._why_not(node, now)
        if log is not None:
            self._takes_part(found, log)
        self._role_allows(found, kind)
        slot.senders[node, log, kind] = found
        return found

    def _takes_part(self, certificate: NodeCertificate, log: str) -> None:
        spec = self.logs.get(log)
        if spec is None:
            raise Refused("unknown-log", f"{log} is not a log of this charter", row=2, log=log)
        if certificate.member not in spec.members:
            raise Refused("role", f"{certificate.member} does not take part in {spec.channel}", row=3)
        if spec.realm not in certificate.realms:
            raise Refused("role", f"{certificate.name} is not certified for the {spec.realm} realm", row=3)

    def _role_allows(self, certificate: NodeCertificate, kind: str | None) -> None:
        role = self.charter.members[certificate.member].role
        if role == "auditor" or certificate.role == "witness":
            raise Refused("role", f"{certificate.name} sends nothing: {role}, {certificate.role}", row=3)
        quiet = role == "observer" or certificate.role == "receive"
        if quiet and kind is not None and kind not in QUIET_KINDS:
            raise Refused("role", f"{certificate.name} does not send a {kind}: {role}, {certificate.role}", row=3)

    def _why_not(self, node: str, now: int) -> Refused:
        code = member_of(node)
        member = self.charter.members.get(code)
        facts = self._core.node_facts.get(node, ())
        if member is None or not facts:
            return Refused("unknown-sender", f"{node} is not certified in this directory", row=3, node=node)
        if member.suspended:
            return Refused("suspended", f"{code} is suspended", row=3, node=node)
        if node in self._at(now).current:
            return Refused("role", "the charter has ended and freezes", row=3, node=node, reason="charter-expired")
        if all(fact.revoked for fact in facts):
            return Refused("revoked", f"{node} is revoked", row=3, node=node)
        return Refused("unknown-sender", f"{node} has no certificate for this time", row=3, node=node)

    def node_facts(self, node: str) -> tuple[NodeFact, ...]:
        """Every certificate of a node that this size knows, newest last: waiting, active, ended or revoked."""
        return self._core.node_facts.get(node, ())

    def certificates(self, member: str) -> tuple[NodeFact | OfficerFact, ...]:
        """Everything a member has certified, in the order of the directory: a node watches this for its own member."""
        party = self._core.state.party(member)
        held: list[NodeFact | OfficerFact] = [fact for facts in party.nodes.values() for fact in facts]
        held.extend(fact for facts in party.officers.values() for fact in facts)
        return tuple(sorted(held, key=lambda fact: fact.place.index))

    def suspect_from(self, node: str, log: str) -> int | None:
        """The index in `log` from which a revoked node's entries are doubted; None where nothing is."""
        revocations = self._core.state.party(member_of(node)).revocations.get(node, ())
        doubted = [index for item in revocations for where, index in item.revocation.suspect_from if where == log]
        return min(doubted, default=None)

    def prekey(self, node: str, now: int) -> PrekeyRecord | None:
        """The node's newest prekey, if it is younger than PREKEY_MAX. One from before a revocation does not count."""
        party = self._core.state.party(member_of(node))
        revocations = party.revocations.get(node)
        found = self._prekeys.newest(node, self.size, revocations[-1].place.index if revocations else -1)
        if found is None or found.created + self.parameters.prekey_max <= now:
            return None
        return found

    def subject(self, node: str, now: int) -> Subject:
        """What policy decides about; `Refused` as `sender` for a node that is not active."""
        slot = self._at(now)
        known = slot.subjects.get(node)  # of active nodes only
        if known is not None:
            return known
        found = slot.active.get(node)
        if found is None:
            raise self._why_not(node, now)
        return self._core.subject(slot, found)

    # --- logs

    def log(self, origin: str) -> LogSpec | None:
        """The log in the charter at this size, or None."""
        return self.logs.get(origin)

    def closed(self, origin: str) -> Closed | None:
        """Where a log that the charter closed ended."""
        return next((item for item in self.charter.closed if item.log == origin), None)

    def channel_facts(self, log: str, now: int) -> ChannelFacts:
        """What policy knows of a log's channel; `Refused` (`unknown-log`, row 2) if the charter has no such log."""
        known = self._core.channels.get(log)
        if known is not None:
            return known
        spec = self.logs.get(log)
        if spec is None:
            raise Refused("unknown-log", f"{log} is not a log of this charter", row=2, log=log)
        return self._core.add_channel(spec)

    # --- policy

    def bundle(self, now: int) -> Bundle:
        """The policy in force: the charter's bundle with the rows of every agreement and restriction below `size`.

        One value for all sizes between which neither changed. `now` changes nothing: rows carry their own days.
        """
        return self._core.bundle()

    # --- officers

    def officer(self, key_id: bytes, now: int, power: Power | None = None) -> OfficerCertificate:
        """The officer whose key this is, active at `now` and holding `power`; `Refused`, row 12, otherwise."""
        facts = self._core.officer_facts.get(key_id, ())
        member = self.charter.members.get(facts[-1].certificate.member) if facts else None
        if member is None:
            raise Refused("unknown-officer", "no officer has this key", row=12, key=key_id)
        name = facts[-1].certificate.name
        if member.suspended or self.frozen(now):
            raise Refused("suspended", f"{member.code} is suspended, or the charter frozen", row=12, key=key_id)
        fact = current(facts, now)
        if fact is None:
            code = "revoked" if all(item.revoked for item in facts) else "unknown-officer"
            raise Refused(code, f"{name} has no certificate for this time", row=12, key=key_id)
        if power is not None and power not in fact.certificate.powers:
            raise Refused("role", f"{name} may not {power}", row=12, key=key_id)
        return fact.certificate

    # --- witnesses

    def witnesses(self, now: int, log: str | None = None) -> Mapping[str, tuple[WitnessKey, ...]]:
        """Members that may witness `log` (default: the directory), each with its nodes' witness keys."""
        spec = self.logs.get(log or self.directory)
        if spec is None:
            raise Refused("unknown-log", f"{log} is not a log of this charter", row=2, log=log)
        return self._core.witnesses(self._at(now), spec.operator)

    # --- restrictive acts

    def unconfirmed(self, now: int) -> tuple[Revoked | Restricted, ...]:
        """Acts of duty keys that their authority has not confirmed in 72 hours: in force, and to be asked about."""
        state = self._core.state
        acts: list[Revoked | Restricted] = list(state.restrictions())
        for party in state.parties.values():
            acts.extend(fact for facts in party.revocations.values() for fact in facts)
        return tuple(a for a in acts if not a.confirmed and now - a.place.logged_at > CONFIRM_WITHIN)
