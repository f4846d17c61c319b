"""The signed header of an entry: one map, all keys present, one spelling (docs/protocol.md, "Header")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.envelope.contents import READERS, Content, read_content
from rsc_share.envelope.parts import (
    ED25519_SIGNATURE,
    HASH,
    MAX_APPROVALS,
    MAX_PARTS,
    NO_REFS,
    Head,
    Part,
    Refs,
    read_audience,
)
from rsc_share.labels.label import Label
from rsc_share.log.merkle import leaf_hash

MAX_HEADER = 65_000
MAX_DOCUMENT = 256
"""Portions of one document."""
KINDS = ("message", *READERS)
PRECEDENCES = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")
FIRST_PREV = bytes(HASH)
KEYS = [
    "approvals",
    "content",
    "directory",
    "document",
    "expires_at",
    "grant",
    "id",
    "kind",
    "label",
    "log",
    "parts",
    "precedence",
    "prev",
    "purpose",
    "refs",
    "seen",
    "sender",
    "seq",
    "to",
    "type",
]


@dataclass(frozen=True, slots=True)
class Header:
    """One entry's header. Times are ms UTC; `to` is exactly the audience, without the sending node."""

    log: str
    kind: str
    type: str | None
    id: bytes
    sender: str
    seq: int
    prev: bytes
    expires_at: int | None
    precedence: str
    purpose: str | None
    document: tuple[bytes, int] | None
    refs: Refs
    label: Label | None
    to: tuple[tuple[str, bytes], ...]
    grant: bytes | None
    parts: tuple[Part, ...]
    content: Content | None
    approvals: tuple[tuple[bytes, bytes], ...]
    seen: Head
    directory: Head

    @property
    def nodes(self) -> tuple[str, ...]:
        """The audience, sorted."""
        return tuple([node for node, _ in self.to])

    @property
    def member(self) -> str:
        return names.member_of(self.sender)

    def pack(self) -> bytes:
        return codec.pack(
            {
                "approvals": [list(row) for row in self.approvals],
                "content": self.content and self.content.wire(),
                "directory": self.directory.wire(),
                "document": self.document and list(self.document),
                "expires_at": self.expires_at,
                "grant": self.grant,
                "id": self.id,
                "kind": self.kind,
                "label": self.label and self.label.wire(),
                "log": self.log,
                "parts": [part.wire() for part in self.parts],
                "precedence": self.precedence,
                "prev": self.prev,
                "purpose": self.purpose,
                "refs": self.refs.wire(),
                "seen": self.seen.wire(),
                "sender": self.sender,
                "seq": self.seq,
                "to": [list(row) for row in self.to],
                "type": self.type,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of a well-formed header."""
        m = shape.closed(codec.unpack(data, max_size=MAX_HEADER, max_items=512), "header", KEYS)
        kind = shape.choice(m["kind"], "kind", KINDS)
        header = cls(
            log=names.origin(m["log"]),
            kind=kind,
            type=shape.maybe(names.message_type, m["type"], "type"),
            id=names.message_id(m["id"]),
            sender=names.node(m["sender"], "sender"),
            seq=shape.integer(m["seq"], "seq", low=1),
            prev=shape.blob(m["prev"], "prev", size=HASH),
            expires_at=shape.maybe(shape.integer, m["expires_at"], "expires_at"),
            precedence=shape.choice(m["precedence"], "precedence", PRECEDENCES),
            purpose=shape.maybe(shape.text, m["purpose"], "purpose", low=1, high=64),
            document=shape.maybe(_document, m["document"], "document"),
            refs=Refs.from_wire(m["refs"], "refs"),
            label=None if m["label"] is None else _label(codec.again(m["label"])),
            to=read_audience(m["to"], "to"),
            grant=shape.maybe(names.message_id, m["grant"], "grant"),
            parts=tuple(shape.each(Part.from_wire, m["parts"], "parts", high=MAX_PARTS)),
            content=read_content(kind, m["content"]),
            approvals=_approvals(m["approvals"]),
            seen=Head.from_wire(m["seen"], "seen"),
            directory=Head.from_wire(m["directory"], "directory"),
        )
        _kind_rules(header)
        return header


def header_hash(data: bytes) -> bytes:
    """What `prev` and references name: the header's leaf hash in its signing batch, SHA-256(0x00 || header)."""
    return leaf_hash(data)


def _kind_rules(h: Header) -> None:
    """Only a message has type, label, parts and grant; a document names one of at least two portions."""
    if any(node == h.sender for node, _ in h.to):
        raise shape.wrong("to", "holds the sending node itself")
    if h.kind == "message":
        for name in ("type", "label", "grant"):
            if getattr(h, name) is None:
                raise shape.wrong(name, "a message needs one")
        if not h.parts:
            raise shape.wrong("parts", "a message needs at least one")
        return
    if h.type or h.label or h.grant or h.parts or h.purpose or h.document or h.expires_at:
        raise shape.wrong("kind", f"a {h.kind} has no type, label, purpose, document, expiry, grant or parts")
    needs_target = h.kind in ("acknowledgement", "release", "recall")
    if needs_target != (h.refs.target is not None) or h.refs != Refs(target=h.refs.target):
        raise shape.wrong("refs", f"a {h.kind} refers to {'exactly its target' if needs_target else 'nothing'}")


def _document(value: Any, where: str) -> tuple[bytes, int]:
    first, count = shape.row(value, where, 2)
    return names.message_id(first, where), shape.integer(count, where, low=2, high=MAX_DOCUMENT)


def _approvals(value: Any) -> tuple[tuple[bytes, bytes], ...]:
    rows = []
    for item in shape.items(value, "approvals", high=MAX_APPROVALS):
        key_id, signature = shape.row(item, "approvals", 2)
        rows.append(
            (
                shape.blob(key_id, "approvals key id", size=HASH),
                shape.blob(signature, "approvals signature", size=ED25519_SIGNATURE),
            )
        )
    shape.ascending([row[0] for row in rows], "approvals")
    return tuple(rows)


@lru_cache(maxsize=4096)
def _label(packed: bytes) -> Label:
    """Few labels, many messages: the same bytes are read once."""
    return Label.from_wire(codec.unpack(packed, max_size=MAX_HEADER), "label")


__all__ = ["FIRST_PREV", "KINDS", "NO_REFS", "PRECEDENCES", "Header", "header_hash"]
