"""Where a relay keeps blobs: content by RFC 6962 root over sealed chunks, beside the logs and never in their database.

1. An upload, and the whole blob it becomes, is its owner's alone and named by (owner, digest): nobody spoils, sees or
   deletes another member's. `upload` says how many chunks are durable; after a crash or a broken line it goes on there.
2. `put` takes the next chunk and no other. What it returned as durable survives the loss of power.
3. A blob can be read only after its last chunk was durable and the root of all was its digest. An upload whose root is
   another is thrown away.
4. `read` gives any range, a piece at a time. `delete` is for good and can be repeated.
5. `sweep` forgets uploads nobody went on with, and tells who owns what and since when: blobs that no entry names are
   the caller's to delete.

Nothing here knows a key: chunks are ciphertext, and a reader checks each one when it opens it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from rsc_share import names
from rsc_share.crypto.blobs import SEALED_CHUNK, Layout
from rsc_share.errors import LocalError, StorageError
from rsc_share.log.merkle import CompactRange
from rsc_share.shape import blob

PIECE = 1 << 16
"""Bytes `read` gives at a time: what a slow reader holds in memory."""


class WrongChunk(LocalError):
    """The chunk is not the next one, or not of its length: the uploader asks `upload` where to go on."""

    default_code = "wrong-chunk"


class WrongBlob(LocalError):
    """All chunks came, and they are not what the digest names. The upload is gone."""

    default_code = "wrong-blob"


class NoBlob(StorageError):
    """No such blob is whole here."""

    default_code = "no-blob"


@dataclass(frozen=True, slots=True)
class Upload:
    """`digest`: RFC 6962 root over the chunks, `size`: bytes of all of them. `owner`: the member who pays for it."""

    owner: str
    digest: bytes
    size: int

    def __post_init__(self) -> None:
        """Raises `RemoteError`: the owner becomes part of a file's name."""
        names.member(self.owner, "owner")
        blob(self.digest, "digest", size=32)
        Layout.of_blob(self.size)

    @property
    def chunks(self) -> int:
        return -(-self.size // SEALED_CHUNK)

    def length_of(self, index: int) -> int:
        return min(SEALED_CHUNK, self.size - index * SEALED_CHUNK)

    def check(self, index: int, held: int, chunk: bytes) -> None:
        """Raises `WrongChunk`."""
        if index != held or index >= self.chunks or len(chunk) != self.length_of(index):
            raise WrongChunk(
                f"chunk {index} of {len(chunk)} bytes, where chunk {held} of {self.length_of(held)} bytes is next",
                held=held,
            )

    def prove(self, leaves: bytes) -> None:
        """Raises `WrongBlob` unless these leaf hashes, end to end, are the tree the digest names."""
        tree = CompactRange()
        for at in range(0, len(leaves), 32):
            tree.append(leaves[at : at + 32])
        if tree.size != self.chunks or tree.root() != self.digest:
            raise WrongBlob("the chunks are not those the digest names", digest=self.digest)


@dataclass(frozen=True, slots=True)
class Whole:
    """A blob that is here: bytes, and when its last chunk came (POSIX seconds)."""

    size: int
    since: float


class BlobStore(Protocol):
    """The promises are those at the head of this module, by number. Errors of the disk are `StorageError`, a full one
    is `Full`."""

    async def upload(self, upload: Upload) -> int:
        """How many chunks of it are durable; all of them if the owner's blob is whole here (promise 1)."""
        ...

    async def put(self, upload: Upload, index: int, chunk: bytes) -> int:
        """Take the next chunk; how many are durable now, all of them once the blob is whole (promises 2, 3).

        Raises `WrongChunk`, `WrongBlob`.
        """
        ...

    async def size(self, owner: str, digest: bytes) -> int | None:
        """Bytes of a whole blob of `owner`, None where there is none."""
        ...

    def read(self, owner: str, digest: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `stop` - 1 of a whole blob (promise 4). Raises `NoBlob`."""
        ...

    async def delete(self, owner: str, digest: bytes) -> bool:
        """Whether it was here (promise 4)."""
        ...

    async def sweep(self, before: float) -> Mapping[tuple[str, bytes], Whole]:
        """Forget uploads last added to before `before` (POSIX seconds); every whole blob by (owner, digest)
        (promise 5)."""
        ...
