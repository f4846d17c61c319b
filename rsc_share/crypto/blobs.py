"""Blobs: bodies too large for one ciphertext, sealed and opened a chunk at a time in constant memory.

    plain  = u64 length || salt (32) || payload || zeros, up to padded(40 + length), 64 KiB at least
    chunk  = AES-256-GCM(key, nonce, 1 MiB of plain, aad)      nonce: chunk number (11 bytes) || 1 if it is the last
    digest = RFC 6962 root over the chunks

STREAM of Hoang, Reyhanitabar, Rogaway and Vizar (CRYPTO 2015): the number in the nonce refuses chunks that were moved,
left out or doubled, the last byte a blob that was cut or continued. The key is made from the commitment, as an inline
body's is, so nonces that start at zero never meet one key twice, and the same salt and payload give the same bytes
again: an upload that broke off is resumed without any state but the salt. Nothing is complete before the last chunk
has opened and the commitment was recomputed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rsc_share import codec
from rsc_share.crypto.bodies import MAX_INLINE_PART, MAX_INLINE_PAYLOAD, SALT_SIZE, commitment_hash, expand, padded_size
from rsc_share.errors import LocalError, RemoteError

CHUNK: Final = 1 << 20
"""Bytes of plain text in every chunk but the last."""
TAG: Final = 16
SEALED_CHUNK: Final = CHUNK + TAG
HEAD: Final = 8 + SALT_SIZE
LEAST_PLAIN: Final = 64 * 1024
"""An inline body's frame is two bytes longer: what just does not fit one is padded to the smallest blob."""
MAX_BLOB: Final = 1 << 40
"""Bytes of a blob on the wire (the bound of a header's `size`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob belongs: bound into its key, its chunks and its commitment."""

    framework_id: bytes
    log: str
    realm: str
    sender: str
    id: bytes
    part: int

    def aad(self) -> bytes:
        return codec.pack([self.framework_id, self.log, self.realm, self.sender, self.id, self.part])


