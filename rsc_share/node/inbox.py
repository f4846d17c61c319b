"""What arrived for the embedder, in log order, and how far each consumer has come. At least once, never skipped."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rsc_share.bell import Bell
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.errors import LocalError, RscError
from rsc_share.labels.label import Label
from rsc_share.node.attachments import Told
from rsc_share.node.spans import Spans
from rsc_share.node.store.late import Late
from rsc_share.node.store.protocol import Room, Shelf


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment of an arrival: what the message says of it, and its ciphertext where that lay beside the entry."""

    told: Told
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as far as this node may read it: payloads and labels by portion. Verified and decrypted."""

    reference: str
    place: Ref
    header: Header = field(repr=False)
    logged_at: int
    exercise: bool
    unconfirmed: bool
    total: int | None
    labels: Mapping[int, Label]
    payloads: Mapping[int, bytes] = field(repr=False)
    redelivered: bool = False
    attached: tuple[Attached, ...] = field(repr=False, default=())
    """Of portion 0, whose entry `place` and `header` are then: part 1 of its header is the first."""


@dataclass(frozen=True, slots=True)
class RecallEvent:
    """The originator took `target` back. Its payload is gone here; the tombstone stays."""

    reference: str
    place: Ref
    header: Header = field(repr=False)
    logged_at: int
    target: Ref
    reason: str
    exercise: bool = False


Event = Arrival | RecallEvent


class Kept(Sequence[Event]):
    """All events of a channel, wherever they are kept."""

    @abstractmethod
    def append(self, event: Event) -> int:
        """Its position."""

    @abstractmethod
    def put(self, position: int, event: Event) -> None:
        """In place of the one that was there: the same entry, with less in it."""


class Inbox:
    """The events of one channel. Positions never change; a recalled message's payload is erased in place."""

    def __init__(self, events: Kept) -> None:
        self.events = events
        self.stopped: RscError | None = None
        self._bell = Bell()

    def add(self, event: Event) -> int:
        """Its position."""
        position = self.events.append(event)
        self.wake()
        return position

    def stop(self, error: RscError) -> None:
        """A tree or fork error: every waiting consumer hears it, and nothing more arrives."""
        self.stopped = error
        self.wake()

    def wake(self) -> None:
        self._bell.ring()

    async def change(self) -> None:
        await self._bell.next().wait()

    def erase(self, positions: Iterable[int], portion: int | None = None) -> None:
        """Drop what messages say, or one portion of it, here and on disk."""
        for position in positions:
            event = self.events[position]
            if not isinstance(event, Arrival) or not event.payloads:
                continue
            left = {at: payload for at, payload in event.payloads.items() if portion not in (None, at)}
            if len(left) < len(event.payloads):
                attached = event.attached if 0 in left else ()
                self.events.put(position, replace(event, payloads=left, attached=attached))


class Cursor:
    """One consumer: the lowest position not done, those done above it, and how far it has been given anything."""

    def __init__(self, shelf: Shelf, consumer: str) -> None:
        low, above, given = shelf.get(Room.CURSOR, consumer) or (0, (), 0)
        self.low: int = low
        self.given: int = given
        self.above, self.open = Spans(above), False

        def save() -> None:
            shelf.put(Room.CURSOR, consumer, [self.low, self.above.wire(), self.given])

        self._row = Late(shelf, save)

    def give(self, position: int) -> bool:
        """Hand out a position. True if it, or a later one, was handed out before."""
        again, self.given = position < self.given, max(self.given, position + 1)
        if not again:
            self._row.touch()
        return again

    def enter(self) -> None:
        if self.open:
            raise LocalError(
                "this consumer is subscribed already", advice="give each subscription its own consumer name"
            )
        self.open = True

    def leave(self) -> None:
        self.open = False

    def pending(self, position: int) -> bool:
        return position >= self.low and position not in self.above

    def done(self, position: int) -> None:
        if position < self.low:
            return
        self.above.add(position)
        self.low = self.above.after(self.low)
        self._row.touch()
