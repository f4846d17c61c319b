"""How much room a store's disk has left, and what that means: said before a commit does not fit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rsc_share.relay.room import Room, room_of
from rsc_share.relay.store.ballast import FILE as BALLAST
from rsc_share.relay.store.schema import FILE

WAL_MOST = 1 << 30
"""Bytes of the write-ahead file that say somebody keeps a read open."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes: free to this process and in all on the file system, in the database, its write-ahead file, the ballast."""

    free: int
    total: int
    store: int
    wal: int
    ballast: int = 0

    @property
    def percent(self) -> float:
        return 100 * self.free / self.total if self.total else 0.0

    @property
    def room(self) -> Room:
        return room_of(self.percent)


class Disk:
    """The disk under a store's folder. Asks the file system when looked at: microseconds, on a local one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def look(self) -> Space | None:
        """Now; None where the file system does not answer, which is worse than a number."""
        try:
            found = os.statvfs(self._folder)
            sizes = [_size(self._folder / name) for name in (FILE, f"{FILE}-wal", BALLAST)]
        except OSError:
            return None
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, *sizes)

    def room(self) -> Room:
        """Now. A file system that does not answer is no place for more than what has to be written."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return Room.CRITICAL
        return room_of(100 * found.f_bavail / found.f_blocks if found.f_blocks else 0.0)


def _size(path: Path) -> int:
    """0 for a file that is not there: a write-ahead file comes with the first write."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
