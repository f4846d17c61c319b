"""What recipients say they hold. Delivery is the recipient's signed word, never the relay's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from rsc_share import names
from rsc_share.node.alarms import Alarms
from rsc_share.node.store.late import Late
from rsc_share.node.store.ledger import Ledger, fingerprint
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered, Ticket

SILENT_AFTER = 25 * 3_600_000
HEARD_EVERY = 600_000
"""ms between two notes of when a node was heard: exact enough for an alarm after 25 hours."""
STORED, OPENED = "stored", "handed-over"
_STATES = {"stored": STORED, "opened": OPENED}
WATCHED = "watched"
_HASH = 1
"""Of a record of our entries: the field that stands for the header."""


def _nobody(item_id: bytes) -> None:
    """Nobody keeps anything for a resend."""


def _unheld(seq: int) -> Ticket | None:
    """Nobody holds a ticket."""
    return None


@dataclass(frozen=True, slots=True)
class Addressed:
    """One logged message entry of ours, and the nodes it is for."""

    seq: int
    header_hash: bytes
    logged_at: int
    item_id: bytes
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """`node` has everything of ours that is for it, up to number `seq`, in `state`; heard at `since` (ms)."""

    node: str
    state: str
    seq: int
    since: int


@lru_cache(maxsize=4096)
def _key(node: str, state: str) -> int:
    return fingerprint(node, state)


def _mark_entry(entry: Addressed) -> tuple[int, ...]:
    return entry.seq, fingerprint(entry.header_hash), entry.logged_at


def _entry_wire(entry: Addressed) -> list[object]:
    return [entry.header_hash, entry.item_id, list(entry.nodes)]


def _mark_stated(said: Stated) -> tuple[int, ...]:
    return _key(said.node, said.state), said.seq, said.since


class Deliveries:
    """Our entries in order, and what each node has said: a statement about one covers all before it.

    So nothing is kept for an entry and a recipient: a statement is 24 bytes, an entry of ours 32, and the steps of a
    message are worked out when somebody asks for them.
    """

    def __init__(self, alarms: Alarms, log: str, me: str, shelf: Shelf) -> None:
        self._alarms, self._log, self._me, self._shelf = alarms, log, me, shelf
        # Any node may state something about a header that never was, as often as it likes.
        self._logged = Ledger[Addressed](shelf, Room.ADDRESSED, 3, _mark_entry, _entry_wire, often=_HASH)
        self._stated = Ledger[Stated](shelf, Room.CONFIRMED, 3, _mark_stated)
        self._upto: dict[int, int] = {}
        """Newest number by fingerprint of node and state."""
        for key, seq, _ in self._stated.records():
            self._upto[key] = seq
        self._noted: dict[str, int] = dict(shelf.rows(Room.HEARD))
        self._heard = dict(self._noted)
        self._watched: int = shelf.get(Room.META, WATCHED) or 0
        """How many of our entries were looked at when their deadline had passed."""
        self._watched_row = Late(shelf, lambda: shelf.put(Room.META, WATCHED, self._watched))
        self.delivered: Callable[[bytes], None] = _nobody
        """Called with the id of an item once its last recipient has confirmed it."""
        self.held: Callable[[int], Ticket | None] = _unheld
        """The ticket of our entry of a number, if it is in memory: it is told what is stated. All others work it out
        when they are read."""

    def logged(self, entry: Addressed) -> None:
        self._logged.add(entry)

    def heard(self, node: str, now: int) -> None:
        """Anything at all from a node of the channel."""
        self._heard[node] = max(now, self._heard.get(node, 0))
        if self._heard[node] - self._noted.get(node, 0) >= HEARD_EVERY:
            self._noted[node] = self._heard[node]
            self._shelf.put(Room.HEARD, node, self._noted[node])

    def stated(self, node: str, header_hash: bytes, state: str, now: int) -> None:
        """`node` says it holds our entry `header_hash` in `state`; the caller has verified the statement."""
        number = self._number(header_hash)
        if number is None or node not in self._nodes(number):
            return
        seq = self._logged.record(number)[0]
        if state not in _STATES:
            reference = names.reference(self._me, names.channel_of(self._log), seq)
            what = f"{node} could not open {reference}: {state}"
            self._alarms.raise_("bad-delivery", f"{node}/{reference}", what, now)
            seq -= 1
        self._say(Stated(node, _STATES.get(state, STORED), seq, now))

    def _say(self, said: Stated) -> None:
        key = _key(said.node, said.state)
        told, confirmed = self._upto.get(key, 0), self._confirmed(said.node)
        if said.seq <= told:
            return
        self._upto[key] = said.seq
        self._stated.add(said)
        for number in self._between(confirmed, said.seq):
            nodes = self._nodes(number)
            seq = self._logged.record(number)[0]
            if said.node in nodes and all(self._confirmed(node) >= seq for node in nodes):
                self.delivered(self._logged.value(number)[1])
        self._tell(said, told)

    def _tell(self, said: Stated, told: int) -> None:
        for number in self._between(told, said.seq):
            ticket = self.held(self._logged.record(number)[0])
            if ticket is not None and said.node in self._nodes(number):
                ticket.deliver(Delivered(names.member_of(said.node), said.state, said.since))

    def _confirmed(self, node: str) -> int:
        """The number up to which a node holds everything that is for it, in whatever good state."""
        return max(self._upto.get(_key(node, state), 0) for state in (STORED, OPENED))

    def _between(self, after: int, upto: int) -> range:
        """Numbers in the ledger of our entries with sequence numbers from above `after` up to `upto`."""
        return range(self._logged.bisect(after + 1), self._logged.bisect(upto + 1))

    def _number(self, header_hash: bytes) -> int | None:
        found = self._logged.find(_HASH, fingerprint(header_hash))
        return next((number for number in found if self._logged.value(number)[0] == header_hash), None)

    def _nodes(self, number: int) -> list[str]:
        nodes: list[str] = self._logged.value(number)[2]
        return nodes

    def _nodes_of(self, seq: int) -> list[str]:
        """Whom our entry number `seq` is for; nobody where it is no message."""
        return [node for number in self._between(seq - 1, seq) for node in self._nodes(number)]

    def item(self, header_hash: bytes) -> bytes | None:
        """The id of the item that became this entry of ours."""
        number = self._number(header_hash)
        return None if number is None else self._logged.value(number)[1]

    def steps(self, ticket: Ticket) -> Iterator[Delivered]:
        """What was stated of the portions of a message so far, oldest first."""
        found: list[tuple[int, Delivered]] = []
        for place in ticket.places.values():
            for node in self._nodes_of(place.seq):
                for state in (STORED, OPENED):
                    number = self._first(_key(node, state), place.seq)
                    if number is not None:
                        since = self._stated.record(number)[2]
                        found.append((number, Delivered(names.member_of(node), state, since)))
        return (step for _, step in sorted(found, key=lambda row: row[0]))

    def _first(self, key: int, seq: int) -> int | None:
        """The first statement that covers number `seq`. What is stated only rises: the search goes back from now."""
        first = None
        for number in self._stated.find(0, key):
            if self._stated.record(number)[1] < seq:
                break
            first = number
        return first

    def watch(self, now: int, deadline: int, active: tuple[str, ...]) -> None:
        """Raise `undelivered` for what no recipient has confirmed in time, `silent` for a node that says nothing."""
        while self._watched < len(self._logged):
            seq, _, logged_at = self._logged.record(self._watched)
            if logged_at >= now - deadline:
                break
            self._overdue(self._watched, seq, now)
            self._watched += 1
            self._watched_row.touch()
        for node in active:
            first = self._heard.setdefault(node, now)
            if now - first > SILENT_AFTER:
                self._alarms.raise_("silent", f"{self._log}/{node}", f"{node} has said nothing for 25 hours", now)

    def _overdue(self, number: int, seq: int, now: int) -> None:
        reference = names.reference(self._me, names.channel_of(self._log), seq)
        for node in self._nodes(number):
            if self._confirmed(node) < seq:
                self._undelivered(node, reference, now)

    def _undelivered(self, node: str, reference: str, now: int) -> None:
        """One alarm for a recipient, however many messages it leaves unconfirmed."""

        def what(count: int, oldest: str) -> str:
            more = f" and {count - 1} more, the newest {reference}" if count > 1 else ""
            return f"{node} has not confirmed {oldest}{more}"

        self._alarms.again("undelivered", f"{self._log}/{node}", reference, what, now, node=node)
