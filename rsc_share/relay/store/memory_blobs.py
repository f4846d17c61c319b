"""Blobs in memory: for tests and demonstrations, and the plain meaning of the protocol's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from rsc_share.log.merkle import leaf_hash
from rsc_share.relay.store.blobs import PIECE, NoBlob, Upload


class MemoryBlobs:
    """A `BlobStore` that tolerates losing nothing. `clock` gives POSIX seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._whole: dict[bytes, bytes] = {}
        self._coming: dict[tuple[str, bytes], tuple[float, list[bytes]]] = {}

    async def upload(self, upload: Upload) -> int:
        if upload.digest in self._whole:
            return upload.chunks
        _, chunks = self._coming.setdefault((upload.owner, upload.digest), (self._clock(), []))
        return len(chunks)

    async def put(self, upload: Upload, index: int, chunk: bytes) -> int:
        if upload.digest in self._whole:
            return upload.chunks
        key = (upload.owner, upload.digest)
        _, chunks = self._coming.get(key, (0.0, []))
        upload.check(index, len(chunks), chunk)
        chunks = [*chunks, chunk]
        self._coming[key] = (self._clock(), chunks)
        if len(chunks) == upload.chunks:
            del self._coming[key]
            upload.prove(b"".join(map(leaf_hash, chunks)))
            self._whole[upload.digest] = b"".join(chunks)
        return len(chunks)

    async def size(self, digest: bytes) -> int | None:
        return len(self._whole[digest]) if digest in self._whole else None

    async def read(self, digest: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
        if digest not in self._whole:
            raise NoBlob("no such blob is whole here", digest=digest)
        for at in range(start, min(stop, len(self._whole[digest])), PIECE):
            yield self._whole[digest][at : min(at + PIECE, stop)]

    async def delete(self, digest: bytes) -> bool:
        return self._whole.pop(digest, None) is not None

    async def sweep(self, before: float) -> Mapping[bytes, int]:
        self._coming = {key: held for key, held in self._coming.items() if held[0] >= before}
        return {digest: len(data) for digest, data in self._whole.items()}
