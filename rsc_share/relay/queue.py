"""One committing task for each log. What is queued when a commit returns is the next one: no timer, no lingering.

Members take turns, a run each: one of them may queue as much as its sessions allow, and make each run as costly as it
likes. Runs of one member keep their order.

A caller that gives up waiting cancels its wait and never the commit: what was sent may be logged all the same, which
is why senders send the same bytes again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from rsc_share.errors import StorageError
from rsc_share.relay.access import Access
from rsc_share.relay.commit import commit, with_roots
from rsc_share.relay.house import House
from rsc_share.relay.intake import Candidate
from rsc_share.relay.live import LiveLog, State
from rsc_share.relay.sequencer import NO_SPACE, NOT_READY, Run
from rsc_share.relay.store.protocol import Full
from rsc_share.session.frames import NOT_TRIED, Outcome, Weather

MAX_ENTRIES = 512
"""Entries judged for one commit; a run is never split."""
REFS_AN_ENTRY = 4
"""References that cost a commit what an entry does: each is read from the disk before anything is judged."""


@dataclass(slots=True)
class Submitted:
    """One run and whoever waits for its outcomes."""

    by: Access
    run: Run
    outcomes: asyncio.Future[Sequence[Outcome]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        if not self.outcomes.done():
            self.outcomes.set_result(outcomes)

    def turn_away(self, weather: Weather) -> None:
        self.answer([weather] + [NOT_TRIED] * (len(self.run) - 1))


class LogQueue:
    """The queue and the task of one log."""

    def __init__(self, relay: House, log: LiveLog) -> None:
        self._relay, self._log = relay, log
        self._waiting: OrderedDict[str, deque[Submitted]] = OrderedDict()
        """By member; whose turn it is comes first."""
        self._filled = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._work(), name=f"commit {log.origin}")

    @property
    def working(self) -> bool:
        return not self._task.done()

    async def put(self, submitted: Submitted) -> None:
        if self._closing:
            submitted.turn_away(NOT_READY)
        else:
            self._waiting.setdefault(submitted.by.member, deque()).append(submitted)
            self._filled.set()
        await asyncio.shield(submitted.outcomes)

    async def close(self) -> None:
        self._closing = True
        self._filled.set()
        await self._task

    async def _work(self) -> None:
        try:
            while not self._closing:
                await self._filled.wait()
                batch = self._take()
                if batch:
                    await self._commit(batch)
        finally:
            self._closing = True
            self._turn_away([submitted for runs in self._waiting.values() for submitted in runs], NOT_READY)

    def _take(self) -> list[Submitted]:
        """As much as one commit judges. Runs of fenced sessions are dropped here, so that nothing of an old session
        is admitted once the new one is open."""
        taken, entries = [], 0
        while self._waiting and entries < MAX_ENTRIES:
            submitted = self._next()
            if submitted.by.closed:
                submitted.turn_away(NOT_TRIED)
            else:
                taken.append(submitted)
                entries += _cost(submitted.run)
        if not self._waiting:
            self._filled.clear()
        return taken

    def _next(self) -> Submitted:
        member, runs = next(iter(self._waiting.items()))
        submitted = runs.popleft()
        if runs:
            self._waiting.move_to_end(member)
        else:
            del self._waiting[member]
        return submitted

    async def _commit(self, batch: list[Submitted]) -> None:
        log, relay = self._log, self._relay
        if log.state is not State.READY or relay.directory_log.state is not State.READY:
            self._turn_away(batch, NOT_READY)
            return
        runs = [submitted.run for submitted in batch]
        try:
            ground = await with_roots(relay.ground(log), log, relay.directory_log, runs)
            done = await commit(log, relay.logs, ground, runs, relay.now(), relay.blobs)
            for submitted, outcomes in zip(batch, done.outcomes, strict=True):
                submitted.answer(outcomes)
            if done.contradicted is not None:
                relay.contradicted(log, done.contradicted)
        except Full:
            self._turn_away(batch, NO_SPACE)
        except StorageError as error:
            relay.stop(log, error)
        finally:
            self._turn_away(batch, NOT_READY)  # who has an answer keeps it
        relay.bell.ring()

    @staticmethod
    def _turn_away(batch: list[Submitted], weather: Weather) -> None:
        for submitted in batch:
            submitted.turn_away(weather)


def _cost(run: Run) -> int:
    """In entries."""
    refs = sum(len(item.signed.header.refs.all()) for item in run if isinstance(item, Candidate))
    return len(run) + refs // REFS_AN_ENTRY
