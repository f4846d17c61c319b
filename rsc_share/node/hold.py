"""What a relay does not take just now, as far as its answers say: until then a node signs only what comes before it.

What is signed keeps its number until the log has it or has refused it with its signature: in front of a FLASH it is in
the way. So nothing is signed that would be refused, and what was refused before this was known is sent again with the
more urgent behind it: a relay counts it by what follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from rsc_share.node.connect import MOST_RETRY_SECONDS
from rsc_share.node.outbox import Sent
from rsc_share.session.frames import Logged, Outcome, Weather
from rsc_share.session.urgency import FLASH, REST, most_urgent

LASTING = frozenset({"no-space", "rate-limited"})
"""Weather that is of an entry's precedence; `not-ready` is of all."""
MOST_MS = int(1_000 * MOST_RETRY_SECONDS)


class Hold:
    """Of one log. It is not written down: after a restart the relay says it again."""

    def __init__(self) -> None:
        self._refused: int | None = None
        """The most urgent of what was not taken."""
        self._since = self._until = 0

    def _over(self, now: int) -> bool:
        return not self._since <= now < self._until  # a clock that was set back holds nothing up

    @property
    def refusing(self) -> bool:
        return self._refused is not None

    def least(self, *, behind: bool) -> int:
        """The least urgent that may be signed; `behind` what was refused only what is more urgent (-1: nothing is)."""
        if self._refused is None:
            return REST
        return self._refused - 1 if behind else max(self._refused - 1, FLASH)

    def probe(self, now: int) -> bool:
        """Whether one of what was refused may be signed, to see whether it is taken again."""
        return self._refused is not None and self._over(now)

    def rests(self, in_flight: Sequence[Sent], now: int) -> bool:
        """Whether nothing of this would be taken yet. A FLASH is offered again and again."""
        if self._refused is None or self._refused == FLASH or self._over(now):
            return False
        return most_urgent(map(_entry, in_flight)) >= self._refused

    def answered(self, sent: Sequence[Sent], outcomes: Sequence[Outcome], now: int) -> None:
        """Learn from the answer to a whole run."""
        left = next((n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Logged)), None)
        if left is None:
            self._taken(most_urgent(map(_entry, sent)), now)
            return
        outcome = outcomes[left]
        if isinstance(outcome, Weather) and outcome.code in LASTING:
            self._refused = most_urgent(map(_entry, sent[left:]))
            self._since, self._until = now, now + min(outcome.retry_after or 0, MOST_MS)

    def _taken(self, urgency: int, now: int) -> None:
        """What was taken for the sake of something more urgent says nothing about its own kind; else what comes next
        may be tried."""
        if self._refused is not None and urgency >= self._refused:
            self._refused, self._until = (urgency + 1 if urgency < REST else None), now


def _entry(sent: Sent) -> tuple[str, str]:
    return sent.item.kind, sent.item.precedence
