"""What is waiting to leave, and what has left without an answer. Numbers and signatures come last (late signing)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rsc_share.envelope.contents import Content
from rsc_share.envelope.header import PRECEDENCES
from rsc_share.envelope.parts import NO_REFS, Part, Refs
from rsc_share.errors import Refused
from rsc_share.labels.label import Label
from rsc_share.node.ticket import Ticket
from rsc_share.session.frames import Statement, Submission


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


@dataclass(frozen=True, slots=True)
class Sent:
    """One signed entry whose outcome is unknown: sent again byte for byte until it is known (C3)."""

    item: Item
    submission: Submission
    seq: int
    header_hash: bytes
    counters: tuple[tuple[str, int], ...]


class Outbox:
    """Items of one log by precedence and age; at most one signed batch in flight."""

    def __init__(self) -> None:
        self._queued: list[Item] = []
        self.in_flight: list[Sent] = []
        self.submitted_at = 0
        self.kept: dict[bytes, Item] = {}
        """Logged. Payload and salt stay until delivered or recalled (a resend needs both), the rest for a recall."""

    def add(self, items: Iterable[Item]) -> None:
        self._queued.extend(items)

    def requeue(self, items: Iterable[Item]) -> None:
        """Back to the front, in their order: refused or not tried, and to be numbered again."""
        self._queued[:0] = list(items)

    def next(self, limit: int) -> list[Item]:
        """The next items to send, FLASH first, oldest first; they stay queued until `take`."""
        rank = {name: i for i, name in enumerate(PRECEDENCES)}
        return sorted(self._queued, key=lambda item: rank[item.precedence])[:limit]

    def take(self, items: Iterable[Item]) -> None:
        gone = {id(item) for item in items}
        self._queued = [item for item in self._queued if id(item) not in gone]

    def withdraw(self, ticket: Ticket) -> bool:
        """Drop a message none of whose entries was signed yet. False: too late."""
        mine = [item for item in self._queued if item.ticket is ticket]
        if len(mine) != ticket.expected:
            return False
        self.take(mine)
        return True

    def forget(self, header_hash: bytes) -> None:
        """Every recipient holds it: what it said is theirs now, and no longer needed here."""
        item = self.kept.get(header_hash)
        if item is not None:
            item.payload, item.salt, item.sealed = b"", b"", None

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
        self._queued, self.in_flight = [], []
        return had

    def __len__(self) -> int:
        return len(self._queued) + len(self.in_flight)
