"""How much room a store's disk has left, and what that means: said before a commit does not fit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rsc_share.relay.store.schema import FILE

LOW, SHORT, CRITICAL = 15, 7, 3
"""Percent of the file system below which an operator is told, ever louder."""
WAL_MOST = 1 << 30
"""Bytes of the write-ahead file that say somebody keeps a read open."""


class Room(StrEnum):
    """An alarm level. Nothing is refused because of it: a commit that does not fit is."""

    ENOUGH = "enough"
    LOW = "low"
    SHORT = "short"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes: free to this process and in all on the file system, in the database, in the write-ahead file."""

    free: int
    total: int
    store: int
    wal: int

    @property
    def percent(self) -> float:
        return 100 * self.free / self.total if self.total else 0.0

    @property
    def room(self) -> Room:
        for most, room in ((CRITICAL, Room.CRITICAL), (SHORT, Room.SHORT), (LOW, Room.LOW)):
            if self.percent < most:
                return room
        return Room.ENOUGH


class Disk:
    """The disk under a store's folder. Asks the file system when looked at: microseconds, on a local one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def look(self) -> Space | None:
        """Now; None where the file system does not answer, which is worse than a number."""
        try:
            found = os.statvfs(self._folder)
            store, wal = (_size(self._folder / name) for name in (FILE, f"{FILE}-wal"))
        except OSError:
            return None
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, store, wal)


def _size(path: Path) -> int:
    """0 for a file that is not there: a write-ahead file comes with the first write."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
