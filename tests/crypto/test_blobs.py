"""Blobs: chunks cannot be moved, cut, continued or swapped, and the same salt and payload give the same bytes."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.crypto.blobs import (
    CHUNK,
    HEAD,
    MAX_BLOB,
    SEALED_CHUNK,
    TAG,
    BlobOpener,
    BlobSealer,
    Commitment,
    Layout,
    Place,
)
from rsc_share.crypto.bodies import MAX_INLINE_PART, commitment, padded_size
from rsc_share.errors import LocalError, RemoteError

GK, SALT = b"g" * 32, b"s" * 32
PLACE = Place(bytes(32), "relay.example/lab/ct", "operational", "EST/mod-1", b"i" * 16, 1)
LENGTH = 3 * CHUNK + 17


def payload_of(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def committed(payload: bytes, place: Place = PLACE, salt: bytes = SALT) -> bytes:
    made = Commitment(place, salt)
    for at in range(0, len(payload), 100_000):
        made.update(payload[at : at + 100_000])
    return made.digest()


def sealed(payload: bytes, place: Place = PLACE) -> tuple[list[bytes], bytes, int]:
    commit = committed(payload, place)
    sealer = BlobSealer(GK, place, salt=SALT, commit=commit, length=len(payload))
    spans = [sealer.span(i) for i in range(sealer.layout.chunks)]
    return [sealer.seal(i, payload[a:b]) for i, (a, b) in enumerate(spans)], commit, sealer.layout.size


def opened(chunks: list[bytes], commit: bytes, size: int, *, gk: bytes = GK, place: Place = PLACE) -> bytes:
    opener = BlobOpener(gk, place, commit, size)
    found = b"".join([opener.open(chunk) for chunk in chunks])
    opener.finish()
    assert opener.salt == SALT
    return found


def refused(chunks: list[bytes], commit: bytes, size: int, **changes: object) -> None:
    with pytest.raises(RemoteError) as caught:
        opened(chunks, commit, size, **changes)  # type: ignore[arg-type]
    assert caught.value.code == "bad-part"


@pytest.fixture(scope="module")
def blob() -> tuple[list[bytes], bytes, int]:
    return sealed(payload_of(LENGTH))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([MAX_INLINE_PART, CHUNK - HEAD - 1, CHUNK - HEAD, CHUNK - HEAD + 1, CHUNK, 2 * CHUNK - HEAD]),
    st.integers(0, 70_000),
)
def test_what_was_sealed_opens(length: int, more: int) -> None:
    payload = payload_of(length + more)
    chunks, commit, size = sealed(payload)
    assert opened(chunks, commit, size) == payload
    assert sum(map(len, chunks)) == size == Layout.of_blob(size).size
    assert size == padded_size(HEAD + len(payload)) + TAG * len(chunks)


def test_commitment_is_the_one_of_an_inline_body() -> None:
    payload = payload_of(5000)
    place = {"log": PLACE.log, "sender": PLACE.sender, "id": PLACE.id, "part": PLACE.part}
    assert committed(payload) == commitment(**place, salt=SALT, payload=payload)


def test_a_second_sealing_gives_the_same_bytes(blob: tuple[list[bytes], bytes, int]) -> None:
    assert sealed(payload_of(LENGTH)) == blob


def test_another_text_has_another_key_under_the_same_salt(blob: tuple[list[bytes], bytes, int]) -> None:
    other, _, _ = sealed(payload_of(LENGTH - 1) + b"!")
    assert all(a[:64] != b[:64] for a, b in zip(blob[0], other, strict=True))


def test_chunks_cannot_be_moved_dropped_doubled_cut_or_continued(blob: tuple[list[bytes], bytes, int]) -> None:
    chunks, commit, size = blob
    refused([chunks[1], chunks[0], *chunks[2:]], commit, size)
    refused([chunks[0], *chunks[2:]], commit, size)
    refused([chunks[0], chunks[0], *chunks[1:]], commit, size)
    refused(chunks[:-1], commit, size)
    refused([*chunks, chunks[-1]], commit, size)
    refused([*chunks[:-1], chunks[-1][:-1]], commit, size)


def test_a_cut_blob_is_no_shorter_blob(blob: tuple[list[bytes], bytes, int]) -> None:
    """A relay that drops the tail and says the size fits: the last chunk is not marked as the last."""
    chunks, commit, _ = blob
    refused(chunks[:2], commit, 2 * SEALED_CHUNK)


def test_a_blob_opens_in_its_place_only(blob: tuple[list[bytes], bytes, int]) -> None:
    chunks, commit, size = blob
    for name in ("framework_id", "log", "realm", "sender", "id", "part"):
        value = getattr(PLACE, name)
        other = (
            value + 1
            if isinstance(value, int)
            else value[:-1] + value[-1:].__class__(b"x" if isinstance(value, bytes) else "x")
        )
        refused(chunks, commit, size, place=replace(PLACE, **{name: other}))
    refused(chunks, commit, size, gk=b"h" * 32)
    refused(chunks, bytes(32), size)


def test_what_was_not_committed_to_is_found_at_the_end() -> None:
    """A sender who commits to one text and seals another, under the key of the first."""
    payload = payload_of(LENGTH)
    sealer = BlobSealer(GK, PLACE, salt=SALT, commit=committed(b"another text"), length=LENGTH)
    chunks = [sealer.seal(i, payload[slice(*sealer.span(i))]) for i in range(sealer.layout.chunks)]
    opener = BlobOpener(GK, PLACE, committed(b"another text"), sealer.layout.size)
    for chunk in chunks:
        opener.open(chunk)
    with pytest.raises(RemoteError, match="commits to"):
        opener.finish()


def test_nothing_is_complete_before_the_last_chunk(blob: tuple[list[bytes], bytes, int]) -> None:
    chunks, commit, size = blob
    opener = BlobOpener(GK, PLACE, commit, size)
    for chunk in chunks:
        with pytest.raises(RemoteError, match="ends after"):
            opener.finish()
        opener.open(chunk)
    opener.finish()


@pytest.mark.parametrize("size", [0, MAX_INLINE_PART, SEALED_CHUNK + 1, SEALED_CHUNK + TAG, MAX_BLOB + 1, -1])
def test_a_size_no_blob_has(size: int) -> None:
    with pytest.raises(RemoteError):
        BlobOpener(GK, PLACE, bytes(32), size)


def test_what_fits_inline_is_no_blob_and_a_blob_ends_somewhere() -> None:
    with pytest.raises(LocalError) as caught:
        Layout.of_payload(1000)
    assert caught.value.code == "too-small"
    with pytest.raises(LocalError) as caught:
        Layout.of_payload(MAX_BLOB)
    assert caught.value.code == "too-large"


def test_a_chunk_takes_exactly_its_bytes() -> None:
    sealer = BlobSealer(GK, PLACE, salt=SALT, commit=bytes(32), length=LENGTH)
    for index, length in ((0, CHUNK), (sealer.layout.chunks, 0), (-1, CHUNK)):
        with pytest.raises(LocalError):
            sealer.seal(index, bytes(length))


def test_padding_holds_nothing() -> None:
    payload = payload_of(LENGTH)
    commit = committed(payload)
    sealer = BlobSealer(GK, PLACE, salt=SALT, commit=commit, length=LENGTH)
    chunks = [sealer.seal(i, payload[slice(*sealer.span(i))]) for i in range(sealer.layout.chunks)]
    last = len(chunks) - 1
    start, stop = sealer.span(last)
    plain = payload[start:stop].ljust(sealer.layout.length_of(last), b"\1")
    chunks[last] = sealer._cipher.seal(last, plain)
    refused(chunks, commit, sealer.layout.size)


def test_a_length_that_does_not_fit_the_size() -> None:
    commit = committed(payload_of(LENGTH))
    sealer = BlobSealer(GK, PLACE, salt=SALT, commit=commit, length=LENGTH)
    head = (LENGTH * 2).to_bytes(8, "big") + SALT
    chunk = sealer._cipher.seal(0, (head + payload_of(CHUNK))[:CHUNK])
    with pytest.raises(RemoteError, match="does not fit its length"):
        BlobOpener(GK, PLACE, commit, sealer.layout.size).open(chunk)


def test_memory_does_not_grow_with_the_blob() -> None:
    length = 24 * CHUNK
    sealer = BlobSealer(GK, PLACE, salt=SALT, commit=bytes(32), length=length)
    opener = BlobOpener(GK, PLACE, bytes(32), sealer.layout.size)
    tracemalloc.start()
    try:
        for index in range(sealer.layout.chunks):
            start, stop = sealer.span(index)
            opener.open(sealer.seal(index, bytes(stop - start)))
        assert tracemalloc.get_traced_memory()[1] < 10 * CHUNK
    finally:
        tracemalloc.stop()


def test_repr_shows_no_key() -> None:
    opener = BlobOpener(GK, PLACE, bytes(32), 2 * SEALED_CHUNK)
    assert "gggg" not in repr(opener)
