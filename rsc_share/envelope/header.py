"""The signed header of an entry: one map, all keys present, one spelling (docs/protocol.md, "Header")."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import cast, get_args

from msgspec import Raw

from rsc_share import codec, names, shape
from rsc_share.envelope.contents import Content, read_content
from rsc_share.envelope.header_form import FORM, KEYS, MAX_DOCUMENT, MAX_HEADER, Kind, Precedence, WrittenHeader
from rsc_share.envelope.parts import HASH, NO_REFS, Head, Part, Refs
from rsc_share.labels.label import Label
from rsc_share.log.merkle import leaf_hash
from rsc_share.value import Value
from rsc_share.wire import write

KINDS: tuple[str, ...] = get_args(Kind)
PRECEDENCES: tuple[str, ...] = get_args(Precedence)
"""The most urgent first."""
FIRST_PREV = bytes(HASH)
MAX_KNOWN_LABEL = 1024
"""Bytes of a label that is remembered."""
_NIL = Raw(codec.pack(None))
_node_of: Callable[[tuple[str, bytes]], str] = itemgetter(0)


class Header(Value, frozen=True):
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
        return tuple(map(_node_of, self.to))

    @property
    def member(self) -> str:
        return names.member_of(self.sender)

    def pack(self) -> bytes:
        """The one spelling. Raises `LocalError` for what the format cannot hold."""
        return write(
            WrittenHeader(
                approvals=self.approvals,
                content=_NIL if self.content is None else Raw(codec.pack(self.content.wire())),
                directory=self.directory,
                document=self.document,
                expires_at=self.expires_at,
                grant=self.grant,
                id=self.id,
                kind=cast("Kind", self.kind),
                label=_NIL if self.label is None else Raw(self.label.packed),
                log=self.log,
                parts=self.parts,
                precedence=cast("Precedence", self.precedence),
                prev=self.prev,
                purpose=self.purpose,
                refs=None if self.refs == NO_REFS else self.refs,
                seen=self.seen,
                sender=self.sender,
                seq=self.seq,
                to=self.to,
                type=self.type,
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of a well-formed header."""
        return _checked(FORM.read(data))

    @classmethod
    def parse_all(cls, datas: list[bytes]) -> list[Header]:
        """As `parse` of each. Raises what one of them raises."""
        return list(map(_checked, FORM.read_all(datas)))


def _checked(m: WrittenHeader) -> Header:
    """The header that was written, checked for what its form cannot say."""
    kind, parts = m.kind, m.parts
    header = Header(  # in the order of its fields: given by name, twenty cost seven times as much
        names.origin(m.log),
        kind,
        None if m.type is None else names.message_type(m.type, "type"),
        names.message_id(m.id),
        names.node(m.sender, "sender"),
        m.seq,
        m.prev,
        m.expires_at,
        m.precedence,
        None if m.purpose is None else shape.text(m.purpose, "purpose"),
        m.document,
        NO_REFS if m.refs is None else m.refs,
        None if m.label == _NIL else _label(bytes(m.label)),
        m.to,
        None if m.grant is None else names.message_id(m.grant, "grant"),
        parts,
        None if kind == "message" and m.content == _NIL else _content(kind, m.content),
        m.approvals,
        m.seen,
        m.directory,
    )
    _audience(m.sender, m.to)
    _kind_rules(header)
    if m.document is not None:
        names.message_id(m.document[0], "document")
    if m.refs is not None:
        _check_refs(m.refs)
    for part in parts:
        if not part.media.isprintable():
            shape.text(part.media, "parts", low=1, high=64)
    if m.approvals:
        shape.ascending([key for key, _ in m.approvals], "approvals")
    return header


def header_hash(data: bytes) -> bytes:
    """What `prev` and references name: the header's leaf hash in its signing batch, SHA-256(0x00 || header)."""
    return leaf_hash(data)


def _audience(sender: str, to: tuple[tuple[str, bytes], ...]) -> None:
    """Nodes, rising: a set with one spelling, and without the sending node."""
    if sender in names.audience(tuple(map(_node_of, to)), "to"):
        raise shape.wrong("to", "holds the sending node itself")


def _kind_rules(h: Header) -> None:
    """Only a message has type, label, parts and grant; a document names one of at least two portions."""
    if h.kind == "message":
        if h.type is None or h.label is None or h.grant is None:
            raise shape.wrong(
                "type" if h.type is None else "label" if h.label is None else "grant", "a message needs one"
            )
        if not h.parts:
            raise shape.wrong("parts", "a message needs at least one")
        return
    if h.type or h.label or h.grant or h.parts or h.purpose or h.document or h.expires_at is not None:
        raise shape.wrong("kind", f"a {h.kind} has no type, label, purpose, document, expiry, grant or parts")
    needs_target = h.kind in ("acknowledgement", "release", "recall")
    if needs_target != (h.refs.target is not None) or h.refs != Refs(target=h.refs.target):
        raise shape.wrong("refs", f"a {h.kind} refers to {'exactly its target' if needs_target else 'nothing'}")


def _check_refs(refs: Refs) -> None:
    if refs == NO_REFS:
        raise shape.wrong("refs", "an empty map must be nil")
    for ref in refs.all():
        names.origin(ref.log, "refs")


def _content(kind: str, packed: Raw) -> Content | None:
    return read_content(kind, codec.unpack(bytes(packed), max_size=MAX_HEADER, max_items=512))


def _label(packed: bytes) -> Label:
    return _known_label(packed) if len(packed) <= MAX_KNOWN_LABEL else _read_label(packed)


@lru_cache(maxsize=4096)
def _known_label(packed: bytes) -> Label:
    """Few labels, many messages: the same bytes are read once. Long ones are not kept, for a cache counts values and
    not bytes: whoever invents labels of 60 KB would fill it with 700 MB."""
    return _read_label(packed)


def _read_label(packed: bytes) -> Label:
    return Label.from_wire(codec.unpack(packed, max_size=MAX_HEADER), "label")


__all__ = [
    "FIRST_PREV",
    "KEYS",
    "KINDS",
    "MAX_DOCUMENT",
    "MAX_HEADER",
    "NO_REFS",
    "PRECEDENCES",
    "Header",
    "header_hash",
]
