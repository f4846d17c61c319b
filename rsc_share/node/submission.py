"""What `publish` returns: a message that is durable here and on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from rsc_share import names
from rsc_share.errors import LocalError
from rsc_share.node.desk import Desk
from rsc_share.node.plan import ReleasePlan
from rsc_share.node.receipt import Receipt
from rsc_share.node.ticket import Delivered, Ticket

State = Literal["logged", "stored", "handed-over", "acknowledged", "recalled", "held", "cannot"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One step of one member. `stored` and `handed-over` are its machine's signed word, `acknowledged` a person's."""

    member: str
    state: str
    since: datetime

    @classmethod
    def of(cls, step: Delivered) -> Delivery:
        return cls(step.member, step.state, datetime.fromtimestamp(step.since / 1000, UTC))


class Submission:
    """In the outbox; survives a crash of the caller. Waiting for it, and cancelling the wait, changes nothing."""

    def __init__(self, channel: Desk, ticket: Ticket) -> None:
        self._channel, self._ticket = channel, ticket

    def __repr__(self) -> str:
        return f"Submission({self.id})"

    @property
    def id(self) -> UUID:
        return UUID(bytes=self._ticket.id)

    @property
    def plan(self) -> ReleasePlan:
        """What was decided when it was queued: the ceiling for every later re-sealing."""
        return self._ticket.plan

    async def receipt(self) -> Receipt:
        """Wait until the relay has logged it and proved that. Raises what stopped it: `Refused`, `PolicyDenied`."""
        while not self._ticket.settled:
            self._channel.raise_if_stopped()
            self._channel.nudge()
            await self._ticket.change()
        if self._ticket.error is not None:
            raise self._ticket.error
        if self._ticket.withdrawn:
            raise LocalError("the message was withdrawn before it left")
        return self._receipt()

    def _receipt(self) -> Receipt:
        place = self._ticket.places[min(self._ticket.places)]
        line = self._channel.line
        narrowed = {(o.portion, o.member): o for o in self._ticket.narrowed}
        return Receipt(
            reference=names.reference(self._channel.node_name, self._channel.name, place.seq),
            index=place.index,
            outcomes=tuple(narrowed.get((o.portion, o.member), o) for o in self.plan.outcomes),
            logged_at=place.stamp.logged_at,
            witnessed=line.follower.witnessed_size > place.index,
            degraded=self._channel.degraded,
            place=place,
        )

    async def witnessed(self) -> Receipt:
        """Wait until k members have cosigned a tree that holds it: only then may anybody forget it."""
        await self.receipt()
        while self._channel.line.follower.witnessed_size <= max(p.index for p in self._ticket.places.values()):
            self._channel.raise_if_stopped()
            self._channel.nudge()
            await self._channel.line.reading.inbox.change()
        return self._receipt()

    @property
    def uploads(self) -> dict[str, tuple[int, int]]:
        """How much of each large attachment has been handed in: name -> (bytes, of how many)."""
        item = self._channel.line.sending.outbox.find(self._ticket.id)
        blobs = () if item is None else item.blobs
        return {} if item is None else {b.told.name: (item.sent.get(b.told.name, 0), b.told.length) for _, b in blobs}

    async def change(self) -> None:
        """Return at the next step of this message on its way, or of its attachments."""
        self._channel.nudge()
        await self._ticket.change()

    @property
    def settled(self) -> bool:
        """Whether it is logged, has failed or was withdrawn: `receipt` says which, at once."""
        return self._ticket.settled

    async def withdraw(self) -> bool:
        """True: it never left and is gone. False: it was signed already; recall it instead."""
        if not self._channel.line.sending.outbox.withdraw(self._ticket):
            return False
        self._ticket.withdraw()
        await self._channel.durable()
        return True

    @asynccontextmanager
    async def deliveries(self) -> AsyncIterator[AsyncIterator[Delivery]]:
        """The steps of every member so far and from now on, oldest first."""
        yield self._steps()

    async def _steps(self) -> AsyncIterator[Delivery]:
        given = 0
        while True:
            while given < len(self._ticket.history):
                given += 1
                yield Delivery.of(self._ticket.history[given - 1])
            self._channel.raise_if_stopped()
            self._channel.nudge()
            await self._ticket.change()
