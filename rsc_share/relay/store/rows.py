"""How the values of the store protocol stand in rows. What cannot be read back raises `Damaged`: nobody else writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rsc_share import codec, shape
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening
from rsc_share.errors import RemoteError
from rsc_share.labels.label import MAX_AUDIENCE
from rsc_share.log.merkle import HASH_SIZE
from rsc_share.log.note import MAX_NOTE, MAX_SIGNATURES, NoteSignature
from rsc_share.relay.store.failures import Damaged
from rsc_share.relay.store.protocol import Head, Stored
from rsc_share.rulebook.facts import Fact, GrantFact, HeadFact, Key
from rsc_share.session.frames import Statement

T = TypeVar("T")

MAX_BESIDE = 1 << 20
"""Bytes of the openings and statements of one entry; those of the largest audience take a tenth of this."""


def read(found: Callable[[bytes], T], data: bytes, log: str) -> T:
    """`found(data)`, where a value that is not what this store writes means that the file was changed."""
    try:
        return found(data)
    except RemoteError as error:
        raise Damaged(f"a row of {log} cannot be read: {error.what}", log=log) from None


# --- the head


def head_row(head: Head) -> tuple[int, bytes, bytes, int | None, int | None]:
    last = head.last
    stamp = (None, None) if last is None else (last.logged_at, last.directory)
    return (head.size, head.root, b"".join(head.edge), *stamp)


def read_head(size: int, root: bytes, edge: bytes, logged_at: int | None, directory: int | None) -> Head:
    last = None if logged_at is None or directory is None else Stamp(logged_at, directory)
    nodes = tuple(edge[at : at + HASH_SIZE] for at in range(0, len(edge), HASH_SIZE))
    return Head(size, root, nodes, last)


# --- what lies beside an entry


def pack_beside(stored: Stored) -> bytes:
    """Openings and statements; nothing at all where there are none, as in the directory."""
    if not stored.openings and not stored.statements:
        return b""
    openings = [[node, *opening.wire()] for node, opening in stored.openings.items()]
    return codec.pack([openings, [statement.wire() for statement in stored.statements]])


def read_beside(entry: bytes, beside: bytes) -> Stored:
    if not beside:
        return Stored(entry)
    openings, statements = shape.row(codec.unpack(beside, max_size=MAX_BESIDE), "beside", 2)
    return Stored(entry, _openings(openings), _statements(statements))


def _openings(value: Any) -> dict[str, Opening]:
    found = {}
    for item in shape.items(value, "openings", high=MAX_AUDIENCE):
        node, salt, n = shape.row(item, "opening", 3)
        found[shape.text(node, "opening")] = Opening.from_wire([salt, n], "opening")
    return found


def _statements(value: Any) -> tuple[Statement, ...]:
    return tuple(Statement.from_wire(item, "statement") for item in shape.items(value, "statements", high=MAX_AUDIENCE))


# --- facts, apart from ids, which have columns of their own


def fact_key(key: Key) -> bytes:
    """One row key for each fact: kind, then the parts, with a byte between them that no name holds."""
    return b"\0".join(part if isinstance(part, bytes) else part.encode() for part in key)


def pack_fact(fact: Fact) -> int | bytes:
    if isinstance(fact, HeadFact):
        return codec.pack([fact.seq, fact.header_hash, fact.index])
    if isinstance(fact, GrantFact):
        return codec.pack([fact.index, fact.logged_at, list(fact.nodes)])
    if isinstance(fact, int):
        return fact
    raise TypeError(f"{type(fact).__name__} has a table of its own")


def read_fact(kind: str, value: int | bytes, log: str) -> Fact:
    if isinstance(value, int):
        return value
    return read(_read_grant, value, log) if kind == "grant" else read(_read_head_fact, value, log)


def _read_head_fact(data: bytes) -> HeadFact:
    seq, digest, index = shape.row(codec.unpack(data, max_size=64), "head", 3)
    return HeadFact(shape.integer(seq, "seq"), shape.blob(digest, "head", size=32), shape.integer(index, "index"))


def _read_grant(data: bytes) -> GrantFact:
    index, logged_at, nodes = shape.row(codec.unpack(data, max_size=MAX_BESIDE), "grant", 3)
    names = tuple(shape.text(node, "node") for node in shape.items(nodes, "nodes", high=MAX_AUDIENCE))
    return GrantFact(shape.integer(index, "index"), shape.integer(logged_at, "logged_at"), names)


# --- notes


def pack_lines(lines: tuple[NoteSignature, ...]) -> bytes:
    return codec.pack([[line.name, line.key_id, line.blob] for line in lines])


def read_lines(data: bytes) -> tuple[NoteSignature, ...]:
    value = codec.unpack(data, max_size=MAX_NOTE, max_items=MAX_SIGNATURES * 4)
    return tuple(_line(item) for item in value)


def _line(item: Any) -> NoteSignature:
    name, key_id, blob = shape.row(item, "line", 3)
    return NoteSignature(shape.text(name, "name"), shape.blob(key_id, "key id"), shape.blob(blob, "signature"))
