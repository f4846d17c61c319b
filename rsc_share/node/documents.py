"""Messages of one or several portions: put together while their entries come in, and shown when a stretch ends.

What a stretch brought is in memory until it ends; everything else is what the store's events and HELD rows say:

HELD  [index, header hash] -> [sender, document id, portion]   an entry that brought a portion of several
      [sender, document id] -> [position, ...]                 the events that show a document of several portions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.labels.label import Label
from rsc_share.node.events import Events
from rsc_share.node.inbox import Arrival, Attached, Inbox
from rsc_share.node.keys import Opened
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.rulebook.admit import Admitted
from rsc_share.value import Value

Document = tuple[str, bytes]
"""The sending node and the id of portion 0. Without the sender, anybody who was shown a document could add to it in
its author's name."""


class First(Value, frozen=True):
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


class Documents:
    """Of one channel; `inbox` takes the events that show them."""

    def __init__(self, log: str, events: Events, inbox: Inbox, shelf: Shelf) -> None:
        self._log, self._events, self._inbox, self._shelf = log, events, inbox, shelf
        self._open: dict[Document, Shown] = {}
        self._held: dict[Ref, tuple[Document, int]] = {}
        self._fresh: dict[Document, First] = {}
        self._shown_upto = self._events.last_index()
        self._before: frozenset[int] = frozenset()
        """Entries up to there that are shown here: only a node that was restored comes by them again."""

    def holds(self, place: Ref, header: Header) -> bool:
        """Whether what an entry says is shown already: it was brought back by a backup, and comes again."""
        if header.document is not None:
            return self._shelf.get(Room.HELD, [place.index, place.header_hash]) is not None
        if place.index > self._shown_upto:
            self._before = frozenset()
            return False
        self._before = self._before or self._events.indices()
        if place.index not in self._before:
            return False
        shown = (self._events[position] for position in self._events.at(place))
        return any(isinstance(event, Arrival) and event.payloads for event in shown)

    def add(
        self, verdict: Admitted, header: Header, label: Label, opened: Opened, bodies: Mapping[bytes, bytes]
    ) -> None:
        """A portion that opened; `bodies` by digest: what came beside its entry."""
        place = Ref(self._log, verdict.index, verdict.signed.header_hash)
        document = _document(verdict, header)
        shown = self._document(document, header)
        if opened.portion in shown.parts:
            return  # said already: a portion that was shown is never another one afterwards
        shown.parts[opened.portion] = (label, opened.payload)
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

    def _document(self, document: Document, header: Header) -> Shown:
        """What is here of a document: with the portions of earlier stretches, where it has several."""
        if document not in self._open:
            positions = self._shelf.get(Room.HELD, list(document)) if header.document is not None else None
            event = self._events[positions[-1]] if positions else None
            self._open[document] = Shown.of(event) if isinstance(event, Arrival) else Shown()
        return self._open[document]

    def show(self, view: DirectoryView) -> None:
        """What a stretch of the log brought, which has come to its end."""
        for document, first in self._fresh.items():
            shown = self._open[document]
            redelivered = shown.head is not None
            head = first if shown.head is None or first.header.id == document[1] else shown.head
            self._show(document, shown, head, view, redelivered=redelivered)
        self._fresh, self._open, self._held = {}, {}, {}

    def _show(self, document: Document, shown: Shown, first: First, view: DirectoryView, *, redelivered: bool) -> None:
        header = first.header
        position = self._inbox.add(
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

    def erase(self, target: Ref) -> None:
        """Of a document of several portions, in every event that shows it; and of what this stretch brought."""
        row = self._shelf.get(Room.HELD, [target.index, target.header_hash])
        document, portion = self._held.pop(target, (None, 0))
        if row is not None:
            self._shelf.delete(Room.HELD, [target.index, target.header_hash])
            document, portion = (row[0], row[1]), row[2]
            self._inbox.erase(self._shelf.get(Room.HELD, list(document)) or (), portion)
        shown = self._open.get(document) if document is not None else None
        if shown is not None:
            shown.parts.pop(portion, None)
            if portion == 0:
                shown.attached = ()


def _document(verdict: Admitted, header: Header) -> Document:
    """What an entry is a portion of. One that is whole by itself is named by its hash: an id may lie."""
    return header.sender, header.document[0] if header.document else verdict.signed.header_hash
