"""What a node is told, as values: entries as it may see them, news, offers.

Every one has a `wire` form and a reader that refuses anything else. What is handed in and answered stands in
`submissions`, and can be had from here as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.envelope.entry import MAX_ENTRY
from rsc_share.envelope.parts import HASH, MAX_AUDIENCE, Opening
from rsc_share.session.submissions import (
    MAX_NOTE,
    NOT_TRIED,
    WEATHER,
    Logged,
    Outcome,
    Statement,
    Submission,
    Turned,
    Weather,
    read_outcome,
    read_proof,
)

MAX_ITEMS = 512


@dataclass(frozen=True, slots=True)
class Bare:
    """An entry that is not for this node: its leaf hash, so that the tree can be checked, and nothing more."""

    leaf: bytes

    @property
    def weight(self) -> int:
        return len(self.leaf)

    def wire(self) -> list[Any]:
        return [self.leaf]


@dataclass(frozen=True, slots=True)
class Full:
    """An entry for this node (or its own), with its opening, the heartbeat statements about it, and its bodies.

    `statements` are `(sending node of the heartbeat's received item, statement)`, only those this node may open.
    """

    entry: bytes
    opening: Opening | None
    statements: tuple[tuple[str, Statement], ...]
    bodies: tuple[bytes, ...]

    @property
    def weight(self) -> int:
        """Bytes of it, about."""
        return len(self.entry) + sum(map(len, self.bodies))

    def wire(self) -> list[Any]:
        return [
            self.entry,
            self.opening and self.opening.wire(),
            [[node, statement.wire()] for node, statement in self.statements],
            list(self.bodies),
        ]


Item = Bare | Full


def read_item(value: Any, where: str) -> Item:
    if type(value) is list and len(value) == 1:
        return Bare(shape.blob(value[0], where, size=HASH))
    entry, opening, statements, bodies = shape.row(value, where, 4)
    return Full(
        shape.blob(entry, where, low=1, high=MAX_ENTRY),
        shape.maybe(Opening.from_wire, opening, where),
        tuple(_about(item, where) for item in shape.items(statements, where, high=MAX_AUDIENCE)),
        tuple(shape.each(shape.blob, bodies, where, high=MAX_AUDIENCE)),
    )


def _about(value: Any, where: str) -> tuple[str, Statement]:
    node, statement = shape.row(value, where, 2)
    return names.node(node, where), Statement.from_wire(statement, where)


@dataclass(frozen=True, slots=True)
class Tail:
    """Entries `start`, `start` + 1, ... of a log as one node may see them, up to the tree of `note` or less far.

    `note` is the newest signed checkpoint, with the cosignatures the relay holds for that very size. `proof` leads from
    the tree that ends with the last of these entries to that of the note; it is empty where these are the same.
    """

    log: str
    start: int
    items: tuple[Item, ...]
    note: bytes
    proof: tuple[bytes, ...] = ()

    @property
    def weight(self) -> int:
        """Bytes of it, about."""
        return len(self.note) + sum(item.weight for item in self.items)

    def wire(self) -> list[Any]:
        return [self.log, self.start, [item.wire() for item in self.items], self.note, list(self.proof)]

    @classmethod
    def from_wire(cls, value: Any, where: str = "tail") -> Tail:
        log, start, items, note, proof = shape.row(value, where, 5)
        return cls(
            names.origin(log, where),
            shape.integer(start, where),
            tuple(read_item(item, where) for item in shape.items(items, where, high=MAX_ITEMS)),
            shape.blob(note, where, low=1, high=MAX_NOTE),
            read_proof(proof, where),
        )


@dataclass(frozen=True, slots=True)
class News:
    """What is new for one node since it said what it knows, so that it need not ask for each thing.

    `tails` begin where the node said it stands; `notes` are the newest that k members cosigned, by log; `more` are logs
    of which there is more than fits.
    """

    tails: tuple[Tail, ...] = ()
    notes: tuple[tuple[str, bytes], ...] = ()
    offers: tuple[Offer, ...] = ()
    more: tuple[str, ...] = ()

    def wire(self) -> list[Any]:
        return [
            [tail.wire() for tail in self.tails],
            [list(note) for note in self.notes],
            [offer.wire() for offer in self.offers],
            list(self.more),
        ]

    @classmethod
    def from_wire(cls, value: Any, where: str = "news") -> News:
        tails, notes, offers, more = shape.row(value, where, 4)
        pairs = [shape.row(note, where, 2) for note in shape.items(notes, where, high=MAX_ITEMS)]
        return cls(
            tuple(shape.each(Tail.from_wire, tails, where, high=MAX_ITEMS)),
            tuple((names.origin(log, where), shape.blob(note, where, low=1, high=MAX_NOTE)) for log, note in pairs),
            tuple(shape.each(Offer.from_wire, offers, where, high=MAX_ITEMS)),
            tuple(names.origin(log, where) for log in shape.items(more, where, high=MAX_ITEMS)),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint offered for cosigning: the note, the relay's time (ms), the consistency proof from `old`.

    `time` lets a witness refuse an offer whose relay's clock is off its own (docs/protocol.md, "Cosigning").
    """

    log: str
    old: int
    note: bytes
    time: int
    proof: tuple[bytes, ...]

    def wire(self) -> list[Any]:
        return [self.log, self.old, self.note, self.time, list(self.proof)]

    @classmethod
    def from_wire(cls, value: Any, where: str = "offer") -> Offer:
        log, old, note, time, proof = shape.row(value, where, 5)
        return cls(
            names.origin(log, where),
            shape.integer(old, where),
            shape.blob(note, where, low=1, high=MAX_NOTE),
            shape.integer(time, where),
            read_proof(proof, where),
        )


__all__ = [
    "MAX_ITEMS",
    "MAX_NOTE",
    "NOT_TRIED",
    "WEATHER",
    "Bare",
    "Full",
    "Item",
    "Logged",
    "News",
    "Offer",
    "Outcome",
    "Statement",
    "Submission",
    "Tail",
    "Turned",
    "Weather",
    "read_item",
    "read_outcome",
]
