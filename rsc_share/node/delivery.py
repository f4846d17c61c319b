"""What recipients say they hold. Delivery is the recipient's signed word, never the relay's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rsc_share import names
from rsc_share.node.alarms import Alarms
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered, Ticket
from rsc_share.node.tickets import Tickets

SILENT_AFTER = 25 * 3_600_000
HEARD_EVERY = 600_000
"""ms between two notes of when a node was heard: exact enough for an alarm after 25 hours."""
_STATES = {"stored": "stored", "opened": "handed-over"}


def _nobody(header_hash: bytes) -> None:
    """Nobody keeps anything for a resend."""


@dataclass(slots=True)
class Addressed:
    """One logged entry of ours to one node."""

    seq: int
    header_hash: bytes
    logged_at: int
    ticket: Ticket | None
    reference: str
    received: bool = False


class Deliveries:
    """Per receiving node, our entries in order; a statement about one covers all before it."""

    def __init__(self, alarms: Alarms, log: str, shelf: Shelf, tickets: Tickets) -> None:
        self._alarms, self._log, self._shelf = alarms, log, shelf
        self._to: dict[str, list[Addressed]] = {}
        self._heard: dict[str, int] = {}
        self._waiting: dict[bytes, int] = {}
        self.delivered: Callable[[bytes], None] = _nobody
        """Called with the header hash of an entry once its last recipient has confirmed it."""
        self._noted: dict[str, int] = dict(shelf.rows(Room.HEARD))
        self._heard.update(self._noted)
        self._load(tickets)

    def _load(self, tickets: Tickets) -> None:
        self._confirmed: dict[str, int] = dict(self._shelf.rows(Room.CONFIRMED))
        for seq, (digest, logged_at, ticket, reference, nodes) in sorted(self._shelf.rows(Room.ADDRESSED)):
            entry = Addressed(seq, digest, logged_at, tickets.get(ticket), reference)
            self._add(nodes, entry)
            for node in nodes:
                if seq <= self._confirmed.get(node, 0):
                    self._to[node][-1].received = True
                    self._waiting[digest] -= 1
            if not self._waiting[digest]:
                del self._waiting[digest]

    def logged(self, nodes: tuple[str, ...], entry: Addressed) -> None:
        ticket = None if entry.ticket is None else entry.ticket.id
        self._shelf.put(
            Room.ADDRESSED, entry.seq, [entry.header_hash, entry.logged_at, ticket, entry.reference, list(nodes)]
        )
        self._add(nodes, entry)

    def _add(self, nodes: Sequence[str], entry: Addressed) -> None:
        self._waiting[entry.header_hash] = len(nodes)
        for node in nodes:
            self._to.setdefault(node, []).append(replace(entry))

    def heard(self, node: str, now: int) -> None:
        """Anything at all from a node of the channel."""
        self._heard[node] = max(now, self._heard.get(node, 0))
        if self._heard[node] - self._noted.get(node, 0) >= HEARD_EVERY:
            self._noted[node] = self._heard[node]
            self._shelf.put(Room.HEARD, node, self._noted[node])

    def stated(self, node: str, header_hash: bytes, state: str, now: int) -> None:
        """`node` says it holds our entry `header_hash` in `state`; the caller has verified the statement."""
        rows = self._to.get(node, [])
        at = next((i for i, row in enumerate(rows) if row.header_hash == header_hash), None)
        if at is None:
            return
        if state not in _STATES:
            row = rows[at]
            self._alarms.raise_(
                "bad-delivery", f"{node}/{row.reference}", f"{node} could not open {row.reference}: {state}", now
            )
            at -= 1
        if at >= 0:
            # One number for each node says it all: a statement covers everything before it.
            self._confirmed[node] = max(rows[at].seq, self._confirmed.get(node, 0))
            self._shelf.put(Room.CONFIRMED, node, self._confirmed[node])
        for row in rows[: at + 1]:
            if not row.received:
                self._confirm(row)
            if row.ticket is not None:
                row.ticket.deliver(Delivered(names.member_of(node), _STATES.get(state, "stored"), now))

    def _confirm(self, row: Addressed) -> None:
        row.received = True
        self._waiting[row.header_hash] -= 1
        if not self._waiting[row.header_hash]:
            del self._waiting[row.header_hash]
            self.delivered(row.header_hash)

    def watch(self, now: int, deadline: int, active: tuple[str, ...]) -> None:
        """Raise `undelivered` for what no recipient has confirmed in time, `silent` for a node that says nothing."""
        for node, rows in self._to.items():
            for row in rows:
                if not row.received and now - row.logged_at > deadline:
                    what = f"{node} has not confirmed {row.reference}"
                    self._alarms.raise_("undelivered", f"{node}/{row.reference}", what, now, node=node)
        for node in active:
            first = self._heard.setdefault(node, now)
            if now - first > SILENT_AFTER:
                self._alarms.raise_("silent", f"{self._log}/{node}", f"{node} has said nothing for 25 hours", now)
