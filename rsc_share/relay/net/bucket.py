"""A token bucket: so many bytes a second for everybody together, so that files do not keep messages waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Pause = Callable[[float], Awaitable[object]]
BURST_SECONDS = 0.1
"""What may go at once after a rest: longer, and a message would wait behind it."""


class Bucket:
    """`rate` is bytes a second and may be changed. Who takes more than there is waits until it has come."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic, pause: Pause = asyncio.sleep) -> None:
        self.rate, self._clock, self._pause = rate, clock, pause
        self._due = clock()
        """When all that was taken has been paid for (seconds)."""

    async def take(self, count: int) -> None:
        now = self._clock()
        self._due = max(self._due, now - BURST_SECONDS) + count / self.rate
        if self._due > now:
            await self._pause(self._due - now)
