"""Blob stores: what was said to be durable is there after any crash, what is whole is what its digest names."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.errors import RemoteError, StorageError
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.relay.store import file_blobs
from rsc_share.relay.store.blobs import PIECE, BlobStore, NoBlob, Upload, WrongBlob, WrongChunk
from rsc_share.relay.store.file_blobs import LEAVES, SYNC_EVERY, UPLOADS, FileBlobs
from rsc_share.relay.store.memory_blobs import MemoryBlobs
from rsc_share.relay.store.protocol import Full

TAIL = 70_000


def chunks_of(count: int, seed: int = 1) -> list[bytes]:
    return [bytes([seed + i]) * SEALED_CHUNK for i in range(count - 1)] + [bytes([seed]) * TAIL]


def upload_of(chunks: list[bytes], owner: str = "EST") -> Upload:
    tree = CompactRange()
    for chunk in chunks:
        tree.append(leaf_hash(chunk))
    return Upload(owner, tree.root(), sum(map(len, chunks)))


@pytest.fixture(params=["memory", "files"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return MemoryBlobs(lambda: 1000.0) if request.param == "memory" else FileBlobs(tmp_path / "blobs")


async def send(store: BlobStore, upload: Upload, chunks: list[bytes], start: int = 0) -> int:
    held = start
    for index in range(start, len(chunks)):
        held = await store.put(upload, index, chunks[index])
    return held


async def whole(store: BlobStore, digest: bytes, start: int = 0, stop: int = 1 << 40) -> bytes:
    return b"".join([piece async for piece in store.read("EST", digest, start, stop)])


async def test_what_was_put_is_read(store: BlobStore) -> None:
    chunks = chunks_of(3)
    upload = upload_of(chunks)
    assert await store.upload(upload) == 0
    assert await send(store, upload, chunks) == 3
    data = b"".join(chunks)
    assert await store.size("EST", upload.digest) == len(data)
    assert await whole(store, upload.digest) == data
    for start, stop in ((0, 1), (SEALED_CHUNK - 5, SEALED_CHUNK + 5), (len(data) - 3, len(data) + 9), (5, 5)):
        assert await whole(store, upload.digest, start, stop) == data[start:stop]
    assert max([len(piece) async for piece in store.read("EST", upload.digest, 0, len(data))]) <= PIECE


async def test_where_an_upload_is_said_to_be_is_where_it_goes_on(store: BlobStore) -> None:
    """A line broke after three chunks that no sync had covered yet: who asks is told 3, and may send chunk 3."""
    chunks = chunks_of(5)
    upload = upload_of(chunks)
    for index in range(3):
        await store.put(upload, index, chunks[index])
    assert await store.upload(upload) == 3
    assert await send(store, upload, chunks, 3) == 5


async def test_nothing_is_read_before_the_last_chunk(store: BlobStore) -> None:
    chunks = chunks_of(3)
    upload = upload_of(chunks)
    await send(store, upload, chunks[:2])
    assert await store.size("EST", upload.digest) is None
    with pytest.raises(NoBlob):
        await whole(store, upload.digest)


async def test_only_the_next_chunk_is_taken(store: BlobStore) -> None:
    chunks = chunks_of(3)
    upload = upload_of(chunks)
    await store.put(upload, 0, chunks[0])
    for index, chunk in ((0, chunks[0]), (2, chunks[2]), (1, chunks[2]), (1, b""), (1, chunks[1] + b"x")):
        with pytest.raises(WrongChunk) as caught:
            await store.put(upload, index, chunk)
        assert caught.value.fields["held"] == 1
    assert await send(store, upload, chunks, 1) == 3


async def test_chunks_that_are_not_the_digests_are_thrown_away(store: BlobStore) -> None:
    chunks = chunks_of(2)
    upload = upload_of(chunks)
    with pytest.raises(WrongBlob):
        await send(store, upload, [chunks[0], bytes(TAIL)])
    assert await store.size("EST", upload.digest) is None
    assert await store.upload(upload) == 0
    assert await send(store, upload, chunks) == 2


async def test_an_upload_is_its_owners(store: BlobStore) -> None:
    """Another member cannot spoil an upload by sending other bytes under its digest."""
    chunks = chunks_of(2)
    mine, theirs = upload_of(chunks), upload_of(chunks, "FIN")
    await store.put(mine, 0, chunks[0])
    with pytest.raises(WrongBlob):
        await send(store, theirs, [bytes(SEALED_CHUNK), chunks[1]])
    assert await send(store, mine, chunks, 1) == 2
    assert await store.upload(theirs) == 0
    assert await store.size("FIN", theirs.digest) is None
    assert await send(store, theirs, chunks) == 2
    assert await store.delete("EST", mine.digest)
    assert await store.size("FIN", theirs.digest) == theirs.size


async def test_a_whole_blob_is_not_sent_again(store: BlobStore) -> None:
    chunks = chunks_of(2)
    upload = upload_of(chunks)
    await send(store, upload, chunks)
    assert await store.upload(upload) == 2
    assert await store.put(upload, 0, b"whatever") == 2
    assert await whole(store, upload.digest) == b"".join(chunks)


async def test_deleting_is_for_good_and_can_be_repeated(store: BlobStore) -> None:
    chunks = chunks_of(2)
    upload = upload_of(chunks)
    await send(store, upload, chunks)
    assert await store.delete("EST", upload.digest)
    assert not await store.delete("EST", upload.digest)
    assert await store.size("EST", upload.digest) is None
    assert await send(store, upload, chunks) == 2


async def test_sweeping_forgets_what_nobody_went_on_with(store: BlobStore) -> None:
    chunks, other = chunks_of(2), chunks_of(3, seed=50)
    upload, left = upload_of(chunks), upload_of(other)
    await send(store, upload, chunks)
    await send(store, left, other[:2])
    assert {key: whole.size for key, whole in (await store.sweep(0.0)).items()} == {("EST", upload.digest): upload.size}
    with pytest.raises(WrongChunk):
        await store.put(left, 0, other[0])
    assert {key: whole.size for key, whole in (await store.sweep(1e12)).items()} == {
        ("EST", upload.digest): upload.size
    }
    assert await store.upload(left) == 0
    assert await send(store, left, other) == 3


@pytest.mark.parametrize(
    ("owner", "digest", "size"), [("../x", bytes(32), 1 << 20), ("EST", b"x", 1 << 20), ("EST", bytes(32), 10)]
)
def test_an_upload_is_named_soundly(owner: str, digest: bytes, size: int) -> None:
    with pytest.raises(RemoteError):
        Upload(owner, digest, size)


# --- files: crashes, power cuts, full disks


async def test_an_upload_goes_on_in_another_process(tmp_path: Path) -> None:
    chunks = chunks_of(2 * SYNC_EVERY + 3)
    upload = upload_of(chunks)
    assert await send(FileBlobs(tmp_path), upload, chunks[: SYNC_EVERY + 2]) == SYNC_EVERY
    again = FileBlobs(tmp_path)
    assert await again.upload(upload) == SYNC_EVERY
    assert await send(again, upload, chunks, SYNC_EVERY) == len(chunks)
    assert await whole(again, upload.digest) == b"".join(chunks)


async def test_what_a_power_cut_left_of_chunks_nobody_promised_does_no_harm(tmp_path: Path) -> None:
    chunks = chunks_of(SYNC_EVERY + 4)
    upload = upload_of(chunks)
    durable = await send(FileBlobs(tmp_path), upload, chunks[: SYNC_EVERY + 2])
    (path,) = [p for p in (tmp_path / UPLOADS).iterdir() if p.suffix != LEAVES]
    with path.open("r+b") as file:  # pages after the last fdatasync: some never reached the disk
        file.seek(durable * SEALED_CHUNK)
        file.write(b"\xaa" * 1000)
        file.truncate(durable * SEALED_CHUNK + 5000)
    again = FileBlobs(tmp_path)
    assert await again.upload(upload) == durable
    assert await send(again, upload, chunks, durable) == len(chunks)
    assert await whole(again, upload.digest) == b"".join(chunks)


class Crash(BaseException):
    """Not an `OSError`: nothing catches it, as nothing catches a SIGKILL."""


SYSCALLS = ("pwrite", "fdatasync", "replace", "ftruncate", "open")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, BaseException], None]]:
    """Let the n-th system call of the store raise, after or before its work (even n: before)."""
    count = [0, -1]
    error: list[BaseException] = []

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            count[0] += 1
            if count[0] == count[1] and count[0] % 2 == 0:
                raise error[0]
            found = real(*args, **kwargs)
            if count[0] == count[1]:
                raise error[0]
            return found

        monkeypatch.setattr(file_blobs.os, name, call)

    for name in SYSCALLS:
        wrap(name)

    def arm(at: int, what: BaseException) -> None:
        count[:] = [0, at]
        error[:] = [what]

    yield arm
    count[1] = -1


@pytest.mark.parametrize("at", range(1, 60))
async def test_crash_at_every_system_call(
    tmp_path: Path, failing: Callable[[int, BaseException], None], at: int
) -> None:
    chunks = chunks_of(SYNC_EVERY + 3)
    upload, durable = upload_of(chunks), 0
    store = FileBlobs(tmp_path)
    failing(at, Crash())
    try:
        for index, chunk in enumerate(chunks):
            durable = await store.put(upload, index, chunk)
    except Crash:
        pass
    failing(-1, Crash())
    again = FileBlobs(tmp_path)
    start = await again.upload(upload)
    assert start >= durable
    assert await send(again, upload, chunks, start) == len(chunks)
    assert await whole(again, upload.digest) == b"".join(chunks)
    await again.sweep(1e12)
    assert not list((tmp_path / UPLOADS).iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("at", range(1, 40, 3))
async def test_failed_write_is_told_and_gone_on_with(
    tmp_path: Path, failing: Callable[[int, BaseException], None], at: int, code: int
) -> None:
    chunks = chunks_of(SYNC_EVERY + 3)
    upload, store = upload_of(chunks), FileBlobs(tmp_path)
    failing(at, OSError(code, os.strerror(code)))
    errors = []
    while (held := await _go_on(store, upload, chunks, errors)) < len(chunks):
        continue
    assert held == len(chunks)
    assert [isinstance(error, Full) for error in errors] == [code == errno.ENOSPC] * len(errors)
    assert len(errors) <= 1
    assert await whole(store, upload.digest) == b"".join(chunks)


async def _go_on(store: BlobStore, upload: Upload, chunks: list[bytes], errors: list[StorageError]) -> int:
    try:
        return await send(store, upload, chunks, await store.upload(upload))
    except StorageError as error:
        errors.append(error)
        return 0


async def test_a_caller_that_goes_away_leaves_an_upload_whole(tmp_path: Path) -> None:
    chunks = chunks_of(3)
    upload, store = upload_of(chunks), FileBlobs(tmp_path)
    gone = asyncio.ensure_future(store.put(upload, 0, chunks[0]))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(WrongChunk):
        await store.put(upload, 0, chunks[0])
    assert await send(store, upload, chunks, 1) == 3


async def test_a_link_in_the_place_of_an_upload_is_not_followed(tmp_path: Path) -> None:
    chunks = chunks_of(2)
    upload, store = upload_of(chunks), FileBlobs(tmp_path / "blobs")
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "blobs" / UPLOADS / f"EST-{upload.digest.hex()}").symlink_to(target)
    with pytest.raises(StorageError):
        await store.put(upload, 0, chunks[0])
    assert target.read_bytes() == b"precious"
