"""What recipients say they hold. Delivery is the recipient's signed word, never the relay's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.node.alarms import Alarms
from rsc_share.node.store.late import Runs
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered, Ticket
from rsc_share.node.tickets import Tickets

SILENT_AFTER = 25 * 3_600_000
HEARD_EVERY = 600_000
"""ms between two notes of when a node was heard: exact enough for an alarm after 25 hours."""
_STATES = {"stored": "stored", "opened": "handed-over"}


def _nobody(header_hash: bytes) -> None:
    """Nobody keeps anything for a resend."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """One logged entry of ours."""

    seq: int
    header_hash: bytes
    logged_at: int
    ticket: Ticket | None
    reference: str


To = tuple[Addressed, tuple[str, ...]]


def _to_wire(row: To) -> list[object]:
    entry, nodes = row
    ticket = None if entry.ticket is None else entry.ticket.id
    return [entry.seq, entry.header_hash, entry.logged_at, ticket, entry.reference, list(nodes)]


@dataclass(slots=True)
class Recipient:
    """Our entries to one node, in order. What a number counts has been dealt with and is not looked at again."""

    entries: list[Addressed] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    confirmed: int = 0
    told: dict[str, int] = field(default_factory=dict)
    """By state: how many have it in their tickets."""
    alarmed: int = 0

    def add(self, entry: Addressed) -> None:
        self.places[entry.header_hash] = len(self.entries)
        self.entries.append(entry)

    def confirm(self, upto: int) -> list[Addressed]:
        """What is confirmed for the first time."""
        new = self.entries[self.confirmed : upto]
        self.confirmed = max(self.confirmed, upto)
        return new

    def tell(self, state: str, upto: int) -> list[Addressed]:
        """What reaches a state for the first time."""
        start = self.told.get(state, 0)
        self.told[state] = max(start, upto)
        return self.entries[start:upto]

    def overdue(self, before: int) -> list[Addressed]:
        """What was logged before a time (ms), is not confirmed, and has not been told yet."""
        start = at = max(self.confirmed, self.alarmed)
        while at < len(self.entries) and self.entries[at].logged_at < before:
            at += 1
        self.alarmed = at
        return self.entries[start:at]


class Deliveries:
    """Per receiving node, our entries in order; a statement about one covers all before it."""

    def __init__(self, alarms: Alarms, log: str, shelf: Shelf, tickets: Tickets) -> None:
        self._alarms, self._log, self._shelf = alarms, log, shelf
        self._to: dict[str, Recipient] = {}
        self._heard: dict[str, int] = {}
        self._waiting: dict[bytes, int] = {}
        self.delivered: Callable[[bytes], None] = _nobody
        """Called with the header hash of an entry once its last recipient has confirmed it."""
        self._logged = Runs[To](shelf, Room.ADDRESSED, lambda row: row[0].seq, _to_wire)
        self._noted: dict[str, int] = dict(shelf.rows(Room.HEARD))
        self._heard.update(self._noted)
        self._load(tickets)

    def _load(self, tickets: Tickets) -> None:
        for seq, digest, logged_at, ticket, reference, nodes in self._logged.values():
            self._add(nodes, Addressed(seq, digest, logged_at, tickets.get(ticket), reference))
        for node, seq in self._shelf.rows(Room.CONFIRMED):
            to = self._to.get(node, Recipient())
            for entry in to.confirm(sum(entry.seq <= seq for entry in to.entries)):
                self._less(entry)

    def logged(self, nodes: tuple[str, ...], entry: Addressed) -> None:
        self._logged.add((entry, nodes))
        self._add(nodes, entry)

    def _add(self, nodes: Sequence[str], entry: Addressed) -> None:
        self._waiting[entry.header_hash] = len(nodes)
        for node in nodes:
            self._to.setdefault(node, Recipient()).add(entry)

    def heard(self, node: str, now: int) -> None:
        """Anything at all from a node of the channel."""
        self._heard[node] = max(now, self._heard.get(node, 0))
        if self._heard[node] - self._noted.get(node, 0) >= HEARD_EVERY:
            self._noted[node] = self._heard[node]
            self._shelf.put(Room.HEARD, node, self._noted[node])

    def stated(self, node: str, header_hash: bytes, state: str, now: int) -> None:
        """`node` says it holds our entry `header_hash` in `state`; the caller has verified the statement."""
        to = self._to.get(node)
        at = None if to is None else to.places.get(header_hash)
        if to is None or at is None:
            return
        held = at + 1
        if state not in _STATES:
            held, reference = at, to.entries[at].reference
            what = f"{node} could not open {reference}: {state}"
            self._alarms.raise_("bad-delivery", f"{node}/{reference}", what, now)
        new = to.confirm(held)
        if new:
            # One number for each node says it all: a statement covers everything before it.
            self._shelf.put(Room.CONFIRMED, node, new[-1].seq)
        for entry in new:
            if not self._less(entry):
                self.delivered(entry.header_hash)
        said = _STATES.get(state, "stored")
        for entry in to.tell(said, held):
            if entry.ticket is not None:
                entry.ticket.deliver(Delivered(names.member_of(node), said, now))

    def _less(self, entry: Addressed) -> int:
        """How many recipients have not confirmed it, after one more has."""
        left = self._waiting[entry.header_hash] = self._waiting[entry.header_hash] - 1
        if not left:
            del self._waiting[entry.header_hash]
        return left

    def watch(self, now: int, deadline: int, active: tuple[str, ...]) -> None:
        """Raise `undelivered` for what no recipient has confirmed in time, `silent` for a node that says nothing."""
        for node, to in self._to.items():
            for entry in to.overdue(now - deadline):
                what = f"{node} has not confirmed {entry.reference}"
                self._alarms.raise_("undelivered", f"{node}/{entry.reference}", what, now, node=node)
        for node in active:
            first = self._heard.setdefault(node, now)
            if now - first > SILENT_AFTER:
                self._alarms.raise_("silent", f"{self._log}/{node}", f"{node} has said nothing for 25 hours", now)
