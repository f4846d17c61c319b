"""What a submission waits on: the state of one message on its way, shared by outbox and caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rsc_share.bell import Bell
from rsc_share.envelope.entry import Stamp
from rsc_share.errors import RscError
from rsc_share.node.plan import Outcome, ReleasePlan


@dataclass(frozen=True, slots=True)
class Delivered:
    """A step of one member: logged, stored, handed-over, acknowledged or recalled; `since` in ms."""

    member: str
    state: str
    since: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry of ours stands: verified by its receipt, or seen in the log."""

    index: int
    seq: int
    stamp: Stamp
    header_hash: bytes
    entry: bytes = field(repr=False, default=b"")
    note: bytes = field(repr=False, default=b"")
    proof: tuple[bytes, ...] = field(repr=False, default=())


STATED = frozenset({"stored", "handed-over"})
"""Steps that need not be written down with a ticket: they follow from what its recipients have stated."""


def _unwatched(ticket: Ticket) -> None:
    """Nobody writes this ticket down."""


def _unplaced(ticket: Ticket, portion: int, place: Place) -> None:
    """Nobody writes this ticket's places down."""


class Ticket:
    """One message: queued, then logged (with places of all portions), or failed. Several callers may wait."""

    def __init__(self, message_id: bytes, plan: ReleasePlan) -> None:
        self.id, self.plan = message_id, plan
        self.places: dict[int, Place] = {}
        self.numbers: list[int] = []
        """Of its places, in the store's ledger of places."""
        self.expected = 1
        self.error: RscError | None = None
        self.withdrawn = False
        self.narrowed: list[Outcome] = []
        """Outcomes that re-sealing has changed for the worse since the plan was shown."""
        self.history: list[Delivered] = []
        self.changed: Callable[[Ticket], None] = _unwatched
        self.placed: Callable[[Ticket, int, Place], None] = _unplaced
        self._bell = Bell()

    @property
    def logged(self) -> bool:
        return len(self.places) == self.expected

    @property
    def settled(self) -> bool:
        return self.logged or self.error is not None or self.withdrawn

    def place(self, portion: int, place: Place) -> None:
        if portion in self.places:
            return
        self.places[portion] = place
        self.placed(self, portion, place)
        self.wake()

    def fail(self, error: RscError) -> None:
        if not self.settled:
            self.error = error
            self.changed(self)
        self.wake()

    def withdraw(self) -> None:
        self.withdrawn = True
        self.changed(self)
        self.wake()

    def narrow(self, outcome: Outcome) -> None:
        self.narrowed.append(outcome)
        self.changed(self)

    def deliver(self, step: Delivered) -> None:
        if self.remember(step):
            if step.state not in STATED:
                self.changed(self)
            self.wake()

    def remember(self, step: Delivered) -> bool:
        """False for what is known already."""
        if any(past.member == step.member and past.state == step.state for past in self.history):
            return False
        self.history.append(step)
        return True

    def wake(self) -> None:
        self._bell.ring()

    async def change(self) -> None:
        """Return at the next change. Cancelling a wait changes nothing."""
        await self._bell.next().wait()
