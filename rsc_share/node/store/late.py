"""Rows that are written once for everything that changes between two commits."""

from __future__ import annotations

from collections.abc import Callable

from rsc_share.node.store.protocol import Shelf


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
