"""Blobs in memory: for tests and demonstrations, and the plain meaning of the protocol's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from rsc_share.log.merkle import leaf_hash
from rsc_share.relay.store.blobs import PIECE, NoBlob, Upload, Whole


class MemoryBlobs:
    """A `BlobStore` that tolerates losing nothing. `clock` gives POSIX seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._whole: dict[tuple[str, bytes], tuple[float, bytes]] = {}
        self._coming: dict[tuple[str, bytes], tuple[float, list[bytes]]] = {}

    async def upload(self, upload: Upload) -> int:
        key = (upload.owner, upload.digest)
        if key in self._whole:
            return upload.chunks
        _, chunks = self._coming.setdefault(key, (self._clock(), []))
        return len(chunks)

    async def put(self, upload: Upload, index: int, chunk: bytes) -> int:
        key = (upload.owner, upload.digest)
        if key in self._whole:
            return upload.chunks
        _, chunks = self._coming.get(key, (0.0, []))
        upload.check(index, len(chunks), chunk)
        chunks = [*chunks, chunk]
        self._coming[key] = (self._clock(), chunks)
        if len(chunks) == upload.chunks:
            del self._coming[key]
            upload.prove(b"".join(map(leaf_hash, chunks)))
            self._whole[key] = (self._clock(), b"".join(chunks))
        return len(chunks)

    async def size(self, owner: str, digest: bytes) -> int | None:
        found = self._whole.get((owner, digest))
        return None if found is None else len(found[1])

    async def read(self, owner: str, digest: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
        if (owner, digest) not in self._whole:
            raise NoBlob("no such blob is whole here", digest=digest)
        _, data = self._whole[owner, digest]
        for at in range(start, min(stop, len(data)), PIECE):
            yield data[at : min(at + PIECE, stop)]

    async def delete(self, owner: str, digest: bytes) -> bool:
        return self._whole.pop((owner, digest), None) is not None

    async def sweep(self, before: float) -> Mapping[tuple[str, bytes], Whole]:
        self._coming = {key: held for key, held in self._coming.items() if held[0] >= before}
        return {key: Whole(len(data), since) for key, (since, data) in self._whole.items()}