@dataclass(frozen=True, slots=True)
class Layout:
    """How a blob of `plain` bytes (head and padding counted) lies in chunks. `size` is what a header says."""

    plain: int

    @classmethod
    def of_payload(cls, length: int) -> Layout:
        """Raises `LocalError` (`too-large`), and (`too-small`) for what is sent inline: one text has one form."""
        made = cls(max(LEAST_PLAIN, padded_size(HEAD + length)))
        if made.size > MAX_BLOB:
            raise LocalError(f"{length} bytes do not fit a blob of {MAX_BLOB}", code="too-large")
        if length <= MAX_INLINE_PAYLOAD:
            raise LocalError(f"{length} bytes fit an inline body", code="too-small")
        return made

    @classmethod
    def of_blob(cls, size: int) -> Layout:
        """From the size in a header. Raises `RemoteError` (`bad-part`) for a size no blob has."""
        full, rest = divmod(size, SEALED_CHUNK)
        if not MAX_INLINE_PART < size <= MAX_BLOB or 0 < rest <= TAG:
            raise _bad("has a size no blob has")
        return cls(full * CHUNK + max(0, rest - TAG))

    @property
    def chunks(self) -> int:
        return -(-self.plain // CHUNK)

    @property
    def size(self) -> int:
        return self.plain + TAG * self.chunks

    def length_of(self, index: int) -> int:
        """Bytes of plain text in chunk `index`."""
        return min(CHUNK, self.plain - index * CHUNK)


class Commitment:
    """An inline body's commitment, computed over a payload that comes in pieces (docs/protocol.md, "Bodies")."""

    def __init__(self, place: Place, salt: bytes) -> None:
        self._hash = commitment_hash(log=place.log, sender=place.sender, id=place.id, part=place.part, salt=salt)

    def update(self, payload: bytes) -> None:
        self._hash.update(payload)

    def digest(self) -> bytes:
        return self._hash.digest()


class _Cipher:
    def __init__(self, gk: bytes, place: Place, commit: bytes, layout: Layout) -> None:
        self.layout, self._aad = layout, place.aad()
        info = codec.pack(["rsc-share/v1 blob key", place.id, place.part, commit])
        self._key = AESGCM(expand(gk, info))

    def nonce(self, index: int) -> bytes:
        return index.to_bytes(11, "big") + bytes([index == self.layout.chunks - 1])

    def seal(self, index: int, plain: bytes) -> bytes:
        return self._key.encrypt(self.nonce(index), plain, self._aad)

    def open(self, index: int, chunk: bytes) -> bytes:
        return self._key.decrypt(self.nonce(index), chunk, self._aad)


class BlobSealer:
    """Seals a payload of `length` bytes whose commitment is known (a first pass over it), any chunk at any time."""

    def __init__(self, gk: bytes, place: Place, *, salt: bytes, commit: bytes, length: int) -> None:
        self.layout = Layout.of_payload(length)
        self._head = length.to_bytes(8, "big") + salt
        self._length = length
        self._cipher = _Cipher(gk, place, commit, self.layout)

    def span(self, index: int) -> tuple[int, int]:
        """The bytes of the payload, from and to, that chunk `index` holds."""
        start = max(0, index * CHUNK - HEAD)
        return min(start, self._length), min(self._length, (index + 1) * CHUNK - HEAD)

    def seal(self, index: int, payload: bytes) -> bytes:
        """Chunk `index`, from exactly the bytes of its `span`. Raises `LocalError` for others."""
        start, stop = self.span(index)
        if not 0 <= index < self.layout.chunks or len(payload) != stop - start:
            raise LocalError(f"chunk {index} holds bytes {start} to {stop} of the payload, not {len(payload)} bytes")
        plain = (self._head if index == 0 else b"") + payload
        return self._cipher.seal(index, plain + bytes(self.layout.length_of(index) - len(plain)))


@dataclass(slots=True)
class BlobOpener:
    """Opens chunks in their order. `finish` says whether it was what the header commits to; nothing counts before.

    `size` and `commit` are the header's. All errors are `RemoteError` (`bad-part`).
    """

    gk: bytes = field(repr=False)
    place: Place
    commit: bytes
    size: int
    salt: bytes = field(default=b"", init=False, repr=False)
    _cipher: _Cipher = field(init=False, repr=False)
    _hash: Commitment | None = field(default=None, init=False, repr=False)
    _left: int = field(default=0, init=False)
    _next: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._cipher = _Cipher(self.gk, self.place, self.commit, Layout.of_blob(self.size))

    @property
    def next(self) -> int:
        """The chunk to open next."""
        return self._next

    @property
    def chunks(self) -> int:
        return self._cipher.layout.chunks

    def open(self, chunk: bytes) -> bytes:
        """The payload bytes of the next chunk. Not yet proved to be what was committed to."""
        index, layout = self._next, self._cipher.layout
        if index >= layout.chunks or len(chunk) != layout.length_of(index) + TAG:
            raise _bad(f"chunk {index} is not one of its {layout.chunks}, or has another length")
        try:
            plain = self._cipher.open(index, chunk)
        except InvalidTag:
            raise _bad(f"chunk {index} does not open under this grant key, place and commitment") from None
        payload = self._unframe(plain)
        self._next += 1
        return payload

    def passed(self, payload: bytes) -> None:
        """The payload of the next chunk as an earlier run wrote it down: that chunk is not opened again.

        `finish` covers it like any other. Chunk 0, which has the salt, is always opened.
        """
        index, layout = self._next, self._cipher.layout
        most = min(self._left, layout.length_of(index)) if index < layout.chunks else 0
        if self._hash is None or len(payload) != most:
            raise _bad(f"chunk {index} does not hold {len(payload)} bytes")
        self._hash.update(payload)
        self._left -= len(payload)
        self._next += 1

    @property
    def left(self) -> int:
        """Bytes of payload in the chunks that were not opened yet; known after chunk 0."""
        return self._left

    def _unframe(self, plain: bytes) -> bytes:
        if self._hash is None:
            plain = self._begin(plain)
        payload, rest = plain[: self._left], plain[self._left :]
        if rest.count(0) != len(rest):
            raise _bad("is padded with something else than zeros")
        self._left -= len(payload)
        if self._hash is not None:
            self._hash.update(payload)
        return payload

    def _begin(self, plain: bytes) -> bytes:
        length = int.from_bytes(plain[:8], "big")
        if length <= MAX_INLINE_PAYLOAD or max(LEAST_PLAIN, padded_size(HEAD + length)) != self._cipher.layout.plain:
            raise _bad("has a padding that does not fit its length")
        self.salt, self._left = plain[8:HEAD], length
        self._hash = Commitment(self.place, self.salt)
        return plain[HEAD:]

    def finish(self) -> None:
        """Raises unless every chunk was opened and their payload is what the header commits to."""
        if self._next != self.chunks or self._hash is None:
            raise _bad(f"ends after {self._next} of {self.chunks} chunks")
        if not compare_digest(self._hash.digest(), self.commit):
            raise _bad("is not what the header commits to")


def _bad(what: str) -> RemoteError:
    return RemoteError(f"a blob {what}", code="bad-part")
