"""Handing in blobs a chunk at a time, beside a node's turns: an entry leaves when the relay has all of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from rsc_share.crypto.blobs import BlobSealer, Place
from rsc_share.errors import LocalError, Refused, RemoteError, RscError
from rsc_share.node.alarms import Alarms
from rsc_share.node.attachments import Prepared, changed, read_span
from rsc_share.node.identity import Identity, World
from rsc_share.node.outbox import Item, Outbox
from rsc_share.session.port import RelayPort

IDENTITY_ROW = 3
MAX_ASKED = 3
"""Times a relay may say that another chunk is next before nothing more is sent to it in this round."""
RealmOf = Callable[[], str]


class Uploads:
    """The blobs of one log's outbox. One round at a time; what a round did not finish, the next one goes on with."""

    def __init__(self, log: str, identity: Identity, world: World, outbox: Outbox, alarms: Alarms) -> None:
        self._log, self._identity, self._world = log, identity, world
        self._outbox, self._alarms = outbox, alarms

    @property
    def waiting(self) -> bool:
        return bool(self._outbox.uploads())

    async def carry(self, port: RelayPort, realm: str) -> bool:
        """Hand in what waits, the most urgent first. True if an item may leave now, or will never leave.

        Raises `Unavailable` where the relay cannot take more now; what it has is not sent again.
        """
        moved = False
        while items := self._outbox.uploads():
            await self._item(items[0], port, realm)
            moved = True
        return moved

    async def _item(self, item: Item, port: RelayPort, realm: str) -> None:
        try:
            for part, found in item.blobs:
                place = Place(self._identity.charter_digest, self._log, realm, self._identity.node, item.id, part)
                await self._blob(item, found, found.sealer(place), port)
            item.uploaded = True
        except (LocalError, RemoteError, Refused) as error:
            if isinstance(error, Refused) and error.row == IDENTITY_ROW:
                raise  # the relay turns this node away: what waits, waits
            self._give_up(item, error)
        if item.ticket is not None:
            item.ticket.wake()

    def _give_up(self, item: Item, error: RscError) -> None:
        self._alarms.raise_(error.code, item.id.hex(), error.what, self._world.now())
        self._outbox.drop([item])
        if item.ticket is not None:
            item.ticket.fail(error)

    async def _blob(self, item: Item, found: Prepared, sealer: BlobSealer, port: RelayPort) -> None:
        digest, size, path = found.part.digest, found.part.size, Path(found.path)
        index = await port.blob_held(self._log, digest, size)
        asked = 0
        while index < sealer.layout.chunks and self._outbox.find(item.id) is item:
            chunk = await asyncio.to_thread(_sealed, sealer, path, index)
            try:
                await port.blob_put(self._log, digest, size, index, chunk)
            except RemoteError as error:
                if error.code == "wrong-blob":
                    raise changed(path, "the relay was given other bytes than its digest says") from None
                asked += 1
                if error.code != "wrong-chunk" or asked > MAX_ASKED:
                    raise
                index = await port.blob_held(self._log, digest, size)
                continue
            index += 1
            self._tell(item, found, sealer.span(index - 1)[1])
        self._tell(item, found, found.told.length)

    @staticmethod
    def _tell(item: Item, found: Prepared, done: int) -> None:
        item.sent[found.told.name] = done
        if item.ticket is not None:
            item.ticket.wake()


def _sealed(sealer: BlobSealer, path: Path, index: int) -> bytes:
    return sealer.seal(index, read_span(path, *sealer.span(index)))
