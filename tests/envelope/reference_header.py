"""The header's rules read aloud: slow on purpose, over the generic codec, sharing no line with the typed form."""

from __future__ import annotations

from typing import Any

from rsc_share import codec, names, shape
from rsc_share.envelope.contents import READERS
from rsc_share.envelope.parts import MAX_APPROVALS, MAX_AUDIENCE, MAX_BODY, MAX_PARTS, MAX_REFS
from rsc_share.labels.label import Label

KEYS = (
    *("approvals", "content", "directory", "document", "expires_at", "grant", "id", "kind", "label", "log"),
    *("parts", "precedence", "prev", "purpose", "refs", "seen", "sender", "seq", "to", "type"),
)


def check(data: bytes) -> None:
    """Raises `RemoteError` unless `data` is a header."""
    m = shape.closed(codec.unpack(data, max_size=65_000, max_items=512), "header", KEYS)
    kind = shape.choice(m["kind"], "kind", ("message", *READERS))
    names.origin(m["log"])
    names.message_id(m["id"])
    names.node(m["sender"])
    shape.integer(m["seq"], "seq", low=1)
    shape.blob(m["prev"], "prev", size=32)
    shape.choice(m["precedence"], "precedence", ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"))
    for name in ("seen", "directory"):
        _head(m[name])
    _refs(m["refs"])
    _audience(m["to"], m["sender"])
    _parts(m["parts"])
    _approvals(m["approvals"])
    shape.maybe(names.message_type, m["type"], "type")
    shape.maybe(shape.integer, m["expires_at"], "expires_at")
    shape.maybe(shape.text, m["purpose"], "purpose", low=1, high=64)
    shape.maybe(names.message_id, m["grant"], "grant")
    shape.maybe(_document, m["document"], "document")
    shape.maybe(Label.from_wire, m["label"], "label")
    if kind == "message":
        _message(m)
    else:
        _clear(kind, m)


def _head(value: Any) -> None:
    size, root, signature = shape.row(value, "head", 3)
    shape.integer(size, "size")
    shape.blob(root, "root", size=32)
    shape.blob(signature, "signature", size=64)


def _ref(value: Any, where: str) -> None:
    log, index, digest = shape.row(value, where, 3)
    names.origin(log)
    shape.integer(index, where)
    shape.blob(digest, where, size=32)


def _refs(value: Any) -> None:
    if value is None:
        return
    m = shape.closed(value, "refs", ("derived_from", "releases", "reply_to", "supersedes", "target"))
    for name in ("derived_from", "releases"):
        shape.each(_ref, m[name], name, high=MAX_REFS)
    for name in ("reply_to", "supersedes", "target"):
        shape.maybe(_ref, m[name], name)
    if not any(m.values()):
        raise shape.wrong("refs", "an empty map must be nil")


def _audience(value: Any, sender: str) -> None:
    nodes = []
    for item in shape.items(value, "to", high=MAX_AUDIENCE):
        node, commitment = shape.row(item, "to", 2)
        nodes.append(names.node(node))
        shape.blob(commitment, "to", size=32)
    shape.ascending(nodes, "to")
    if sender in nodes:
        raise shape.wrong("to", "holds the sending node itself")


def _parts(value: Any) -> None:
    for item in shape.items(value, "parts", high=MAX_PARTS):
        m = shape.closed(item, "parts", ("commit", "digest", "media", "size"))
        shape.blob(m["commit"], "commit", size=32)
        shape.blob(m["digest"], "digest", size=32)
        shape.text(m["media"], "media", low=1, high=64)
        shape.integer(m["size"], "size", low=1, high=MAX_BODY)


def _approvals(value: Any) -> None:
    keys = []
    for item in shape.items(value, "approvals", high=MAX_APPROVALS):
        key, signature = shape.row(item, "approvals", 2)
        keys.append(shape.blob(key, "approvals", size=32))
        shape.blob(signature, "approvals", size=64)
    shape.ascending(keys, "approvals")


def _document(value: Any, where: str) -> None:
    first, count = shape.row(value, where, 2)
    names.message_id(first)
    shape.integer(count, where, low=2, high=256)


def _message(m: dict[str, Any]) -> None:
    if m["content"] is not None or not m["parts"] or None in (m["type"], m["label"], m["grant"]):
        raise shape.wrong("kind", "a message has type, label, grant and parts, and no content")


def _clear(kind: str, m: dict[str, Any]) -> None:
    READERS[kind].from_wire(m["content"], "content")
    for name in ("type", "label", "grant", "purpose", "document", "expires_at"):
        if m[name] is not None:
            raise shape.wrong(name, f"a {kind} has none")
    if m["parts"]:
        raise shape.wrong("parts", f"a {kind} has none")
    target = kind in ("acknowledgement", "release", "recall")
    held = {name for name, ref in (m["refs"] or {}).items() if ref}
    if held != ({"target"} if target else set()):
        raise shape.wrong("refs", f"a {kind} refers to its target, if it has one, and to nothing else")
