"""The rounds of a cosigner beside the turns: each costs a sync and a trip, which no message should wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rsc_share.node.cosigner import Cosigner
from rsc_share.session.port import Feed, RelayPort


class Rounds:
    """One after the other."""

    def __init__(self, cosigner: Cosigner) -> None:
        self._cosigner = cosigner
        self._last: asyncio.Task[bool] | None = None
        self._unheard: set[asyncio.Task[bool]] = set()
        """Those whose outcome nobody has taken: asyncio would print the errors of such a one, with a traceback."""

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Whose end is worth waking for."""
        return [] if self._last is None else [self._last]

    async def ended(self, *, wait: bool) -> bool:
        """Take what came of the rounds that have ended, or `wait` for them. True if they cosigned anything. Raises what
        they raised."""
        if self._last is None or not (wait or self._last.done()):
            return False
        last, self._last = self._last, None
        try:
            return await last
        finally:
            self._unheard.discard(last)

    def begin(self, ports: Mapping[str, RelayPort], feeds: Mapping[str, Feed], gap: int) -> None:
        """A round behind those under way, if one would do anything."""
        if self._cosigner.due(feeds, gap):
            self._last = asyncio.create_task(self._behind(self._last, ports, feeds, gap), name="cosign")
            self._unheard.add(self._last)

    async def _behind(
        self, before: asyncio.Task[bool] | None, ports: Mapping[str, RelayPort], feeds: Mapping[str, Feed], gap: int
    ) -> bool:
        """Raises what the round before raised, after its own, and rather than what its own raised."""
        if before is not None:
            await asyncio.wait([before])
        try:
            moved = await self._cosigner.round(ports, feeds, gap)
        finally:
            if before is not None:
                self._unheard.discard(before)
                earlier = before.result()
        return (before is not None and earlier) or moved

    async def aclose(self) -> None:
        for task in self._unheard:
            task.cancel()
        await asyncio.gather(*self._unheard, return_exceptions=True)
