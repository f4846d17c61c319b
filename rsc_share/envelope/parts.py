"""The small values a header is made of: references, parts, heads, openings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rsc_share import names, shape

HASH = 32
SALT = 16
ED25519_SIGNATURE = 64
MAX_REFS = 16
MAX_PARTS = 16
MAX_AUDIENCE = 500
MAX_APPROVALS = 8
MAX_BODY = 1 << 40
"""Bytes. Bodies above the inline limit are blobs; the bound only keeps numbers sane."""
MAX_BATCH = 256


@dataclass(frozen=True, slots=True)
class Ref:
    """`[log, index, header hash]`: a point in a log, so that finding it needs no hash index."""

    log: str
    index: int
    header_hash: bytes

    def wire(self) -> list[Any]:
        return [self.log, self.index, self.header_hash]

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Ref:
        log, index, digest = shape.row(value, where, 3)
        return cls(
            names.origin(log, where), shape.integer(index, where), shape.blob(digest, f"{where} header hash", size=HASH)
        )


@dataclass(frozen=True, slots=True)
class Refs:
    """What an entry refers to. All absent is written as nil, so that "nothing" has one spelling."""

    reply_to: Ref | None = None
    derived_from: tuple[Ref, ...] = ()
    releases: tuple[Ref, ...] = ()
    supersedes: Ref | None = None
    target: Ref | None = None

    KEYS = ("derived_from", "releases", "reply_to", "supersedes", "target")

    def wire(self) -> dict[str, Any] | None:
        if self == NO_REFS:
            return None
        return {
            "derived_from": [ref.wire() for ref in self.derived_from],
            "releases": [ref.wire() for ref in self.releases],
            "reply_to": self.reply_to and self.reply_to.wire(),
            "supersedes": self.supersedes and self.supersedes.wire(),
            "target": self.target and self.target.wire(),
        }

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Refs:
        if value is None:
            return NO_REFS
        m = shape.closed(value, where, cls.KEYS)
        read = Ref.from_wire
        found = cls(
            reply_to=shape.maybe(read, m["reply_to"], f"{where}.reply_to"),
            derived_from=tuple(shape.each(read, m["derived_from"], f"{where}.derived_from", high=MAX_REFS)),
            releases=tuple(shape.each(read, m["releases"], f"{where}.releases", high=MAX_REFS)),
            supersedes=shape.maybe(read, m["supersedes"], f"{where}.supersedes"),
            target=shape.maybe(read, m["target"], f"{where}.target"),
        )
        if found == NO_REFS:
            raise shape.wrong(where, "an empty map must be nil")
        return found

    def all(self) -> tuple[Ref, ...]:
        single = (self.reply_to, self.supersedes, self.target)
        return (*self.derived_from, *self.releases, *(ref for ref in single if ref is not None))


NO_REFS = Refs()


_PART = ("commit", "digest", "media", "size")


@dataclass(frozen=True, slots=True)
class Part:
    """One body of this entry's audience. `size` and `digest` are of the ciphertext, `commit` is of the plaintext."""

    digest: bytes
    size: int
    commit: bytes
    media: str

    def wire(self) -> dict[str, Any]:
        return {"commit": self.commit, "digest": self.digest, "media": self.media, "size": self.size}

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Part:
        m = shape.closed(value, where, _PART)
        return cls(
            digest=shape.blob(m["digest"], where, size=HASH),
            size=shape.integer(m["size"], where, low=1, high=MAX_BODY),
            commit=shape.blob(m["commit"], where, size=HASH),
            media=shape.text(m["media"], where, low=1, high=64),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """`[size, root, log signature]`: a checkpoint the sender verified, with the log's own Ed25519 note signature.

    The signature makes a mismatch the *log's* contradiction and not the sender's word (docs/protocol.md, "Header").
    """

    size: int
    root: bytes
    signature: bytes

    def wire(self) -> list[Any]:
        return [self.size, self.root, self.signature]

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Head:
        size, root, signature = shape.row(value, where, 3)
        return _head(
            shape.integer(size, where),
            shape.blob(root, where, size=HASH),
            shape.blob(signature, where, size=ED25519_SIGNATURE),
        )


@lru_cache(maxsize=4096)
def _head(size: int, root: bytes, signature: bytes) -> Head:
    """Few heads, many headers: the same three values are one value."""
    return Head(size, root, signature)


@dataclass(frozen=True, slots=True)
class Opening:
    """`[salt, n]`: opens the counter commitment of one node in `to`. Travels beside the entry, never inside it."""

    salt: bytes
    n: int

    def wire(self) -> list[Any]:
        return [self.salt, self.n]

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Opening:
        salt, n = shape.row(value, where, 2)
        return cls(shape.blob(salt, where, size=SALT), shape.integer(n, where, low=1))


Openings = Mapping[str, Opening]
"""By node of `to`."""


def read_audience(value: Any, where: str) -> tuple[tuple[str, bytes], ...]:
    """`[[node, c], ...]`, rising by node: a set of nodes with one spelling."""
    found = []
    for item in shape.items(value, where, high=MAX_AUDIENCE):
        node, commitment = shape.row(item, where, 2)
        found.append((names.node(node, where), shape.blob(commitment, where, size=HASH)))
    shape.ascending([node for node, _ in found], where)
    return tuple(found)
