"""Rows on their way to the table: staged, then written to the journal, then, much later, folded into the table.

Most rows of a message on its way live for milliseconds: they are written and deleted again before they would have been
worth a place in the table. So the table gets a row only when it is among the oldest of many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from rsc_share.node.store.protocol import Room
from rsc_share.node.store.rows import RowKey

Rows = dict[RowKey, bytes | None]
"""None: deleted."""
KEPT: Final = 4096
"""Rows of the journal that are not folded yet."""
KEPT_BYTES: Final = 8 << 20
JOURNAL: Final = 1024
"""Commits in the journal. One row that never changes must not keep all that came after it there."""
JOURNAL_BYTES: Final = 16 << 20
_ROW_BYTES: Final = 200
"""What a row weighs beside its value."""


class Layers:
    """From newest to oldest. What lies in one of them hides what lies below, and all of them hide the table."""

    def __init__(self) -> None:
        self.staged: Rows = {}
        self.leaving: Rows = {}
        self.folding: Rows = {}
        self._kept: dict[RowKey, tuple[int, bytes | None]] = {}
        """In the journal: by its number there, oldest first."""
        self._weight = 0
        self._journal: deque[tuple[int, int]] = deque()
        """Number and bytes of every commit in the journal."""
        self._length = 0

    def find(self, row: RowKey) -> tuple[bytes | None] | None:
        """`(value,)`, `(None,)` for a row that was deleted, None for one that only the table knows about."""
        for layer in (self.staged, self.leaving):
            if row in layer:
                return (layer[row],)
        if row in self._kept:
            return (self._kept[row][1],)
        return (self.folding[row],) if row in self.folding else None

    def of(self, room: Room, log: str) -> Iterator[tuple[bytes, bytes | None]]:
        """Key and value of every row of one room and log; of what comes twice the later one counts."""
        kept = {row: value for row, (_, value) in self._kept.items()}
        for layer in (self.folding, kept, self.leaving, self.staged):
            for (kind, where, key), value in layer.items():
                if kind == room and where == log:
                    yield key, value

    def leave(self) -> Rows:
        """What was staged is being written from now on."""
        self.leaving, self.staged = self.staged, {}
        for row in self.leaving:
            self._drop(row)
        return self.leaving

    def written(self, number: int) -> None:
        """What was leaving stands in the journal under `number`; what was folding stands in the table."""
        for row, value in self.leaving.items():
            self.keep(number, row, value)
        self.leaving, self.folding = {}, {}

    def keep(self, number: int, row: RowKey, value: bytes | None) -> None:
        self._drop(row)
        weight = _ROW_BYTES + len(value or b"")
        self._kept[row] = number, value
        self._weight += weight
        if not self._journal or self._journal[-1][0] != number:
            self._journal.append((number, 0))
        self._journal[-1] = number, self._journal[-1][1] + weight
        self._length += weight

    def _drop(self, row: RowKey) -> None:
        if (old := self._kept.pop(row, None)) is not None:
            self._weight -= _ROW_BYTES + len(old[1] or b"")

    def fold(self, most: int, *, hurry: bool = False) -> Rows:
        """At most so many of the oldest rows, as far as there are more than should be kept; all of them for -1.

        In a `hurry` half as much again may be kept: somebody waits for the write, and the next one may have time.
        """
        folding: Rows = {}
        self.folding = folding
        self._shorten()
        while self._kept and len(folding) != most and (most < 0 or self._full(hurry)):
            row = next(iter(self._kept))
            folding[row] = self._kept[row][1]
            self._drop(row)
            self._shorten()
        return folding

    def _shorten(self) -> None:
        oldest = self.oldest
        while self._journal and (oldest is None or self._journal[0][0] < oldest):
            self._length -= self._journal.popleft()[1]

    def _full(self, hurry: bool) -> bool:
        more = 1.5 if hurry else 1
        return (
            len(self._kept) > KEPT * more
            or self._weight > KEPT_BYTES * more
            or len(self._journal) > JOURNAL * more
            or self._length > JOURNAL_BYTES * more
        )

    @property
    def oldest(self) -> int | None:
        """The journal up to here, and not including it, says nothing that is not in the table."""
        return next(iter(self._kept.values()))[0] if self._kept else None
