"""Handing in blobs a chunk at a time, beside a node's turns: an entry leaves when the relay has all of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rsc_share.crypto.blobs import BlobSealer, Place
from rsc_share.errors import LocalError, Refused, RemoteError, RscError
from rsc_share.node.attachments import CHANGED, Prepared, changed, commitment_of, read_span
from rsc_share.node.connect import IDENTITY_ROW
from rsc_share.node.identity import Identity
from rsc_share.node.outbox import Item, Outbox
from rsc_share.session.port import RelayPort

MAX_ASKED = 3
"""Times a relay may say that another chunk is next before nothing more is sent to it in this round."""


class Uploads:
    """The blobs of one log's outbox. One round at a time; what a round did not finish, the next one goes on with."""

    def __init__(self, log: str, identity: Identity, outbox: Outbox) -> None:
        self._log, self._identity, self._outbox = log, identity, outbox

    @property
    def waiting(self) -> bool:
        return self._outbox.uploading

    async def carry(self, port: RelayPort) -> bool:
        """Hand in what waits, the most urgent first. True if an item may leave now, or will never leave.

        Raises `Unavailable` where the relay cannot take more now, `RemoteError` where it answers what it should not,
        `Refused` where it turns this node away: all waits, and what it has is not sent again.
        """
        moved = False
        while items := self._outbox.uploads():
            await self._item(items[0], port)
            moved = True
        return moved

    async def _item(self, item: Item, port: RelayPort) -> None:
        try:
            for part, found in item.blobs:
                place = Place(self._identity.charter_digest, self._log, found.realm, self._identity.node, item.id, part)
                await self._blob(item, found, place, port)
            item.uploaded = True
        except LocalError as error:
            if error.code != CHANGED:
                raise
            self._give_up(item, error)
        except Refused as error:
            if error.row == IDENTITY_ROW:
                raise
            self._give_up(item, error)
        if item.ticket is not None:
            item.ticket.wake()

    def _give_up(self, item: Item, error: RscError) -> None:
        self._outbox.drop([item])
        if item.ticket is not None:
            item.ticket.fail(error)

    async def _blob(self, item: Item, found: Prepared, place: Place, port: RelayPort) -> None:
        digest, size, path, sealer = found.part.digest, found.part.size, Path(found.path), found.sealer(place)
        index = await port.blob_held(self._log, digest, size)
        asked = 0
        while index < sealer.layout.chunks and self._outbox.find(item.id) is item:
            chunk = await asyncio.to_thread(_sealed, sealer, path, index)
            try:
                await port.blob_put(self._log, digest, size, index, chunk)
            except RemoteError as error:
                if error.code == "wrong-blob":
                    await asyncio.to_thread(_check, found, path, place)
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


def _check(found: Prepared, path: Path, place: Place) -> None:
    """Whose fault it is that the relay has other bytes. Raises `LocalError` if this file is not what it was."""
    if commitment_of(path, found.told.length, place, found.salt, lambda _: None) != found.part.commit:
        raise changed(path, "its content is another")
