"""Blobs as files: `ab/<digest>-<owner>` whole ones, `uploads/<owner>-<digest>` those still coming.

An upload is two files: the chunks, and their leaf hashes, which are written only after the chunks they stand for are on
disk. The number of leaf hashes is therefore the number of durable chunks, whatever moment a crash chose:

    write chunks . fdatasync . append leaf hashes . fdatasync        (every `SYNC_EVERY` chunks, and at the end)
    root == digest . rename . fsync of the folder . remove the leaf hashes

A crash before the rename leaves an upload to go on with; one after it a whole blob and a list of leaf hashes that the
next sweep removes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.durable import sync_folder
from rsc_share.errors import StorageError
from rsc_share.log.merkle import HASH_SIZE, leaf_hash
from rsc_share.relay.store.blobs import PIECE, NoBlob, Upload, Whole, WrongBlob
from rsc_share.relay.store.protocol import Full

FOLDER = "blobs"
"""Below a store's folder."""
UPLOADS = "uploads"
LEAVES = ".leaves"
SYNC_EVERY = 8
"""Chunks between two fdatasync: 8 MiB are sent again after a crash, at most."""


@dataclass(slots=True, eq=False)
class _Coming:
    """An upload in this process. `written` chunks are in the file, the last of them, whose leaf hashes are `waiting`,
    perhaps not on disk yet; None: only the disk knows."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    written: int | None = None
    waiting: list[bytes] = field(default_factory=list)


class FileBlobs:
    """A `BlobStore` below `root`, which is made. One process at a time owns it; every call runs in a thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._coming: dict[tuple[str, bytes], _Coming] = {}
        with _storage():
            (root / UPLOADS).mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(root)

    async def upload(self, upload: Upload) -> int:
        return await self._in_turn(upload, self._held)

    async def put(self, upload: Upload, index: int, chunk: bytes) -> int:
        return await self._in_turn(upload, lambda upload, coming: self._put(upload, coming, index, chunk))

    async def _in_turn(self, upload: Upload, work: Callable[[Upload, _Coming], int]) -> int:
        # A task of its own: a caller that goes away must not let the next one in while the thread still writes.
        return await asyncio.shield(asyncio.create_task(self._turn(upload, work)))

    async def _turn(self, upload: Upload, work: Callable[[Upload, _Coming], int]) -> int:
        coming = self._coming.setdefault((upload.owner, upload.digest), _Coming())
        async with coming.turn:
            return await asyncio.to_thread(self._work, upload, coming, work)

    def _work(self, upload: Upload, coming: _Coming, work: Callable[[Upload, _Coming], int]) -> int:
        try:
            with _storage():
                held = work(upload, coming)
        except StorageError:
            coming.written = None  # what the file holds after a failed write is not known: the disk is asked again
            raise
        if held == upload.chunks:
            self._coming.pop((upload.owner, upload.digest), None)
        return held

    async def size(self, owner: str, digest: bytes) -> int | None:
        return await asyncio.to_thread(_size, self._path(owner, digest))

    async def read(self, owner: str, digest: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(os.open, self._path(owner, digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NoBlob("no such blob is whole here", digest=digest) from error
        try:
            while start < stop:
                piece = await asyncio.to_thread(os.pread, file, min(PIECE, stop - start), start)
                if not piece:
                    return
                start += len(piece)
                yield piece
        finally:
            os.close(file)

    async def delete(self, owner: str, digest: bytes) -> bool:
        return await asyncio.to_thread(self._delete, owner, digest)

    async def sweep(self, before: float) -> Mapping[tuple[str, bytes], Whole]:
        return await asyncio.to_thread(self._sweep, before)

    # --- in a thread

    def _path(self, owner: str, digest: bytes) -> Path:
        return path_of(self.root, owner, digest)

    def _files(self, upload: Upload) -> tuple[Path, Path]:
        """Chunks, and their leaf hashes."""
        path = self.root / UPLOADS / f"{upload.owner}-{upload.digest.hex()}"
        return path, path.with_name(path.name + LEAVES)

    def _held(self, upload: Upload, coming: _Coming) -> int:
        if _size(self._path(upload.owner, upload.digest)) is not None:
            return upload.chunks
        written = self._written(upload, coming)
        if coming.waiting:  # what is asked for is where `put` goes on
            with _opened(self._files(upload)[0]) as descriptor:
                self._settle(upload, coming, written, descriptor)
        return written

    def _written(self, upload: Upload, coming: _Coming) -> int:
        """As far as the leaf hashes say it is durable; what was written after that is written again."""
        if coming.written is None:
            path, leaves = self._files(upload)
            count = min((_size(leaves) or 0) // HASH_SIZE, (_size(path) or 0) // SEALED_CHUNK)
            for file, size in ((leaves, HASH_SIZE), (path, SEALED_CHUNK)):
                with _opened(file) as descriptor:
                    os.ftruncate(descriptor, count * size)
            sync_folder(path.parent)
            coming.written, coming.waiting = count, []
        return coming.written

    def _put(self, upload: Upload, coming: _Coming, index: int, chunk: bytes) -> int:
        if _size(self._path(upload.owner, upload.digest)) is not None:
            return upload.chunks
        written = self._written(upload, coming)
        upload.check(index, written, chunk)
        path, leaves = self._files(upload)
        with _opened(path) as descriptor:
            _write(descriptor, chunk, index * SEALED_CHUNK)
            coming.written = written + 1
            coming.waiting.append(leaf_hash(chunk))
            last = coming.written == upload.chunks
            if not last and len(coming.waiting) < SYNC_EVERY:
                return coming.written - len(coming.waiting)
            self._settle(upload, coming, coming.written, descriptor)
        if last:
            self._finish(upload, coming, path, leaves)
        return coming.written

    def _settle(self, upload: Upload, coming: _Coming, written: int, chunks: int) -> None:
        """Make the chunks that were written (file descriptor `chunks`) durable, then their leaf hashes."""
        os.fdatasync(chunks)
        # A crash here: chunks are on disk that no leaf hash speaks of. They are sent again.
        with _opened(self._files(upload)[1]) as descriptor:
            _write(descriptor, b"".join(coming.waiting), (written - len(coming.waiting)) * HASH_SIZE)
            os.fdatasync(descriptor)
        coming.waiting = []

    def _finish(self, upload: Upload, coming: _Coming, path: Path, leaves: Path) -> None:
        try:
            upload.prove(leaves.read_bytes()[: upload.chunks * HASH_SIZE])
        except WrongBlob:
            path.unlink(missing_ok=True)
            leaves.unlink(missing_ok=True)
            coming.written = None
            raise
        whole = self._path(upload.owner, upload.digest)
        whole.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(path, whole)
        sync_folder(whole.parent)
        sync_folder(self.root)
        leaves.unlink(missing_ok=True)

    def _delete(self, owner: str, digest: bytes) -> bool:
        path = self._path(owner, digest)
        with _storage():
            if _size(path) is None:
                return False
            path.unlink()
            sync_folder(path.parent)
            return True

    def _sweep(self, before: float) -> dict[tuple[str, bytes], Whole]:
        with _storage():
            for path in (self.root / UPLOADS).iterdir():
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
                    self._forget(path.name.removesuffix(LEAVES))
            found = {}
            for path in self._whole():
                digest, _, owner = path.name.partition("-")
                state = path.stat()
                found[owner, bytes.fromhex(digest)] = Whole(state.st_size, state.st_mtime)
            return found

    def _forget(self, name: str) -> None:
        for (owner, digest), coming in self._coming.items():
            if name == f"{owner}-{digest.hex()}":
                coming.written = None

    def _whole(self) -> Iterator[Path]:
        for folder in self.root.iterdir():
            if folder.name != UPLOADS and folder.is_dir():
                yield from (path for path in folder.iterdir() if path.name[2 * HASH_SIZE : 2 * HASH_SIZE + 1] == "-")


def path_of(root: Path, owner: str, digest: bytes) -> Path:
    """Where a whole blob lies."""
    return root / digest.hex()[:2] / f"{digest.hex()}-{owner}"


def _write(file: int, data: bytes, at: int) -> None:
    """All of it: a disk that fills up takes a part first."""
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Full("no space for blobs") from error
        raise StorageError(f"blobs cannot be written: {error.strerror}", code="io-error") from error
