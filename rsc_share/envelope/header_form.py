"""The header as it is written: types and lengths of its twenty keys. `header` checks what these cannot say.

Apart from `header`, because msgspec reads these annotations and a compiled module has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw

from rsc_share.envelope.parts import MAX_APPROVALS, MAX_AUDIENCE, MAX_PARTS, Head, Part, Refs
from rsc_share.wire import Ed25519Signature, Form, Hash, Id, Map, Number, Positive

MAX_HEADER = 65_000
MAX_DOCUMENT = 256
"""Portions of one document."""


# As `contents.READERS` has them, with the one kind that has parts instead.
Kind = Literal["message", "acknowledgement", "erasure", "grant", "heartbeat", "recall", "release"]
Precedence = Literal["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"]


class WrittenHeader(Map, frozen=True):
    """The header as it is written. Label and content are read from their own bytes: the one is one of few, the other
    has a shape for each kind."""

    approvals: Annotated[tuple[tuple[Hash, Ed25519Signature], ...], Meta(max_length=MAX_APPROVALS)]
    content: Raw
    directory: Head
    document: tuple[Id, Annotated[int, Meta(ge=2, le=MAX_DOCUMENT)]] | None
    expires_at: Number | None
    grant: Id | None
    id: Id
    kind: Kind
    label: Raw
    log: str
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]
    precedence: Precedence
    prev: Hash
    purpose: Annotated[str, Meta(min_length=1, max_length=64)] | None
    refs: Refs | None
    seen: Head
    sender: str
    seq: Positive
    to: Annotated[tuple[tuple[str, Hash], ...], Meta(max_length=MAX_AUDIENCE)]
    type: str | None


FORM: Form[WrittenHeader] = Form(WrittenHeader, "header", MAX_HEADER)
KEYS = list(WrittenHeader.__struct_fields__)
