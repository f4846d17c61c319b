"""How long to wait before dialling again: longer each time, and never all nodes at once."""

from __future__ import annotations

from rsc_share.node.identity import Random

FIRST_SECONDS, MOST_SECONDS = 0.25, 10.0


class Backoff:
    """Full jitter: anything from nothing to a bound that doubles. A thousand nodes that lost one relay come back
    spread over that time. `random` gives bytes."""

    def __init__(self, random: Random, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> None:
        self._random, self._first, self._most = random, first, most
        self._tries = 0

    def next(self) -> float:
        """Seconds."""
        bound = min(self._most, self._first * (1 << min(self._tries, 16)))
        self._tries += 1
        return bound * int.from_bytes(self._random(4), "big") / (1 << 32)

    def reset(self) -> None:
        """A session was open: begin again."""
        self._tries = 0
