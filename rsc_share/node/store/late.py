"""Rows that are written once for everything that changes between two commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rsc_share.node.store.protocol import Room, Shelf

T = TypeVar("T")


class Late:
    """`write` stages rows; it is called once before a commit if `touch` was called since the last one."""

    def __init__(self, shelf: Shelf, write: Callable[[], None]) -> None:
        self._shelf, self._write, self._due = shelf, write, False

    def touch(self) -> None:
        if not self._due:
            self._due = True
            self._shelf.store.later(self._run)

    def _run(self) -> None:
        self._due = False
        self._write()


class Runs(Generic[T]):
    """Things that are only ever added, some of them in one row: the key of the first one, and all their values.

    One row for each would cost what a hundred of them cost together.
    """

    MOST = 64

    def __init__(self, shelf: Shelf, room: Room, key: Callable[[T], Any], wire: Callable[[T], list[Any]]) -> None:
        self._shelf, self._room, self._key, self._wire = shelf, room, key, wire
        self._new: list[T] = []
        self._late = Late(shelf, self._write)

    def add(self, thing: T) -> None:
        self._new.append(thing)
        self._late.touch()

    def _write(self) -> None:
        new, self._new = self._new, []
        for at in range(0, len(new), self.MOST):
            run = new[at : at + self.MOST]
            self._shelf.put(self._room, self._key(run[0]), [self._wire(thing) for thing in run])

    def values(self) -> list[list[Any]]:
        """All of them, as they were written, in the order of the keys of their rows."""
        return [value for _, run in sorted(self._shelf.rows(self._room), key=lambda row: row[0]) for value in run]
