"""Files that travel with a message: what an embedder hands over, and what is known of each until it has left.

A file is read twice when it is published: for its commitment, and for the digest of its sealed chunks. After that only
path, key and salt are kept: the same chunks come out again at any time, so an upload that broke off goes on where the
relay says. The key is the attachment's own and travels inside the sealed message (docs/protocol.md, "Attachments").
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsc_share import codec, shape
from rsc_share.crypto.blobs import CHUNK, MAX_BLOB, BlobSealer, Commitment, Place
from rsc_share.crypto.bodies import MAX_INLINE_ENTRY, MAX_INLINE_PAYLOAD, seal_part, sealed_size
from rsc_share.envelope.parts import MAX_PARTS, Part
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.messages.portions import MAX_PAYLOAD
from rsc_share.progress import Progress, silent

MEDIA = "application/octet-stream"
"""What a header says of every attachment: what it is, only its readers learn."""
MAX_ATTACHMENTS = MAX_PARTS - 1
MAX_NAME = 255
MAX_MEDIA = 127
KEY_SIZE = 32
CHANGED = "attachment-changed"
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"})
"""Unicode categories of what a person does not see, or sees as something else. Unassigned ones are no matter of a
release's Unicode version."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to go with a message. Make one with `Attachment.file`."""

    path: Path
    name: str
    media: str
    size: int

    @classmethod
    def file(cls, path: str | os.PathLike[str], *, media: str = MEDIA, name: str | None = None) -> Attachment:
        """The file at `path`, which must stay as it is until the relay has it.

        `name` (without it the file's own) and `media` are sealed with the message. Raises `LocalError` for what is no
        file, is too large, or has a name that no other system could take.
        """
        found = Path(path).absolute()
        called = found.name if name is None else name
        try:
            state = found.stat()
        except OSError as error:
            raise LocalError(f"{found}: {error.strerror}", code="no-attachment") from None
        if not stat.S_ISREG(state.st_mode):
            raise LocalError(f"{found} is no file", code="no-attachment")
        if state.st_size > MAX_BLOB // 2:
            raise LocalError(f"{found} has {state.st_size} bytes", code="too-large", advice=f"at most {MAX_BLOB // 2}")
        try:
            return cls(found, file_name(called), _media(media), state.st_size)
        except RemoteError as error:
            raise LocalError(error.what, code="no-attachment") from None


def file_name(value: Any) -> str:
    """A name that is no path and shows what it is. Raises `RemoteError`: somebody else's goes into a folder of ours."""
    found = shape.text(value, "attachment name", low=1, high=MAX_NAME)
    if found in (".", "..") or found != found.strip() or len(found.encode()) > MAX_NAME:
        raise shape.wrong("attachment name", "is no file's name")
    if any(c in '/\\:*?"<>|' or (unicodedata.category(c) in _UNSEEN and c != " ") for c in found):
        raise shape.wrong("attachment name", "holds a character that no file's name may hold")
    return found


def _media(value: Any) -> str:
    found = shape.text(value, "attachment media", low=3, high=MAX_MEDIA)
    if not found.isascii() or not found.isprintable() or found.count("/") != 1 or " " in found:
        raise shape.wrong("attachment media", "is no media type such as image/png")
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What a sealed message says of one attachment: the name, media type and bytes of the file, and its key."""

    name: str
    media: str
    length: int
    key: bytes = field(repr=False)

    def wire(self) -> list[Any]:
        return [self.name, self.media, self.length, self.key]

    @classmethod
    def from_wire(cls, value: Any, where: str = "attachment") -> Told:
        name, media, length, key = shape.row(value, where, 4)
        return cls(
            file_name(name),
            _media(media),
            shape.integer(length, where, high=MAX_BLOB),
            shape.blob(key, where, size=KEY_SIZE),
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attachment that is ready to leave. `body` is its ciphertext where that fits beside the entry; otherwise the
    chunks are made from the file at `path` when they are sent."""

    told: Told
    path: str
    realm: str
    salt: bytes = field(repr=False)
    part: Part
    body: bytes = field(repr=False, default=b"")

    @property
    def is_blob(self) -> bool:
        return not self.body

    def sealer(self, place: Place) -> BlobSealer:
        return BlobSealer(self.told.key, place, salt=self.salt, commit=self.part.commit, length=self.told.length)

    def wire(self) -> list[Any]:
        return [self.told.wire(), self.path, self.realm, self.salt, self.part.wire(), self.body]

    @classmethod
    def from_wire(cls, value: list[Any]) -> Prepared:
        told, path, realm, salt, part, body = value
        return cls(Told.from_wire(told), path, realm, salt, Part.from_wire(part, "attachment"), body)


