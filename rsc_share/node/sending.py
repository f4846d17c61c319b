"""The sending half of one channel: sign late, and send the same bytes until their outcome is known."""

from __future__ import annotations

import asyncio

from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.parts import Head
from rsc_share.errors import RscError
from rsc_share.node.alarms import Alarms
from rsc_share.node.answers import Answers
from rsc_share.node.book import OutboxBook
from rsc_share.node.delivery import Deliveries
from rsc_share.node.dispatch import MAX_ENTRIES, Dispatch
from rsc_share.node.hold import Hold
from rsc_share.node.identity import Identity, World
from rsc_share.node.newest import Newest
from rsc_share.node.numbers import Numbers
from rsc_share.node.outbox import Item, Outbox, Sent
from rsc_share.node.places import Places
from rsc_share.node.promises import Promises
from rsc_share.node.runs import Runs
from rsc_share.node.store.protocol import Shelf
from rsc_share.node.tickets import Tickets
from rsc_share.session.calls import MAX_RUN
from rsc_share.session.port import RelayPort

LEAVES = 2
"""Rounds of the loop in which a call leaves, before the rest of a turn."""


class Sending:
    """What of one log waits at this node to be signed, is signed and handed in, or is answered."""

    def __init__(
        self,
        log: str,
        identity: Identity,
        world: World,
        alarms: Alarms,
        deliveries: Deliveries,
        shelf: Shelf,
        tickets: Tickets,
        newest: Newest,
    ) -> None:
        self._log, self._world, self._shelf = log, world, shelf
        self._dispatch = Dispatch(log, identity, world)
        self.outbox = outbox = Outbox(OutboxBook(shelf, tickets))
        deliveries.delivered = outbox.forget
        self._hold, self.runs, self._more = Hold(), Runs(), False
        self.numbers, self.promises = Numbers(shelf), Promises(world, alarms, newest, shelf)
        self.places = Places(log, world, alarms, outbox, self.numbers, self.runs, deliveries, tickets)
        self._answers = Answers(log, world, outbox, self.numbers, self._dispatch.grants, self.promises, self.places)
        self.forbidden: frozenset[str] = frozenset()
        """Nodes revoked by an act the log does not show yet."""

    async def send(self, port: RelayPort, view: DirectoryView, seen: Head, directory: Head) -> bool:
        """Sign what is queued and hand it in, or hand in again what has no answer. Its answer is not waited for:
        `settle` takes it. True if more can be signed at once.

        Nothing leaves before the bytes and their numbers are durable: after a crash the same bytes go out again.
        """
        now, behind, self._more = self._world.now(), bool(self.runs), False
        batch = self._sign(self._ready_to_sign(view, now), view, seen, directory, now)
        if not (batch if behind else self.outbox.in_flight):
            return False
        if not behind and self._hold.rests(self.outbox.in_flight, now):
            return False
        await self._shelf.store.commit()
        sent, since = (batch, now) if behind else (self.outbox.in_flight, self.outbox.submitted_at)
        self.runs.begin(sent, since, port.submit(self._log, [row.submission for row in sent]))
        for _ in range(0 if self._world.busy() else LEAVES):
            await asyncio.sleep(0)
        self._more = bool(self._ready_to_sign(view, now))
        return self._more

    @property
    def more(self) -> bool:
        """Whether something waits here that no answer has to come for."""
        return self._more or (len(self.outbox) > 0 and not self.runs)

    def settle(self, view: DirectoryView) -> bool:
        """Take the answers that have come. True if something moved. Raises what a call, or an answer, is wrong with:
        the same bytes go out again then."""
        moved = False
        while (answer := self.runs.next()) is not None:
            try:
                moved = self._answers.take(answer, view) or moved
            except RscError:
                self.runs.drop()
                raise
            self._hold.answered(answer.sent, answer.outcomes, self._world.now())
        return moved

    def _ready_to_sign(self, view: DirectoryView, now: int) -> list[Item]:
        """The next batch; behind one that the relay did not take, only what is more urgent than that."""
        flying = self.outbox.in_flight
        if flying and not (self._hold.refusing or self.runs):
            return []
        room = min(MAX_ENTRIES, (MAX_RUN - len(flying)) // 2)  # each may need a grant of its own
        if self.runs:
            # Where there is much to do, one run of many messages costs everybody far less than many runs of one.
            found = [] if self._hold.refusing or self._world.busy() else self.outbox.next(room)
            found = found if self.runs.may_follow(found) else []
        else:
            found = self.outbox.next(room, self._hold.least(behind=bool(flying)))
            if not found and not flying and self._hold.probe(now):
                found = self.outbox.next(1)
        return [item for item in found if not self._held(item, view, now)]

    def _sign(self, items: list[Item], view: DirectoryView, seen: Head, directory: Head, now: int) -> list[Sent]:
        ready, failed = self._dispatch.prepare(items, view, now)
        self.outbox.drop(failed)
        if not ready:
            return []
        standing = self.numbers.standing(self.outbox.in_flight, seen, directory)
        batch = self._dispatch.sign(ready, standing, view, now)
        self.outbox.signed(batch, now)
        self.numbers.signed(batch)
        return batch

    def _held(self, item: Item, view: DirectoryView, now: int) -> bool:
        """Whether it would reach a node whose revocation we obey already: it waits until the log shows that too."""
        return bool(self.forbidden) and not self.forbidden.isdisjoint(self._dispatch.audience(item, view, now))

    def found_itself(self, size: int) -> bool:
        """Whether the newest entry this node knows as its own lies in a witnessed tree of `size` that it has read."""
        return self.numbers.head.index < size and not self.promises
