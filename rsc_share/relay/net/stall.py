"""Who leaves answers lying. One timer of a session, which looks when it is due: one for each frame, set and taken back,
costs a tenth of what sending it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Stall:
    """`over` is called when a frame has been on its way, or an answer without credit, for `seconds`."""

    def __init__(self, seconds: float, over: Callable[[], None]) -> None:
        self._seconds, self._over, self._loop = seconds, over, asyncio.get_running_loop()
        self._leaving: float | None = None
        self._starved: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def leaving(self) -> None:
        """A frame is handed to the line."""
        self._leaving = self._loop.time()
        self._watch()

    def left(self) -> None:
        """The line took it."""
        self._leaving = None

    def starved(self, starved: bool) -> None:
        """Whether an answer waits for credit: counted from the first time on."""
        if not starved:
            self._starved = None
        elif self._starved is None:
            self._starved = self._loop.time()
            self._watch()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        since = min((time for time in (self._leaving, self._starved) if time is not None), default=None)
        if since is None:
            return
        left = since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._over()
