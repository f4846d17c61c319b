"""How busy this process is: what is good for one message at a time costs all of them where there are many."""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW = 0.1
"""Seconds that are looked at, at least."""
BUSY = 0.7
"""Share of one processor from which on a process is busy. Its other threads count, too."""


class Load:
    """Whether it was busy in the last tenth of a second, or since it was asked before."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.process_time
    ) -> None:
        self._clock, self._used = clock, used
        self._since, self._before = clock(), used()
        self._busy = False

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._since >= WINDOW:
            used = self._used()
            self._busy = used - self._before >= BUSY * (now - self._since)
            self._since, self._before = now, used
        return self._busy


def idle() -> bool:
    """Of a process that always has time."""
    return False
