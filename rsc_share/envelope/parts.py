"""The small values a header is made of: references, parts, heads, openings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from rsc_share import names
from rsc_share.wire import Ed25519Signature, Hash, Map, Number, Positive, Row, Salt

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


class Ref(Row, frozen=True):
    """`[log, index, header hash]`: a point in a log, so that finding it needs no hash index."""

    log: str
    index: Number
    header_hash: Hash

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Ref:
        found = super().from_wire(value, where)
        names.origin(found.log, where)
        return found


_References = Annotated[tuple[Ref, ...], Meta(max_length=MAX_REFS)]


class Refs(Map, frozen=True):
    """What an entry refers to. All absent is written as nil, so that "nothing" has one spelling.

    The defaults are for who writes one; a key left out of bytes is refused, because it would not be written again so.
    """

    derived_from: _References = ()
    releases: _References = ()
    reply_to: Ref | None = None
    supersedes: Ref | None = None
    target: Ref | None = None

    def wire(self) -> dict[str, Any] | None:
        if self == NO_REFS:
            return None
        found: dict[str, Any] = super().wire()
        return found

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Refs:
        found = NO_REFS if value is None else super().from_wire(value, where)
        for ref in found.all():
            names.origin(ref.log, where)
        return found

    def all(self) -> tuple[Ref, ...]:
        single = (self.reply_to, self.supersedes, self.target)
        return (*self.derived_from, *self.releases, *(ref for ref in single if ref is not None))


NO_REFS = Refs()


class Part(Map, kw_only=True, frozen=True):
    """One body of this entry's audience. `size` and `digest` are of the ciphertext, `commit` is of the plaintext."""

    commit: Hash
    digest: Hash
    media: Annotated[str, Meta(min_length=1, max_length=64)]
    size: Annotated[int, Meta(ge=1, le=MAX_BODY)]


class Head(Row, frozen=True):
    """`[size, root, log signature]`: a checkpoint the sender verified, with the log's own Ed25519 note signature.

    The signature makes a mismatch the *log's* contradiction and not the sender's word (docs/protocol.md, "Header").
    """

    size: Number
    root: Hash
    signature: Ed25519Signature


class Opening(Row, frozen=True):
    """`[salt, n]`: opens the counter commitment of one node in `to`. Travels beside the entry, never inside it."""

    salt: Salt
    n: Positive


Openings = Mapping[str, Opening]
"""By node of `to`."""
