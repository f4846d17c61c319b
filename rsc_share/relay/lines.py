"""The entries of one log that its readers ask for again and again, parsed: the newest, as far as there is room."""

from __future__ import annotations

from typing import Final

from rsc_share.relay.fanout import Line

RECENT: Final = 4_096
RECENT_BYTES: Final = 16 << 20
"""Of those entries and what lies beside them. Parsed they take about six times as much, and a member may write any
number of entries with five hundred readers or statements: 4,096 of these are more than a GB."""
_BESIDE = 128
"""Bytes of one opening or statement, about."""


class RecentLines:
    """By index. What comes last stays longest."""

    __slots__ = ("_held", "_weight")

    def __init__(self) -> None:
        self._held: dict[int, Line] = {}
        self._weight = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def weight(self) -> int:
        """Bytes of what is held, about."""
        return self._weight

    def get(self, index: int) -> Line | None:
        return self._held.get(index)

    def keep(self, index: int, line: Line) -> None:
        """One that was just logged."""
        self._forget(index)
        self._held[index] = line
        self._weight += _weight(line)
        while len(self._held) > RECENT or (self._weight > RECENT_BYTES and len(self._held) > 1):
            self._forget(next(iter(self._held)))

    def offer(self, index: int, line: Line) -> None:
        """One that was read again: kept where there is room. Who is behind pushes out nothing that all others read."""
        if len(self._held) < RECENT and self._weight + _weight(line) <= RECENT_BYTES:
            self.keep(index, line)

    def _forget(self, index: int) -> None:
        gone = self._held.pop(index, None)
        if gone is not None:
            self._weight -= _weight(gone)

    def clear(self) -> None:
        self._held.clear()
        self._weight = 0


def _weight(line: Line) -> int:
    stored = line.stored
    return len(stored.entry) + _BESIDE * (len(stored.openings) + len(stored.statements))
