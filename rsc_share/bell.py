"""Waking those who wait for something to change."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes everybody who waits. Waiters look again for themselves: nothing is lost, some look in vain."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Take it *before* looking, and wait for it after."""
        return self._event
