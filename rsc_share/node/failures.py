"""What a failed step means for a node: what is kept as proof, who stops for good, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rsc_share.errors import Misbehaviour, Refused, RemoteError, RscError, StorageError, Unavailable
from rsc_share.node.alarms import Alarms
from rsc_share.node.connect import IDENTITY_ROW
from rsc_share.node.elsewhere import CLONED, ROLLED_BACK
from rsc_share.node.identity import World
from rsc_share.node.line import STOPPED, Line
from rsc_share.node.records.tickets import error_wire, read_error
from rsc_share.node.store.protocol import Room, Shelf

KeepEvidence = Callable[[str, Mapping[str, bytes]], Path | None]


def keep_nothing(code: str, parts: Mapping[str, bytes]) -> Path | None:
    return None


class Failures:
    """Of one node. A log whose signature contradicts it is believed no more; if that is the directory, nothing is."""

    def __init__(
        self,
        directory: str,
        world: World,
        alarms: Alarms,
        lines: Mapping[str, Line],
        keep: KeepEvidence,
        shelf: Shelf,
    ) -> None:
        self._directory, self._world, self._alarms, self._lines = directory, world, alarms, lines
        self._keep, self._shelf = keep, shelf
        stopped = shelf.get(Room.META, STOPPED)
        self.stopped: RscError | None = None if stopped is None else read_error(stopped)
        """Why this node does nothing any more. A restart changes nothing about that: a person has to look."""
        self.turned_away: Refused | None = None
        """Why the relay does not let this node in, as of the last turn: its word, not a proof."""
        self.cut_off = False
        """Whether a relay was out of reach, since somebody last looked."""

    def answer_for(self, raised: RscError) -> None:
        """Raises what only a person can mend."""
        if isinstance(raised, Unavailable):
            self.cut_off = True
        elif isinstance(raised, StorageError) and raised.code in (CLONED, ROLLED_BACK):
            self._refuse(raised)
        elif isinstance(raised, Misbehaviour):
            self.accuse(raised.fields.get("log", ""), raised, {})
        elif isinstance(raised, Refused):
            self._turn_away(raised)
        elif isinstance(raised, RemoteError):
            self._alarms.failed(raised, raised.what, self._world.now())
        else:
            raise raised

    def _turn_away(self, error: Refused) -> None:
        """The relay does not let this node in (row 3), or refused one call. What is queued stays; who waits is told."""
        self._alarms.failed(error, error.what, self._world.now())
        if error.row == IDENTITY_ROW:
            self.turned_away = error
            self._wake()

    def _refuse(self, error: StorageError) -> None:
        """This instance must never sign again, however often it is started: another one has used its key."""
        kept = self._keep(error.code, {"entry": error.fields["entry"]})
        error.fields["evidence"] = "" if kept is None else str(kept)
        self._stop(error)
        self._wake()

    def _wake(self) -> None:
        for line in self._lines.values():
            line.wake()

    def _stop(self, error: RscError) -> None:
        self.stopped = error
        self._shelf.put(Room.META, STOPPED, error_wire(error))

    def stop(self, error: Misbehaviour, parts: Mapping[str, bytes]) -> None:
        """The directory has cheated: nothing it said of anybody counts."""
        self._stop(error)
        error.evidence = error.evidence or self._keep(error.code, parts)
        for line in self._lines.values():
            line.stop(error, self._world.now())

    def accuse(self, log: str, error: Misbehaviour, parts: Mapping[str, bytes]) -> None:
        """A log's own signature contradicts it: keep the proof, tell, and believe nothing more of that log."""
        proof = {name: value for name, value in error.fields.items() if isinstance(value, bytes)}
        error.evidence = error.evidence or self._keep(error.code, {**parts, **proof})
        self._alarms.raise_(error.code, log or error.what, error.what, self._world.now())
        if log == self._directory and self.stopped is None:
            self.stop(error, parts)
        elif log in self._lines and self._lines[log].stopped is None:
            self._lines[log].stop(error, self._world.now())
