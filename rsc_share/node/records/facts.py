"""Facts of a followed log, and the label of a place in it."""

from __future__ import annotations

from typing import Any

from rsc_share.envelope.entry import Signed
from rsc_share.errors import StorageError
from rsc_share.rulebook.facts import Fact, GrantFact, HeadFact, IdFact, Key
from rsc_share.rulebook.view import Source


def fact_wire(fact: Fact) -> list[Any]:
    if isinstance(fact, HeadFact):
        return ["head", fact.seq, fact.header_hash, fact.index]
    if isinstance(fact, IdFact):
        return ["id", fact.index, fact.header_hash]
    if isinstance(fact, GrantFact):
        return ["grant", fact.index, fact.logged_at, list(fact.nodes)]
    return ["count", fact]


def read_fact(key: list[Any], value: list[Any]) -> tuple[Key, Fact]:
    kind, *rest = value
    if kind == "grant":
        return tuple(key), GrantFact(rest[0], rest[1], tuple(rest[2]))
    if kind == "count":
        return tuple(key), int(rest[0])
    if kind == "head":
        return tuple(key), HeadFact(*rest)
    if kind == "id":
        return tuple(key), IdFact(*rest)
    raise StorageError(f"the store holds a fact of kind {kind}", code="damaged-state", advice="use a newer release")


def entry_wire(signed: Signed) -> list[Any]:
    return [signed.header_bytes, signed.block_bytes]


def read_source(index: int, value: list[Any]) -> Source:
    header, block = value
    return Source.of(index, Signed.parse(header, block))
