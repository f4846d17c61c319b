"""What each kind of verified entry means to this node: keys, messages, statements, recalls."""

from __future__ import annotations

from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import received_commitment
from rsc_share.envelope.contents import (
    AcknowledgementContent,
    ErasureContent,
    GrantContent,
    HeartbeatContent,
    RecallContent,
)
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError
from rsc_share.labels.label import Label
from rsc_share.messages import RecallNotice
from rsc_share.messages.portions import read_payload
from rsc_share.node.delivery import Deliveries
from rsc_share.node.events import Events
from rsc_share.node.heartbeat import Heartbeat
from rsc_share.node.inbox import Arrival, Attached, Inbox, RecallEvent
from rsc_share.node.keys import Keys, Opened, digest
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered
from rsc_share.node.tickets import Tickets
from rsc_share.rulebook.admit import Admitted
from rsc_share.session.frames import Full

Document = tuple[str, bytes]
"""The sending node and the id of portion 0. Without the sender, anybody who was shown a document could add to it in
its author's name."""


SAID = {
    "acknowledged": "acknowledged",
    "complied": "recalled",
    "node-erased": "recalled",
    "held": "held",
    "cannot": "cannot",
}
"""How an acknowledgement's statement shows in the deliveries of its target."""


@dataclass(frozen=True, slots=True)
class First:
    """The entry by which a document is shown: its portion 0, or the first one this node may read."""

    place: Ref
    header: Header
    logged_at: int
    unconfirmed: bool


@dataclass(slots=True)
class Shown:
    """A document while its portions come in: what is here of it, and as which entry it was shown before."""

    parts: dict[int, tuple[Label, bytes]] = field(default_factory=dict)
    attached: tuple[Attached, ...] = ()
    head: First | None = None

    @classmethod
    def of(cls, event: Arrival) -> Shown:
        parts = {portion: (event.labels[portion], payload) for portion, payload in event.payloads.items()}
        head = First(event.place, event.header, event.logged_at, event.unconfirmed)
        return cls(parts, event.attached, head)


