"""What admission must remember of a log: four small tables, as one mapping from key to fact.

A store looks facts up by key and writes the effects of a batch back in the same transaction as its entries. The
rulebook never asks for anything else about a log's past, apart from roots and the entries it is referred to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.header import FIRST_PREV
from rsc_share.value import Value

Key = tuple[str, ...] | tuple[str, str, bytes]
"""`("head", sender)`, `("id", sender, id)`, `("count", sender, node)` or `("grant", sender, grant id)`."""


class HeadFact(Value, frozen=True, gc=False):
    """A sender's newest entry that advanced."""

    seq: int
    header_hash: bytes
    index: int


class IdFact(Value, frozen=True, gc=False):
    """An id this sender has used: where, and by which header."""

    index: int
    header_hash: bytes


class GrantFact(Value, frozen=True):
    """A key hand-out that advanced."""

    index: int
    logged_at: int
    nodes: tuple[str, ...]


Fact = HeadFact | IdFact | GrantFact | int
Facts = Mapping[Key, Fact]
MutableFacts = MutableMapping[Key, Fact]

NO_HEAD = HeadFact(0, FIRST_PREV, -1)


def head_key(sender: str) -> Key:
    return ("head", sender)


def id_key(sender: str, message_id: bytes) -> Key:
    return ("id", sender, message_id)


def count_key(sender: str, node: str) -> Key:
    """The number of this sender's entries to this node in this log that advanced."""
    return ("count", sender, node)


def grant_key(sender: str, grant_id: bytes) -> Key:
    return ("grant", sender, grant_id)


def needs(signed: Iterable[Signed]) -> set[Key]:
    """Every key `admit` may ask for when these entries are judged."""
    keys: set[Key] = set()
    for item in signed:
        h = item.header
        keys.add(head_key(h.sender))
        keys.add(id_key(h.sender, h.id))
        keys.update(count_key(h.sender, node) for node in h.nodes)
        if h.grant is not None:
            keys.add(grant_key(h.sender, h.grant))
    return keys


def head_of(facts: Facts, sender: str) -> HeadFact:
    found = facts.get(("head", sender), NO_HEAD)  # as `head_key`: asked twice about each entry
    return found if isinstance(found, HeadFact) else NO_HEAD


def count_of(facts: Facts, sender: str, node: str) -> int:
    found = facts.get(("count", sender, node), 0)  # as `count_key`: asked twice for each reader of each entry
    return found if isinstance(found, int) else 0


def effects_of(facts: Facts, signed: Signed, index: int, logged_at: int) -> dict[Key, Fact]:
    """What an entry that advances changes: head, id, counters, grants. The same at relay, node and auditor."""
    h, mark = signed.header, signed.header_hash
    sender = h.sender
    # As `head_key`, `id_key`, `count_key` and `count_of`: for each entry, and for each of its readers.
    changed: dict[Key, Fact] = {
        ("head", sender): HeadFact(h.seq, mark, index),
        ("id", sender, h.id): IdFact(index, mark),
    }
    for node, _ in h.to:
        key = ("count", sender, node)
        found = facts.get(key, 0)
        changed[key] = found + 1 if isinstance(found, int) else 1
    if isinstance(h.content, GrantContent):
        changed[grant_key(sender, h.id)] = GrantFact(index, logged_at, h.nodes)
    return changed
