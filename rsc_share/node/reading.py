"""What each kind of verified entry means to this node: keys, messages, statements, recalls."""

from __future__ import annotations

from dataclasses import dataclass

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
from rsc_share.node.heartbeat import Heartbeat
from rsc_share.node.inbox import Arrival, Attached, Event, Inbox, RecallEvent
from rsc_share.node.keys import Keys, Opened, digest
from rsc_share.node.records.incoming import event_wire, read_event
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered, Ticket
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


class Reading:
    """The receiving half of one channel. Entries come one verified stretch of the log at a time."""

    def __init__(
        self, log: str, me: str, keys: Keys, heartbeat: Heartbeat, deliveries: Deliveries, shelf: Shelf
    ) -> None:
        self._log, self._me, self._keys, self._shelf = log, me, keys, shelf
        self._heartbeat, self._deliveries = heartbeat, deliveries
        self.inbox = Inbox((read_event(value) for _, value in sorted(shelf.rows(Room.EVENT))), self._write)
        self.places: dict[str, Ref] = {}
        """Reference -> place of every message this node holds or wrote."""
        self.own: dict[Ref, Ticket] = {}
        self._parts: dict[Document, dict[int, tuple[Label, bytes]]] = {}
        self._attached: dict[Document, tuple[Attached, ...]] = {}
        self._fresh: dict[Document, First] = {}
        self._heads: dict[Document, First] = {}
        self._held_at: dict[Ref, tuple[Document, int]] = {}
        self.unread: dict[Ref, tuple[str, Header]] = {}
        """Entries whose body did not come (`body-missing`) or is not what was committed to (`bad-part`). What is
        recalled or erased further on in the log leaves again."""
        self._notices: dict[bytes, str] = dict(shelf.rows(Room.NOTICE))
        self._seqs: dict[Ref, str] = {}
        self._recalls: set[Ref] = set()
        self._load()

    def _load(self) -> None:
        """What the events say about places and documents; which entry brought which portion is written down apart."""
        for event in self.inbox.events:
            if not isinstance(event, Arrival):
                self._recalls.add(event.place)
                continue
            self.places[event.reference], self._seqs[event.place] = event.place, event.reference
            if event.header.document is None:
                if event.payloads:
                    self._held_at[event.place] = (event.header.sender, event.place.header_hash), 0
            else:
                document = event.header.sender, event.header.document[0]
                self._parts[document] = {
                    portion: (event.labels[portion], payload) for portion, payload in event.payloads.items()
                }
                self._attached[document] = event.attached
                self._heads[document] = First(event.place, event.header, event.logged_at, event.unconfirmed)
        for (index, header_hash), (sender, document_id, portion) in self._shelf.rows(Room.HELD):
            self._held_at[Ref(self._log, index, header_hash)] = ((sender, document_id), portion)

    def _write(self, position: int, event: Event) -> None:
        self._shelf.put(Room.EVENT, position, event_wire(event))

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
        if Ref(self._log, verdict.index, verdict.signed.header_hash) in self._held_at:
            # Brought back by a backup and read again by the new instance, which has no key for it any more.
            self._heartbeat.held(header.sender, verdict.signed.header_hash, "stored")
            return
        bodies = {digest(body): body for body in item.bodies}
        opened = self._keys.open(header, realm, bodies.get(header.parts[0].digest))
        flash = header.precedence == "FLASH"
        self._heartbeat.held(header.sender, verdict.signed.header_hash, opened.state, flash=flash)
        if opened.state in ("body-missing", "bad-part"):
            self.unread[Ref(self._log, verdict.index, verdict.signed.header_hash)] = (opened.state, header)
        if opened.state != "stored" or header.label is None:
            return
        if header.type == RecallNotice.TYPE:
            self._notices[header.id] = _reason(opened)
            self._shelf.put(Room.NOTICE, header.id, self._notices[header.id])
            return
        document = _document(verdict, header)
        parts = self._parts.setdefault(document, {})
        if opened.portion in parts:
            return  # said already: a portion that was shown is never another one afterwards
        parts[opened.portion] = (header.label, opened.payload)
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        self._held_at[place] = (document, opened.portion)
        if header.document is not None:  # a message of one portion is where its event says
            self._shelf.put(Room.HELD, [place.index, place.header_hash], [*document, opened.portion])
        first = First(place, header, verdict.stamp.logged_at, verdict.unconfirmed)
        self._fresh.setdefault(document, first)
        if opened.portion == 0:
            self._fresh[document] = first
            self._attached[document] = tuple(
                Attached(told, bodies.get(part.digest, b""))
                for told, part in zip(opened.told, header.parts[1:], strict=True)
            )

    def stretch_ends(self, view: DirectoryView) -> None:
        """All entries up to a checked root are in: what is complete as far as this node may read it, is shown."""
        for document, first in self._fresh.items():
            redelivered = document in self._heads
            if not redelivered or first.header.id == document[1]:
                self._heads[document] = first
            self._show(document, self._heads[document], view, redelivered=redelivered)
            if first.header.document is None:
                del self._parts[document], self._heads[document]
                self._attached.pop(document, None)
        self._fresh = {}

    def _show(self, document: Document, first: First, view: DirectoryView, *, redelivered: bool) -> None:
        header = first.header
        reference = names.reference(header.sender, names.channel_of(self._log), header.seq)
        self.places[reference] = first.place
        self._seqs[first.place] = reference
        parts = self._parts[document]
        self.inbox.add(
            Arrival(
                reference=reference,
                place=first.place,
                header=header,
                logged_at=first.logged_at,
                exercise=view.channel_facts(self._log, first.logged_at).realm == "exercise",
                unconfirmed=first.unconfirmed,
                total=header.document[1] - 1 if header.document else None,
                labels={portion: label for portion, (label, _) in parts.items()},
                payloads={portion: payload for portion, (_, payload) in parts.items()},
                redelivered=redelivered,
                attached=self._attached.get(document, ()),
            )
        )

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
        ticket = self.own.get(target) if target is not None else None
        if ticket is None:
            return
        ticket.deliver(Delivered(header.member, SAID[content.statement], now))

    def _recalled(self, verdict: Admitted, header: Header, content: RecallContent, realm: str) -> None:
        target = header.refs.target
        if target is None:
            return
        self.inbox.erase(target)
        self.unread.pop(target, None)
        document, portion = self._held_at.pop(target, (None, 0))
        self._shelf.delete(Room.HELD, [target.index, target.header_hash])
        if document is not None:
            self._parts.get(document, {}).pop(portion, None)
            if portion == 0:
                self._attached.pop(document, None)
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        if target not in self._seqs or place in self._recalls:
            return  # a further portion of a document whose first one says it all, or nothing this node was shown
        self._recalls.add(place)
        self.inbox.add(
            RecallEvent(
                reference=self._seqs[target],
                place=place,
                header=header,
                logged_at=verdict.stamp.logged_at,
                target=target,
                reason=self._notices.get(content.notice or b"", ""),
                exercise=realm == "exercise",
            )
        )


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
