"""A file that only takes up room, so that there is some left when the disk is full: given away once, by decision.

On a full disk SQLite cannot even delete: what would make room needs room first. `relay rescue` removes the file; a
relay whose disk has no room for an erasure that its log has ordered removes it by itself. The next start with room to
spare makes it again. A file system that compresses or shares blocks (btrfs, ZFS) may keep less than the file says.
"""

from __future__ import annotations

import os
from pathlib import Path

from rsc_share.durable import sync_folder
from rsc_share.errors import StorageError
from rsc_share.relay.room import LOW

FILE = "ballast"


class Ballast:
    """`size` bytes in a store's folder; 0: none."""

    def __init__(self, folder: Path, size: int) -> None:
        self.path, self.size = folder / FILE, size

    @property
    def held(self) -> int:
        """Bytes of it that are there now."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def fill(self) -> bool:
        """Make it as large as it should be; whether it is. Never where less than 15 % would stay free.

        A crash in the middle leaves a smaller one for the next start.
        """
        if self.held > self.size or not self.size:
            self.release()
        missing = self.size - self.held
        if missing > 0 and not self._fits(missing):
            return False
        try:
            self._write()
        except OSError:
            self.release()
            return False
        return True

    def _fits(self, missing: int) -> bool:
        found = os.statvfs(self.path.parent)
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        return 100 * (free - missing) >= LOW * total

    def _write(self) -> None:
        if self.size == self.held:
            return
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(file, 0, self.size)
            os.fsync(file)
        finally:
            os.close(file)
        sync_folder(self.path.parent)

    def release(self) -> int:
        """Give it away; how many bytes that were. 0: there was none. Raises `StorageError`."""
        freed = self.held
        try:
            self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be removed: {error.strerror}", code="not-written") from None
        return freed
