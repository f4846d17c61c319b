"""What each kind of verified entry means to this node: keys, messages, statements, recalls."""

from __future__ import annotations

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
from rsc_share.messages import RecallNotice
from rsc_share.messages.portions import read_payload
from rsc_share.node.delivery import Deliveries
from rsc_share.node.docket import Seen
from rsc_share.node.documents import Documents
from rsc_share.node.events import Events
from rsc_share.node.heartbeat import Heartbeat
from rsc_share.node.inbox import Arrival, Inbox, RecallEvent
from rsc_share.node.keys import Keys, Opened
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Delivered
from rsc_share.node.tickets import Tickets
from rsc_share.rulebook.admit import Admitted
from rsc_share.session.frames import Full
from rsc_share.value import Value

SAID = {
    "acknowledged": "acknowledged",
    "complied": "recalled",
    "node-erased": "recalled",
    "held": "held",
    "cannot": "cannot",
}
"""How an acknowledgement's statement shows in the deliveries of its target."""


MOST_UNREAD = 65_536
"""Entries that could not be opened and may be taken back further on. With more of them nobody waits for that."""


class Unread(Value, frozen=True):
    """An entry that could not be opened: no more of it than is told, for anybody may send any number of large ones."""

    state: str
    """`body-missing`: it did not come. `bad-part`: it is not what was committed to."""
    sender: str
    expires_at: int | None
    digests: frozenset[bytes]
    """Of its bodies that are for this node."""


class Reading:
    """The receiving half of one channel. Entries come one verified stretch of the log at a time."""

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
        self.documents = Documents(log, self.events, self.inbox, shelf)
        self.unread: dict[Ref, Unread] = {}
        """What is recalled or erased further on in the log leaves again."""

    def entry(self, verdict: Admitted, seen: Seen, view: DirectoryView, now: int) -> None:
        """Take one admitted entry of another node."""
        header = verdict.signed.header
        self._deliveries.heard(header.sender, now)
        realm = view.channel_facts(self._log, now).realm
        if header.kind == "grant":
            self._granted(verdict, header, realm, seen, view)
        elif header.kind == "message":
            self._message(verdict, header, realm, seen)
        elif isinstance(header.content, HeartbeatContent):
            self._statements(header, header.content, seen.item, now)
        elif isinstance(header.content, AcknowledgementContent):
            self._acknowledged(header, header.content, now)
        elif isinstance(header.content, RecallContent):
            self._recalled(verdict, header, header.content, realm)
        elif isinstance(header.content, ErasureContent):
            gone = set(header.content.digests)
            self.unread = {at: held for at, held in self.unread.items() if gone.isdisjoint(held.digests)}

    def _granted(self, verdict: Admitted, header: Header, realm: str, seen: Seen, view: DirectoryView) -> None:
        sealed = next(iter(seen.item.bodies), None)
        state = self._keys.learn_grant(view, header, realm, sealed, verdict.stamp.logged_at)
        if state != "stored":
            self._heartbeat.held(header.sender, verdict.signed.header_hash, state)
        if state == "body-missing":
            place = Ref(self._log, verdict.index, verdict.signed.header_hash)
            self.unread[place] = _unread(state, header, self._me)

    def _message(self, verdict: Admitted, header: Header, realm: str, seen: Seen) -> None:
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        if self.documents.holds(place, header):
            # Brought back by a backup and read again by the new instance, which has no key for it any more.
            self._heartbeat.held(header.sender, place.header_hash, "stored")
            return
        opened = self._keys.open(header, realm, seen.bodies.get(header.parts[0].digest))
        flash = header.precedence == "FLASH"
        self._heartbeat.held(header.sender, place.header_hash, opened.state, flash=flash)
        if opened.state in ("body-missing", "bad-part"):
            self.unread[place] = _unread(opened.state, header, self._me)
        if opened.state != "stored" or header.label is None:
            return
        if header.type == RecallNotice.TYPE:
            self._shelf.put(Room.NOTICE, header.id, _reason(opened))
        else:
            self.documents.add(verdict, header, header.label, opened, seen.bodies)

    def stretch_ends(self, view: DirectoryView) -> None:
        """All entries up to a checked root are in: what is complete as far as this node may read it, is shown."""
        self.documents.show(view)

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
        self.documents.erase(target)
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


def _unread(state: str, header: Header, me: str) -> Unread:
    sealed = header.content.nodes if isinstance(header.content, GrantContent) else ()
    mine = (digest for node, _, digest in sealed if node == me)
    return Unread(state, header.sender, header.expires_at, frozenset((*(part.digest for part in header.parts), *mine)))


def _reason(opened: Opened) -> str:
    """What the originator's notice says; an unreadable one is an empty reason, the recall stands all the same."""
    try:
        value = read_payload(opened.payload, RecallNotice.TYPE)
    except RemoteError:
        return ""
    reason = value.get("reason") if isinstance(value, dict) else None
    return reason if isinstance(reason, str) else ""
