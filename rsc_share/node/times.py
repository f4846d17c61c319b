"""When the entries shown to this node were logged, since the tree it cosigned last: what its next cosignature looks at.

A node that does not cosign reads on all the same: of all but the newest entries the least and the greatest time are
kept. That is what the rule asks about, as long as it asks about all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

EACH = 4_096
"""Entries whose times are kept one by one: more than a log grows by while a tree is offered."""


class Times:
    """Fed in log order. `rows` are what `wire` gave."""

    def __init__(self, rows: Iterable[Sequence[int]] = ()) -> None:
        self._folded: tuple[int, int, int] | None = None
        """Of all older ones: the size they end below, the least and the greatest time (ms)."""
        self._each: deque[tuple[int, int]] = deque()
        for row in rows:
            if len(row) == 2:
                self._each.append((row[0], row[1]))
            else:
                self._folded = (row[0], row[1], row[2])

    def add(self, index: int, at: int) -> None:
        """The entry at `index` was logged at `at` (ms)."""
        self._each.append((index, at))
        if len(self._each) > EACH:
            old, at = self._each.popleft()
            end, least, most = self._folded or (0, at, at)
            # After a restart entries come again that were among the older ones.
            self._folded = (max(end, old + 1), min(least, at), max(most, at))

    def between(self, start: int, stop: int) -> list[int] | None:
        """Times of the entries from `start`, the size cosigned last, up to `stop`: of many the least and the greatest.

        None where those of so small a tree cannot be told from later ones any more.
        """
        if self._folded is not None and self._folded[0] > stop:
            return None
        folded = [] if self._folded is None else [*self._folded[1:]]
        return folded + [at for index, at in self._each if start <= index < stop]

    def forget(self, size: int) -> None:
        """The first `size` entries have been looked at, and need not be again. `between` was not None for them."""
        if self._folded is not None and self._folded[0] <= size:
            self._folded = None
        while self._each and self._each[0][0] < size:
            self._each.popleft()

    def wire(self, size: int) -> list[list[int]]:
        """What is to be kept on disk of the first `size` entries; those behind them are read again."""
        folded = [] if self._folded is None else [[*self._folded]]
        return folded + [[index, at] for index, at in self._each if index < size]


__all__ = ["EACH", "Times"]
