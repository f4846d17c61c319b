"""Attachments on their way to the relays, beside the turns: a large file must not keep a message waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rsc_share.errors import LocalError, Refused, RemoteError, RscError, Unavailable
from rsc_share.node.alarms import Alarms
from rsc_share.node.connect import MOST_RETRY_SECONDS
from rsc_share.node.identity import World
from rsc_share.node.line import Line
from rsc_share.node.store.protocol import Store
from rsc_share.session.port import RelayPort

FOR_A_PERSON = ("no-space", "blob-quota", "no-blobs")
"""A cut line heals by itself; a full disk, a quota, or a relay that takes no files is for a person to know."""


class Host(Protocol):
    """What a carrier needs of its engine."""

    @property
    def world(self) -> World: ...
    @property
    def alarms(self) -> Alarms: ...
    @property
    def store(self) -> Store: ...
    @property
    def lines(self) -> Mapping[str, Line]: ...
    @property
    def stopped(self) -> RscError | None: ...

    def port(self, log: str) -> RelayPort: ...


class Carrier:
    """One round at a time. `after`: seconds that a relay asked for before attachments are offered to it again."""

    def __init__(self, engine: Host) -> None:
        self._engine = engine
        self.after = 0.0

    async def round(self) -> bool:
        """Hand in what waits, of every line. True if a message may leave now, or never will."""
        engine, moved, self.after = self._engine, False, 0.0
        for line in list(engine.lines.values()):
            if line.uploads.waiting and line.stopped is None and engine.stopped is None:
                try:
                    moved = await line.uploads.carry(engine.port(line.log)) or moved
                except (Unavailable, Refused, RemoteError, LocalError) as error:
                    after = getattr(error, "retry_after", None) or 0.0
                    self.after = max(self.after, min(after, MOST_RETRY_SECONDS))
                    self._tell(line.log, error)
        if moved:
            await engine.store.commit()
        return moved

    def _tell(self, log: str, error: RscError) -> None:
        alarms, now = self._engine.alarms, self._engine.world.now()
        if not isinstance(error, Unavailable):
            alarms.failed(error, log, now)
        elif error.code in FOR_A_PERSON:
            alarms.raise_("attachment-waits", log, error.what, now, why=error.code)
