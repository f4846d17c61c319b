"""The events of one channel: all of them on disk, the newest and those asked for lately in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, overload

from rsc_share.envelope.parts import Ref
from rsc_share.errors import StorageError
from rsc_share.node.inbox import Arrival, Event, Kept
from rsc_share.node.records.incoming import event_wire, read_event
from rsc_share.node.store.ledger import Ledger, fingerprint
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.recent import Recent

REMEMBERED: Final = 256
"""Events in memory. 16 bytes of every other one are: where its entry stands, and its reference in short; 24 once a
message was recalled."""
REMEMBERED_BYTES: Final = 4 << 20
"""Of payloads and attachments in those: one event may hold a MiB."""
_INDEX, _REFERENCE = 0, 1


class Events(Kept):
    """Positions never change. An event of this room is erased by putting another one in its place."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        # A sender may take back, as often as it likes, what is no event here.
        self._index = Ledger[Event](shelf, Room.ARRIVED, 2, _mark, often=_INDEX)
        self._recent = Recent[int, Event](REMEMBERED)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, position: int) -> Event: ...
    @overload
    def __getitem__(self, position: slice) -> list[Event]: ...
    def __getitem__(self, position: int | slice) -> Event | list[Event]:
        if isinstance(position, slice):
            return [self[n] for n in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        return self._event(position % len(self))

    def _event(self, position: int) -> Event:
        known = self._recent.get(position)
        if known is not None:
            return known
        found = self._shelf.get(Room.EVENT, position)
        if found is None:
            raise StorageError(f"the store does not hold event {position}", code="damaged-state")
        return self._remember(position, read_event(found))

    def __iter__(self) -> Iterator[Event]:
        return (self[position] for position in range(len(self)))

    def _remember(self, position: int, event: Event) -> Event:
        gone = self._recent.keep(position, event)
        self._bytes += _weight(event) - (0 if gone is None else _weight(gone))
        while self._bytes > REMEMBERED_BYTES and len(self._recent) > 1:
            self._bytes -= _weight(self._recent.drop())
        return event

    def append(self, event: Event) -> int:
        position = self._index.add(event)
        self.put(position, event)
        return position

    def put(self, position: int, event: Event) -> None:
        self._shelf.put(Room.EVENT, position, event_wire(event))
        self._remember(position, event)

    # --- looking things up

    def at(self, place: Ref) -> list[int]:
        """Positions of the events that an entry brought, newest first."""
        found = self._index.find(_INDEX, place.index)
        return [position for position in found if self[position].place == place]

    def called(self, reference: str) -> Ref | None:
        """Where the message stands that is quoted like this, if it was shown here."""
        for position in self._index.find(_REFERENCE, fingerprint(reference)):
            event = self[position]
            if isinstance(event, Arrival) and event.reference == reference:
                return event.place
        return None

    def indices(self) -> frozenset[int]:
        """Of all entries behind events."""
        return frozenset(record[_INDEX] for record in self._index.records())

    def last_index(self) -> int:
        """The largest of them; -1 for none."""
        return max((record[_INDEX] for record in self._index.records()), default=-1)


def _weight(event: Event) -> int:
    if not isinstance(event, Arrival):
        return 0
    return sum(map(len, event.payloads.values())) + sum(len(item.body) for item in event.attached)


def _mark(event: Event) -> tuple[int, ...]:
    return event.place.index, fingerprint(event.reference) if isinstance(event, Arrival) else 0