def wrap(portion: int, payload: bytes, told: Iterable[Told] = ()) -> bytes:
    """What is sealed as part 0: the portion's number travels inside, and what is said of the attachments, so that only
    its readers learn either."""
    attached = [item.wire() for item in told]
    return codec.pack([portion, payload, attached] if attached else [portion, payload])


def unwrap(content: bytes) -> tuple[int, bytes, tuple[Told, ...]]:
    """Raises `RemoteError`; an empty list of attachments is left out, so that nothing has two spellings."""
    value = codec.unpack(content, max_size=MAX_PAYLOAD)
    portion, payload, *rest = shape.row(value, "body", 3 if type(value) is list and len(value) == 3 else 2)
    told = shape.each(Told.from_wire, rest[0], "attachments", low=1, high=MAX_ATTACHMENTS) if rest else ()
    if told and portion != 0:
        raise shape.wrong("attachments", "belong to portion 0")
    return shape.integer(portion, "portion", high=255), shape.blob(payload, "payload", high=MAX_PAYLOAD), tuple(told)


def prepare(found: Attachment, place: Place, key: bytes, salt: bytes, progress: Progress = silent) -> Prepared:
    """Read the file for its commitment and digest; for a thread. Raises `LocalError` where it is not what it was."""
    told = Told(found.name, found.media, found.size, key)
    if found.size <= MAX_INLINE_PAYLOAD:
        data = read_span(found.path, 0, found.size)
        sealed = seal_part(
            key,
            framework_id=place.framework_id,
            log=place.log,
            realm=place.realm,
            sender=place.sender,
            id=place.id,
            part=place.part,
            salt=salt,
            payload=data,
        )
        part = Part(digest=sealed.digest, size=sealed.size, commit=sealed.commit, media=MEDIA)
        return Prepared(told, str(found.path), place.realm, salt, part, sealed.body)
    commit = commitment_of(
        found.path, found.size, place, salt, lambda done: progress(found.name, done // 2, found.size)
    )
    sealer = BlobSealer(key, place, salt=salt, commit=commit, length=found.size)
    tree = CompactRange()
    for index in range(sealer.layout.chunks):
        tree.append(leaf_hash(sealer.seal(index, read_span(found.path, *sealer.span(index)))))
        progress(found.name, (found.size + sealer.span(index)[1]) // 2, found.size)
    part = Part(digest=tree.root(), size=sealer.layout.size, commit=commit, media=MEDIA)
    return Prepared(told, str(found.path), place.realm, salt, part)


def commitment_of(path: Path, size: int, place: Place, salt: bytes, done: Callable[[int], None]) -> bytes:
    """Over the whole file; for a thread."""
    commitment = Commitment(place, salt)
    for at in range(0, size, CHUNK):
        commitment.update(read_span(path, at, min(at + CHUNK, size)))
        done(at)
    return commitment.digest()


def read_span(path: Path, start: int, stop: int) -> bytes:
    """Bytes `start` to `stop` - 1. Raises `LocalError` (`attachment-changed`) where there are fewer."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            data = b""
            while len(data) < stop - start:
                piece = file.read(stop - start - len(data))
                if not piece:
                    break
                data += piece
    except OSError as error:
        raise changed(path, str(error.strerror)) from None
    if len(data) != stop - start:
        raise changed(path, "it is shorter than it was")
    return data


def changed(path: Path, why: str) -> LocalError:
    advice = "a file stays as it is until it has left; publish it again"
    return LocalError(f"{path} is not the file that was published: {why}", code=CHANGED, advice=advice)


def check_inline(wrapped: int, prepared: Sequence[Prepared], largest: int | None = None) -> None:
    """What lies beside one entry must fit. `wrapped`: bytes of part 0 before it is sealed; `largest`: of one body, by
    the charter. Raises `LocalError`."""
    if wrapped > MAX_INLINE_PAYLOAD:
        what = f"the message has {wrapped} bytes with the names of its attachments"
        raise LocalError(what, code="too-large", advice=f"at most {MAX_INLINE_PAYLOAD}")
    together = wrapped + 2_048 + sum(len(item.body) for item in prepared)
    if together > MAX_INLINE_ENTRY - (1 << 13):
        what = f"small attachments and message have {together} bytes together"
        raise LocalError(what, code="too-large", advice=f"below {MAX_INLINE_ENTRY}; put small files into one archive")
    for name, size in (("the message", sealed_size(wrapped)), *((item.told.name, item.part.size) for item in prepared)):
        check_allowed(name, size, largest)


def check_allowed(name: str, size: int, largest: int | None) -> None:
    """Raises `LocalError` (`too-large`) for what the charter does not allow in this channel."""
    if largest is not None and size > largest:
        what = f"{name} has {size} bytes when it is sealed"
        raise LocalError(what, code="too-large", advice=f"the charter allows {largest} in this channel")
