"""Runs of one log that were handed in and are not answered yet, so that a message waits for no answer but its own.

A relay judges the runs of a session in the order in which they were handed in, and what follows something that it did
not take is not taken either. So answers count in that order, too: a run that is in the log whole is taken by itself,
and any other one together with all that were handed in behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import RemoteError, RscError
from rsc_share.node.outbox import Item, Sent
from rsc_share.session.frames import Logged, Outcome
from rsc_share.session.port import ONE_CALL

MOST = 4
"""Runs without an answer. Each is at most one batch of signatures."""


@dataclass(frozen=True, slots=True)
class Run:
    """`since`: when these bytes were first handed in (ms)."""

    sent: tuple[Sent, ...]
    since: int
    answer: asyncio.Task[list[Outcome]]

    def outcomes(self) -> list[Outcome]:
        """One for each entry. Raises what the call raised, and `RemoteError` for another number of them."""
        found = self.answer.result()
        if len(found) != len(self.sent):
            raise RemoteError("the relay answered another number of entries than were sent")
        return found

    @property
    def stands_alone(self) -> bool:
        """Of a call that has ended: whether its answer says nothing about the runs behind it. It failed, or all of it
        is logged."""
        try:
            return all(isinstance(outcome, Logged) for outcome in self.outcomes())
        except RscError:
            return True

    @property
    def is_light(self) -> bool:
        """Whether it is one call. What is cut into several goes one after the other, and a run behind it would pass."""
        return sum(sent.submission.weight for sent in self.sent) <= ONE_CALL

    @property
    def least_urgent(self) -> int:
        return max(PRECEDENCES.index(sent.item.precedence) for sent in self.sent)


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcomes of what was sent, in its order."""

    sent: tuple[Sent, ...]
    since: int
    outcomes: tuple[Outcome, ...]


class Runs:
    """Oldest first. Nothing here is written down: what is in flight is in the outbox."""

    def __init__(self) -> None:
        self._under_way: deque[Run] = deque()

    def __bool__(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._under_way)

    @property
    def heard(self) -> bool:
        """Whether `next` gives an answer, or raises."""
        first = self._under_way[0] if self._under_way else None
        if first is None or not first.answer.done():
            return False
        return first.stands_alone or all(run.answer.done() for run in self._under_way)

    def hold(self, sent: Sent) -> bool:
        """Whether the answer about these bytes is still to come."""
        return any(row is sent for run in self._under_way for row in run.sent)

    def tasks(self) -> list[asyncio.Task[list[Outcome]]]:
        """Whose end is worth waking for: one that has come, and has to wait for others, is not."""
        pending = [run.answer for run in self._under_way if not run.answer.done()]
        return [self._under_way[0].answer, *pending] if self.heard else pending

    def may_follow(self, items: Sequence[Item]) -> bool:
        """Whether these may be numbered behind what is under way.

        A more urgent call would pass a less urgent one, here and at the relay. And an answer that came, but could not
        be taken yet, is a refusal: its numbers are free, or not, once all behind it are answered.
        """
        if not items or len(self._under_way) >= MOST or any(run.answer.done() for run in self._under_way):
            return False
        urgency = min(PRECEDENCES.index(item.precedence) for item in items)
        return all(run.is_light and run.least_urgent <= urgency for run in self._under_way)

    def begin(self, sent: Sequence[Sent], since: int, call: Coroutine[Any, Any, list[Outcome]]) -> None:
        answer = asyncio.create_task(call, name="run")
        answer.add_done_callback(_heard)
        self._under_way.append(Run(tuple(sent), since, answer))

    def next(self) -> Answer | None:
        """The next answer that can be taken. Raises what a call raised; then none of the others counts any more: what
        is in flight is handed in again, and what it says then is said in order."""
        if not self.heard:
            return None
        first = self._under_way[0]
        try:
            outcomes = first.outcomes()
        except RscError:
            self.drop()
            raise
        if not first.stands_alone:
            return self._all()
        self._under_way.popleft()
        return Answer(first.sent, first.since, tuple(outcomes))

    def _all(self) -> Answer:
        """Of one whose call failed, and all behind it, nothing is known."""
        runs, self._under_way = list(self._under_way), deque()
        sent: list[Sent] = []
        outcomes: list[Outcome] = []
        for run in runs:
            try:
                outcomes += run.outcomes()
            except RscError:
                break
            sent += run.sent
        return Answer(tuple(sent), runs[0].since, tuple(outcomes))

    async def answered(self) -> None:
        """Return when everything under way is answered, or has failed."""
        if self._under_way:
            await asyncio.wait([run.answer for run in self._under_way])

    def drop(self) -> None:
        """Wait for none of them any more. What was handed in may be logged all the same."""
        for run in self._under_way:
            run.answer.cancel()
        self._under_way.clear()


def _heard(answer: asyncio.Task[list[Outcome]]) -> None:
    """An error of a run that nobody takes any more is nobody's."""
    if not answer.cancelled():
        answer.exception()
