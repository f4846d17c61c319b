"""What people do about messages: recall them, acknowledge them, ask for what was withheld."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rsc_share import names
from rsc_share.envelope.contents import AcknowledgementContent, RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages import Body, RecallNotice
from rsc_share.node.desk import Host
from rsc_share.node.draft import Draft
from rsc_share.node.line import Line
from rsc_share.node.outbox import Item
from rsc_share.node.ticket import Place, Ticket

Publish = Callable[[Draft], Awaitable[bytes]]
"""Queues a message; its id."""
_DIGITS = 19
"""Of a sequence number at most."""


class Acts:
    """Of one channel at one node. Entries are queued; the caller nudges the node."""

    def __init__(self, host: Host, line: Line, channel: str, publish: Publish) -> None:
        self._host, self._line, self._channel, self._publish = host, line, channel, publish

    def place_of(self, reference: str) -> Ref:
        """Where the message quoted as `reference` stands. `LocalError` if this node knows no such message."""
        own, _, seq = reference.rpartition("/")
        if own == f"{self._host.name}/{self._channel}" and seq.isdecimal() and len(seq) <= _DIGITS:
            place = self._line.tickets.numbered(int(seq))
            found = None if place is None else Ref(self._line.log, place.index, place.header_hash)
        else:
            found = self._line.reading.events.called(reference)
        if found is None:
            raise LocalError(f"no message {reference} is known here")
        return found

    async def recall(self, reference: str, reason: str) -> Ticket:
        """One entry for each portion, after the sealed notice that says why (ADR 0001)."""
        ticket = self._line.tickets.at(self.place_of(reference))
        if ticket is None:
            raise LocalError(f"{reference} is not this node's to recall")
        notice = await self._notice(reference, reason, ticket)
        first, random = min(ticket.places), self._host.engine.world.random
        recall = Ticket(names.uuid7(self._host.now(), random(10)), ticket.plan)
        recall.expected = len(ticket.places)
        for portion, place in sorted(ticket.places.items()):
            item = Item(
                "recall",
                recall.id if portion == first else names.uuid7(self._host.now(), random(10)),
                precedence="IMMEDIATE",
                refs=Refs(target=Ref(self._line.log, place.index, place.header_hash)),
                content=RecallContent(notice),
                limit=frozenset(_header(place).nodes),
                portion=portion,
                ticket=recall,
            )
            self._line.sending.outbox.add([item])
        return recall

    async def _notice(self, reference: str, reason: str, ticket: Ticket) -> bytes | None:
        label = _header(ticket.places[min(ticket.places)]).label
        if label is None or not reason:
            return None
        body = RecallNotice(message=reference, reason=reason)
        return await self._publish(Draft(body, label=label, precedence="IMMEDIATE"))

    def state(self, place: Ref, sender: str, statement: str, basis: str | None, officer: str | None) -> None:
        """Queue an acknowledgement entry, signed by an officer unlocked here."""
        item = Item(
            "acknowledgement",
            names.uuid7(self._host.now(), self._host.engine.world.random(10)),
            refs=Refs(target=place),
            content=AcknowledgementContent(statement, basis),
            limit=frozenset({names.member_of(sender)}),
            approvers=(self._officer(officer),),
        )
        self._line.sending.outbox.add([item])

    def _officer(self, name: str | None) -> str:
        held = sorted(self._host.engine.identity.officers)
        if name is not None and name in held:
            return name
        if name is None and len(held) == 1:
            return held[0]
        if not held:
            raise LocalError("no officer's key is unlocked at this node", advice="this is a person's act: unlock one")
        raise LocalError("which officer?", advice=f"one of {', '.join(held)}")

    def to_originator(self, body: Body, label: Label, sender: str) -> Draft:
        """A draft under the scheme and level of what it is about, for the originator alone."""
        answer = Label.of(
            label.scheme,
            label.level,
            tags=label.tags,
            originators=(self._host.member,),
            audience=(names.member_of(sender),),
        )
        return Draft(body, label=answer)


def _header(place: Place) -> Header:
    """What we signed: the entry is kept with its place."""
    return UnverifiedEntry.parse(place.entry).header
