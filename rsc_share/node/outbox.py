"""What is waiting to leave, and what has left without an answer. Numbers and signatures come last (late signing)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from rsc_share.envelope.contents import Content
from rsc_share.envelope.header import PRECEDENCES
from rsc_share.envelope.parts import NO_REFS, Part, Refs
from rsc_share.errors import Refused
from rsc_share.labels.label import Label
from rsc_share.node.attachments import Prepared
from rsc_share.node.ticket import Ticket
from rsc_share.session.frames import Statement, Submission
from rsc_share.session.urgency import REST, urgency

BATCH_BYTES = 3 << 20
"""Bytes of what is signed together, about: one call takes three batches."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A payload under one grant key: bound to id and part, not to a number, so renumbering needs no re-sealing."""

    grant: bytes
    nodes: tuple[str, ...]
    part: Part
    body: bytes = field(repr=False)


@dataclass(slots=True, eq=False)
class Item:
    """One entry to be. A message has label, payload and salt; the other kinds have content and a fixed audience.

    `members` is the ceiling: who the author was shown as a reader. Re-sealing may narrow it, never widen it.
    """

    kind: str
    id: bytes
    precedence: str = "ROUTINE"
    type: str | None = None
    label: Label | None = None
    purpose: str | None = None
    expires_at: int | None = None
    document: tuple[bytes, int] | None = None
    refs: Refs = NO_REFS
    content: Content | None = None
    payload: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)
    members: frozenset[str] = frozenset()
    approvers: tuple[str, ...] = ()
    portion: int = 0
    ticket: Ticket | None = None
    bodies: tuple[bytes, ...] = field(default=(), repr=False)
    statements: tuple[Statement, ...] = ()
    nodes: tuple[str, ...] = ()
    limit: frozenset[str] | None = None
    """For kinds with a fixed circle: the nodes or members it is for; None means every active node."""
    attempts: int = 0
    sealed: Sealed | None = None
    attachments: tuple[Prepared, ...] = ()
    uploaded: bool = True
    """Whether the relay has every blob of it, as far as this process knows: until then it does not leave."""
    sent: dict[str, int] = field(default_factory=dict)
    """Bytes of the blobs that have been handed in, by name."""

    @property
    def blobs(self) -> tuple[tuple[int, Prepared], ...]:
        """Number of the part, and what it is."""
        return tuple((part, item) for part, item in enumerate(self.attachments, 1) if item.is_blob)


@dataclass(frozen=True, slots=True)
class Sent:
    """One signed entry whose outcome is unknown: sent again byte for byte until it is known (C3)."""

    item: Item
    submission: Submission
    seq: int
    header_hash: bytes
    counters: tuple[tuple[str, int], ...]


class Book(Protocol):
    """Where an outbox writes down what it does, and what it held when it was last written to."""

    queued: list[Item]
    in_flight: list[Sent]

    def added(self, item: Item) -> None: ...

    def first(self, item: Item) -> None: ...

    def signed(self, sent: Sent) -> None: ...

    def flying(self, in_flight: list[Sent]) -> None: ...

    def logged(self, item: Item) -> None: ...

    def emptied(self, item_id: bytes) -> None: ...

    def dropped(self, item: Item) -> None: ...


class Outbox:
    """Items of one log by precedence and age, and what is signed of them. What changes is staged at once."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.submitted_at = 0
        self._queued: list[Item] = book.queued
        self.in_flight: list[Sent] = book.in_flight

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            self._queued.append(item)
            self._book.added(item)

    def requeue(self, items: Iterable[Item]) -> None:
        """Back to the front, in their order: refused or not tried, and to be numbered again."""
        back = list(items)
        self._queued[:0] = back
        for item in reversed(back):
            self._book.first(item)

    def next(self, limit: int, least: int = REST) -> list[Item]:
        """The next items to send, FLASH first, oldest first; they stay queued until they are signed or dropped. What
        waits for its attachments lets the others pass, and nothing is less urgent than `least`."""
        found = _urgent(i for i in self._queued if i.uploaded and urgency(i.kind, i.precedence) <= least)[:limit]
        ends = accumulate(map(_weight, found))
        return [item for n, (item, end) in enumerate(zip(found, ends, strict=True)) if n == 0 or end <= BATCH_BYTES]

    def uploads(self) -> list[Item]:
        """Items whose blobs the relay does not have yet, FLASH first, oldest first."""
        return _urgent(item for item in self._queued if not item.uploaded)

    @property
    def uploading(self) -> bool:
        """Whether there are any."""
        return any(not item.uploaded for item in self._queued)

    def drop(self, items: Iterable[Item]) -> None:
        """Gone for good: withdrawn, failed, or logged by another way."""
        gone = self._unqueue(items)
        for item in gone:
            self._book.dropped(item)

    def done(self, item: Item) -> None:
        """An item that is not queued any more, and of which nothing is kept."""
        self._book.dropped(item)

    def _unqueue(self, items: Iterable[Item]) -> list[Item]:
        gone = {id(item): item for item in items}
        self._queued[:] = [item for item in self._queued if id(item) not in gone]
        return list(gone.values())

    def find(self, message_id: bytes) -> Item | None:
        """A queued item by its id."""
        return next((item for item in self._queued if item.id == message_id), None)

    def signed(self, batch: Sequence[Sent], now: int) -> None:
        """These bytes may leave once the store has committed them: they are the only ones under their numbers. What is
        in flight already stays in front of them."""
        self._unqueue(sent.item for sent in batch)
        if not self.in_flight:
            self.submitted_at = now
        self.in_flight = [*self.in_flight, *batch]
        for sent in batch:
            self._book.signed(sent)
        self._book.flying(self.in_flight)

    def answered(self, sent: Sent) -> bool:
        """The outcome of these bytes is known. False: it was known before."""
        left = [row for row in self.in_flight if row is not sent]
        known = len(left) == len(self.in_flight)
        self.in_flight = left
        self._book.flying(self.in_flight)
        return not known

    def logged(self, item: Item) -> None:
        """A message that stands in the log. On disk its payload and salt stay until it is delivered or recalled (a
        resend needs both); what else a recall needs is in the entry."""
        self._book.logged(item)

    def withdraw(self, ticket: Ticket) -> bool:
        """Drop a message none of whose entries was signed yet. False: too late."""
        mine = [item for item in self._queued if item.ticket is ticket]
        if len(mine) != ticket.expected:
            return False
        self.drop(mine)
        return True

    def forget(self, item_id: bytes) -> None:
        """Every recipient of a logged item holds it, or it was recalled: what it said is no longer needed here."""
        self._book.emptied(item_id)

    def wake(self) -> None:
        for item in (*self._queued, *(sent.item for sent in self.in_flight)):
            if item.ticket is not None:
                item.ticket.wake()

    def give_up(self, error: Refused) -> bool:
        """Fail everything that waits: this node may not send. True if there was something."""
        had = bool(self._queued or self.in_flight)
        for item in (*self._queued, *(sent.item for sent in self.in_flight)):
            if item.ticket is not None:
                item.ticket.fail(error)
        for sent in self.in_flight:
            self.answered(sent)
            self._book.dropped(sent.item)
        self.drop(self._queued)
        return had

    def __len__(self) -> int:
        return len(self._queued) + len(self.in_flight)


def _weight(item: Item) -> int:
    return len(item.payload) + sum(len(found.body) for found in item.attachments)


def _urgent(items: Iterable[Item]) -> list[Item]:
    rank = {name: i for i, name in enumerate(PRECEDENCES)}
    return sorted(items, key=lambda item: rank[item.precedence])
