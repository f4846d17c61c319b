"""What an operator is told once, when it begins and when it ends: the disk, the clock, the sweep of blobs."""

from __future__ import annotations

from rsc_share.errors import StorageError
from rsc_share.relay.net.health import ClockGuard
from rsc_share.relay.net.journal import Journal
from rsc_share.relay.room import Room
from rsc_share.relay.service import Relay


class News:
    """Looked at once a second; a line only where something has changed."""

    def __init__(self, relay: Relay, guard: ClockGuard, journal: Journal) -> None:
        self._relay, self._guard, self._journal = relay, guard, journal
        self._off, self._room = False, Room.ENOUGH
        self._failed: StorageError | None = None
        self._missed: dict[str, list[str]] = {}

    def look(self) -> None:
        self._blobs()
        self._disk()
        self._clock()
        self._restored()

    def _blobs(self) -> None:
        failed = self._relay.blob_failure
        if failed is None and self._failed is not None:
            self._journal.info("sweep of blobs works again")
        elif failed is not None and self._failed is None:
            self._journal.error("sweep of blobs failed", what=failed.what)
        self._failed = failed

    def _disk(self) -> None:
        room = self._relay.room()
        if room is not self._room:
            self._room = room
            tell = self._journal.error if room.refuses else self._journal.warning
            tell("disk", room=str(room))

    def _clock(self) -> None:
        if self._guard.off is not self._off:
            self._off = self._guard.off
            tell = self._journal.error if self._off else self._journal.info
            tell("clock", off=self._off, step_seconds=round(self._guard.step, 3))

    def _restored(self) -> None:
        missed = self._relay.missed()
        if missed != self._missed:
            self._missed = missed
            if missed:
                self._journal.warning("a restored store waits for nodes that may have seen more", logs=missed)