class Reading:
    """The receiving half of one channel. Entries come one verified stretch of the log at a time.

    What a stretch brought is in memory until it ends; everything else is what the store's events and HELD rows say:

    HELD  [index, header hash] -> [sender, document id, portion]   an entry that brought a portion of several
          [sender, document id] -> [position, ...]                 the events that show a document of several portions
    """

    def __init__(
        self,
        log: str,
        me: str,
        keys: Keys,
        heartbeat: Heartbeat,
        deliveries: Deliveries,
        shelf: Shelf,
        tickets: Tickets,
    ) -> None:
        self._log, self._me, self._keys, self._shelf = log, me, keys, shelf
        self._heartbeat, self._deliveries, self._tickets = heartbeat, deliveries, tickets
        self.events = Events(shelf)
        self.inbox = Inbox(self.events)
        self._open: dict[Document, Shown] = {}
        self._held: dict[Ref, tuple[Document, int]] = {}
        self._fresh: dict[Document, First] = {}
        self.unread: dict[Ref, tuple[str, Header]] = {}
        """Entries whose body did not come (`body-missing`) or is not what was committed to (`bad-part`). What is
        recalled or erased further on in the log leaves again."""
        self._shown_upto = self.events.last_index()
        self._before: frozenset[int] = frozenset()
        """Entries up to there that are shown here: only a node that was restored comes by them again."""

    def entry(self, verdict: Admitted, item: Full, view: DirectoryView, now: int) -> None:
        """Take one admitted entry of another node."""
        header = verdict.signed.header
        self._deliveries.heard(header.sender, now)
        realm = view.channel_facts(self._log, now).realm
        if header.kind == "grant":
            state = self._keys.learn_grant(view, header, realm, next(iter(item.bodies), None), verdict.stamp.logged_at)
            if state != "stored":
                self._heartbeat.held(header.sender, verdict.signed.header_hash, state)
            if state == "body-missing":
                self.unread[Ref(self._log, verdict.index, verdict.signed.header_hash)] = (state, header)
        elif header.kind == "message":
            self._message(verdict, header, realm, item)
        elif isinstance(header.content, HeartbeatContent):
            self._statements(header, header.content, item, now)
        elif isinstance(header.content, AcknowledgementContent):
            self._acknowledged(header, header.content, now)
        elif isinstance(header.content, RecallContent):
            self._recalled(verdict, header, header.content, realm)
        elif isinstance(header.content, ErasureContent):
            gone = set(header.content.digests)
            self.unread = {at: held for at, held in self.unread.items() if gone.isdisjoint(_digests(held[1]))}

    def _message(self, verdict: Admitted, header: Header, realm: str, item: Full) -> None:
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        if self._is_held(place, header):
            # Brought back by a backup and read again by the new instance, which has no key for it any more.
            self._heartbeat.held(header.sender, place.header_hash, "stored")
            return
        bodies = {digest(body): body for body in item.bodies}
        opened = self._keys.open(header, realm, bodies.get(header.parts[0].digest))
        flash = header.precedence == "FLASH"
        self._heartbeat.held(header.sender, place.header_hash, opened.state, flash=flash)
        if opened.state in ("body-missing", "bad-part"):
            self.unread[place] = (opened.state, header)
        if opened.state != "stored" or header.label is None:
            return
        if header.type == RecallNotice.TYPE:
            self._shelf.put(Room.NOTICE, header.id, _reason(opened))
            return
        document = _document(verdict, header)
        shown = self._document(document, header)
        if opened.portion in shown.parts:
            return  # said already: a portion that was shown is never another one afterwards
        shown.parts[opened.portion] = (header.label, opened.payload)
        self._held[place] = (document, opened.portion)
        if header.document is not None:  # a message of one portion is where its event says
            self._shelf.put(Room.HELD, [place.index, place.header_hash], [*document, opened.portion])
        first = First(place, header, verdict.stamp.logged_at, verdict.unconfirmed)
        self._fresh.setdefault(document, first)
        if opened.portion == 0:
            self._fresh[document] = first
            shown.attached = tuple(
                Attached(told, bodies.get(part.digest, b""))
                for told, part in zip(opened.told, header.parts[1:], strict=True)
            )

    def _is_held(self, place: Ref, header: Header) -> bool:
        if header.document is not None:
            return self._shelf.get(Room.HELD, [place.index, place.header_hash]) is not None
        if place.index > self._shown_upto:
            self._before = frozenset()
            return False
        self._before = self._before or self.events.indices()
        if place.index not in self._before:
            return False
        shown = (self.events[position] for position in self.events.at(place))
        return any(isinstance(event, Arrival) and event.payloads for event in shown)

    def _document(self, document: Document, header: Header) -> Shown:
        """What is here of a document: with the portions of earlier stretches, where it has several."""
        if document not in self._open:
            positions = self._shelf.get(Room.HELD, list(document)) if header.document is not None else None
            event = self.events[positions[-1]] if positions else None
            self._open[document] = Shown.of(event) if isinstance(event, Arrival) else Shown()
        return self._open[document]

    def stretch_ends(self, view: DirectoryView) -> None:
        """All entries up to a checked root are in: what is complete as far as this node may read it, is shown."""
        for document, first in self._fresh.items():
            shown = self._open[document]
            redelivered = shown.head is not None
            head = first if shown.head is None or first.header.id == document[1] else shown.head
            self._show(document, shown, head, view, redelivered=redelivered)
        self._fresh, self._open, self._held = {}, {}, {}

    def _show(self, document: Document, shown: Shown, first: First, view: DirectoryView, *, redelivered: bool) -> None:
        header = first.header
        position = self.inbox.add(
            Arrival(
                reference=names.reference(header.sender, names.channel_of(self._log), header.seq),
                place=first.place,
                header=header,
                logged_at=first.logged_at,
                exercise=view.channel_facts(self._log, first.logged_at).realm == "exercise",
                unconfirmed=first.unconfirmed,
                total=header.document[1] - 1 if header.document else None,
                labels={portion: label for portion, (label, _) in shown.parts.items()},
                payloads={portion: payload for portion, (_, payload) in shown.parts.items()},
                redelivered=redelivered,
                attached=shown.attached,
            )
        )
        if header.document is not None:
            positions = self._shelf.get(Room.HELD, list(document)) or []
            self._shelf.put(Room.HELD, list(document), [*positions, position])

    def _statements(self, header: Header, content: HeartbeatContent, item: Full, now: int) -> None:
        mine = dict(content.received).get(self._me)
        for node, statement in item.statements:
            if node != self._me or mine is None:
                continue
            said = received_commitment(
                log=self._log,
                receiver=header.sender,
                sender=self._me,
                header_hash=statement.header_hash,
                state=statement.state,
                salt=statement.salt,
            )
            if said == mine:
                self._deliveries.stated(header.sender, statement.header_hash, statement.state, now)

    def _acknowledged(self, header: Header, content: AcknowledgementContent, now: int) -> None:
        target = header.refs.target
        ticket = self._tickets.at(target) if target is not None else None
        if ticket is not None:
            ticket.deliver(Delivered(header.member, SAID[content.statement], now))

    def _recalled(self, verdict: Admitted, header: Header, content: RecallContent, realm: str) -> None:
        target = header.refs.target
        if target is None:
            return
        positions = self.events.at(target)
        self.inbox.erase(positions)
        self.unread.pop(target, None)
        self._erase_portion(target)
        shown = (self.events[position] for position in positions)
        reference = next((event.reference for event in shown if isinstance(event, Arrival)), None)
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        if reference is None or self.events.at(place):
            return  # a further portion of a document whose first one says it all, or nothing this node was shown
        self.inbox.add(
            RecallEvent(
                reference=reference,
                place=place,
                header=header,
                logged_at=verdict.stamp.logged_at,
                target=target,
                reason=self._shelf.get(Room.NOTICE, content.notice or b"") or "",
                exercise=realm == "exercise",
            )
        )

    def _erase_portion(self, target: Ref) -> None:
        """Of a document of several portions, in every event that shows it; and of what this stretch brought."""
        row = self._shelf.get(Room.HELD, [target.index, target.header_hash])
        document, portion = self._held.pop(target, (None, 0))
        if row is not None:
            self._shelf.delete(Room.HELD, [target.index, target.header_hash])
            document, portion = (row[0], row[1]), row[2]
            self.inbox.erase(self._shelf.get(Room.HELD, list(document)) or (), portion)
        shown = self._open.get(document) if document is not None else None
        if shown is not None:
            shown.parts.pop(portion, None)
            if portion == 0:
                shown.attached = ()


def _document(verdict: Admitted, header: Header) -> Document:
    """What an entry is a portion of. One that is whole by itself is named by its hash: an id may lie."""
    return header.sender, header.document[0] if header.document else verdict.signed.header_hash


def _digests(header: Header) -> set[bytes]:
    sealed = header.content.nodes if isinstance(header.content, GrantContent) else ()
    return {*(part.digest for part in header.parts), *(digest for _, _, digest in sealed)}


def _reason(opened: Opened) -> str:
    """What the originator's notice says; an unreadable one is an empty reason, the recall stands all the same."""
    try:
        value = read_payload(opened.payload, RecallNotice.TYPE)
    except RemoteError:
        return ""
    reason = value.get("reason") if isinstance(value, dict) else None
    return reason if isinstance(reason, str) else ""
