"""Attachments as a reader holds them: read a chunk at a time, believed only when the last one has come.

async for piece in attachment.read(): ...        raises at the end where it is not what the sender committed to
await attachment.save(path)                      goes on where an earlier call broke off; the name appears at the end
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from rsc_share.crypto.blobs import CHUNK, SEALED_CHUNK, BlobOpener, Place
from rsc_share.crypto.bodies import MAX_INLINE_PART, open_part
from rsc_share.durable import sync_folder
from rsc_share.envelope.parts import Part
from rsc_share.errors import LocalError, Refused, RemoteError, StorageError
from rsc_share.node.attachments import Told
from rsc_share.progress import Progress, silent
from rsc_share.session.port import RelayPort

PART_FILE = ".part"
SYNC_EVERY = 8
"""Chunks between two syncs of a file that is saved. Left to the end, a gigabyte holds up every other sync of that disk
for half a second, and with it the messages that wait for theirs."""


@dataclass(frozen=True, slots=True)
class ReceivedAttachment:
    """`name` and `media` are the sender's words; `name` is a plain file name, `size` the bytes of the file."""

    name: str
    media: str
    size: int
    _told: Told = field(repr=False)
    _part: Part = field(repr=False)
    _place: Place = field(repr=False)
    _body: bytes = field(repr=False)
    _port: RelayPort = field(repr=False)

    async def read(self) -> AsyncIterator[bytes]:
        """The file, in pieces of at most 1 MiB. **Nothing of it is proved before the iterator has ended.**

        Raises `RemoteError` (`bad-part`) where it is not what the sender signed, `Refused` (`body-missing`) once it is
        recalled, erased or expired, `Unavailable` where the relay is out of reach: read again then, or use `save`.
        """
        if self._part.size <= MAX_INLINE_PART:
            yield self._inline()
            return
        opener = self._opener()
        while opener.next < opener.chunks:
            payload = opener.open(await self._chunk(opener.next))
            self._fits(opener, payload)
            yield payload
        opener.finish()

    async def save(self, path: str | os.PathLike[str], *, progress: Progress = silent) -> Path:
        """Write it to a new file. What came before a crash or a cut is kept in `<path>.part` and not fetched again;
        the name appears once all of it is proved and on disk.

        Raises what `read` raises, `LocalError` where there is a file of this name, `StorageError` for the disk.
        """
        target = _free(path)
        coming = target.with_name(target.name + PART_FILE)
        try:
            file = os.open(coming, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                await self._write(file, progress)
                await asyncio.to_thread(os.fsync, file)
            except RemoteError as error:
                if error.code == "bad-part":
                    os.ftruncate(file, 0)  # a part of it may be what was wrong: the next call begins anew
                raise
            finally:
                os.close(file)
            _name(coming, target)
            await asyncio.to_thread(sync_folder, target.parent)
        except OSError as error:
            raise StorageError(f"{target}: {error.strerror}", code="not-written") from None
        return target

    async def _write(self, file: int, progress: Progress) -> None:
        if self._part.size <= MAX_INLINE_PART:
            await asyncio.to_thread(_put, file, 0, self._inline())
            os.ftruncate(file, self.size)
            return
        opener = self._opener()
        first = opener.open(await self._chunk(0))
        self._fits(opener, first)
        at = len(first)
        while opener.next < opener.chunks and (held := await asyncio.to_thread(_held, file, at, self.size)):
            opener.passed(held)
            at += len(held)
            progress(self.name, at, self.size)
        await asyncio.to_thread(_put, file, 0, first)
        while opener.next < opener.chunks:
            payload = opener.open(await self._chunk(opener.next))
            await asyncio.to_thread(_put, file, at, payload, sync=opener.next % SYNC_EVERY == 0)
            at += len(payload)
            progress(self.name, at, self.size)
        os.ftruncate(file, at)
        opener.finish()

    def _inline(self) -> bytes:
        if not self._body:
            raise Refused("body-missing", f"{self.name} did not come with its message", row=14)
        p = self._place
        _, payload = open_part(
            self._told.key,
            self._body,
            self._part.commit,
            framework_id=p.framework_id,
            log=p.log,
            realm=p.realm,
            sender=p.sender,
            id=p.id,
            part=p.part,
        )
        if len(payload) != self.size:
            raise self._wrong_length()
        return payload

    def _opener(self) -> BlobOpener:
        return BlobOpener(self._told.key, self._place, self._part.commit, self._part.size)

    def _fits(self, opener: BlobOpener, first: bytes) -> None:
        """After chunk 0: the blob is as long as the message says, before anything more is fetched."""
        if opener.next == 1 and len(first) + opener.left != self.size:
            raise self._wrong_length()

    def _wrong_length(self) -> RemoteError:
        return RemoteError(f"{self.name} has another length than its message says", code="bad-part")

    async def _chunk(self, index: int) -> bytes:
        start = index * SEALED_CHUNK
        stop = min(start + SEALED_CHUNK, self._part.size)
        return await self._port.blob_read(self._place.log, self._part.digest, start, stop)


def _name(coming: Path, target: Path) -> None:
    """Without taking anybody's file away, where the file system has links."""
    try:
        os.link(coming, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        _free(target)
        coming.rename(target)
    else:
        coming.unlink()


def _held(file: int, at: int, size: int) -> bytes:
    """The payload of one more chunk as it lies in the file; empty where not all of it is there."""
    wanted = min(CHUNK, size - at)
    found = b""
    while len(found) < wanted and (piece := os.pread(file, wanted - len(found), at + len(found))):
        found += piece
    return found if len(found) == wanted else b""


def _put(file: int, at: int, data: bytes, *, sync: bool = False) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done
    if sync:
        os.fdatasync(file)


def _free(path: str | os.PathLike[str]) -> Path:
    target = Path(path).absolute()
    if target.exists():
        raise LocalError(f"{target} is there already", code="exists", advice="choose another name")
    return target
