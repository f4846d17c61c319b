"""Byte strings by number, some to a row: what comes and goes again touches one row, however many there are.

One row for all of them would be written whole by every commit, and as large as a node is behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from rsc_share.node.store.late import Late
from rsc_share.node.store.protocol import Room, Shelf

TOGETHER = 64
"""Numbers to a row: those of one run mostly, which come together and go together."""


class Numbered:
    """Kept in `room`, which is its own."""

    __slots__ = ("_changed", "_late", "_room", "_rows", "_shelf")

    def __init__(self, shelf: Shelf, room: Room) -> None:
        self._shelf, self._room = shelf, room
        self._rows: dict[int, dict[int, bytes]] = {key: dict(items) for key, items in shelf.rows(room)}
        self._changed: set[int] = set()
        self._late = Late(shelf, self._save)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __iter__(self) -> Iterator[int]:
        """The numbers, rising."""
        for key in sorted(self._rows):
            yield from sorted(self._rows[key])

    def get(self, number: int) -> bytes | None:
        return self._rows.get(number // TOGETHER, {}).get(number)

    def put(self, number: int, data: bytes) -> None:
        key = number // TOGETHER
        self._rows.setdefault(key, {})[number] = data
        self._touch(key)

    def pop(self, number: int) -> bytes | None:
        """What stood under it, which is gone now; None if nothing did."""
        key = number // TOGETHER
        row = self._rows.get(key, {})
        found = row.pop(number, None)
        if found is not None:
            if not row:
                del self._rows[key]
            self._touch(key)
        return found

    def discard(self, number: int, data: bytes) -> None:
        """Pop it, if it is these bytes that stand there."""
        if self.get(number) == data:
            self.pop(number)

    def _touch(self, key: int) -> None:
        self._changed.add(key)
        self._late.touch()

    def _save(self) -> None:
        for key in sorted(self._changed):
            row = self._rows.get(key)
            if row is None:
                self._shelf.delete(self._room, key)
            else:
                self._shelf.put(self._room, key, [[number, row[number]] for number in sorted(row)])
        self._changed.clear()
