"""Time that moves when a test says so, and randomness that repeats."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

START = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC, in ms."""


class Clock:
    """Milliseconds UTC. `advance` moves it and tells whoever must look again."""

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._listeners: list[Callable[[], None]] = []

    def __call__(self) -> int:
        return self._now

    @property
    def now(self) -> int:
        return self._now

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def advance(self, *, seconds: float = 0, days: float = 0) -> None:
        """Forward only: the logs refuse to go back, and so does this."""
        step = round(seconds * 1000 + days * 86_400_000)
        if step < 0:
            raise ValueError("time goes forward")
        self._now += step
        for listener in self._listeners:
            listener()


class Dice:
    """Bytes that depend on a seed only. Never outside tests: whoever knows the seed knows every key."""

    def __init__(self, *seed: object) -> None:
        self._seed = repr(seed).encode()
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(self._seed + self._count.to_bytes(8, "big")).digest(size)
