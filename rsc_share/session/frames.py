"""The frames of a session, as values. Every one has a `wire` form and a reader that refuses anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.envelope.contents import DELIVERY_STATES
from rsc_share.envelope.entry import MAX_ENTRY, Stamp
from rsc_share.envelope.parts import HASH, MAX_AUDIENCE, SALT, Opening
from rsc_share.session.refusal import Refusal

MAX_NOTE = 65_535
MAX_ITEMS = 512


@dataclass(frozen=True, slots=True)
class Statement:
    """Opens one `received` item of a heartbeat: which entry of the sender this node holds newest, in which state."""

    salt: bytes
    header_hash: bytes
    state: str

    def wire(self) -> list[Any]:
        return [self.salt, self.header_hash, self.state]

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Statement:
        salt, digest, state = shape.row(value, where, 3)
        return cls(
            shape.blob(salt, where, size=SALT),
            shape.blob(digest, where, size=HASH),
            shape.choice(state, where, DELIVERY_STATES),
        )


@dataclass(frozen=True, slots=True)
class Submission:
    """One signed entry on its way to the relay.

    `openings` follow the order of `to`; `statements` that of a heartbeat's `received`; `bodies` are the ciphertexts of
    the parts in order, or a grant's sealed keys in the order of its rows.
    """

    header: bytes
    block: bytes
    openings: tuple[Opening, ...]
    statements: tuple[Statement, ...]
    bodies: tuple[bytes, ...]

    @property
    def weight(self) -> int:
        """Bytes of it, about."""
        return len(self.header) + len(self.block) + sum(map(len, self.bodies)) + 128 * len(self.openings)

    def wire(self) -> list[Any]:
        return [
            self.header,
            self.block,
            [opening.wire() for opening in self.openings],
            [statement.wire() for statement in self.statements],
            list(self.bodies),
        ]

    @classmethod
    def from_wire(cls, value: Any, where: str = "submission") -> Submission:
        header, block, openings, statements, bodies = shape.row(value, where, 5)
        return cls(
            shape.blob(header, where),
            shape.blob(block, where),
            tuple(shape.each(Opening.from_wire, openings, f"{where} openings", high=MAX_AUDIENCE)),
            tuple(shape.each(Statement.from_wire, statements, f"{where} statements", high=MAX_AUDIENCE)),
            tuple(shape.each(shape.blob, bodies, f"{where} bodies", high=MAX_AUDIENCE)),
        )


@dataclass(frozen=True, slots=True)
class Logged:
    """The relay's word that an entry is in the log: with it the sender rebuilds the leaf and checks the proof.

    `note` is a signed checkpoint of a tree that holds the entry; `proof` the inclusion proof in that tree.
    """

    index: int
    stamp: Stamp
    note: bytes
    proof: tuple[bytes, ...]

    def wire(self) -> list[Any]:
        return ["logged", self.index, self.stamp.logged_at, self.stamp.directory, self.note, list(self.proof)]


@dataclass(frozen=True, slots=True)
class Turned:
    """Refused, with the log's signature."""

    refusal: Refusal

    def wire(self) -> list[Any]:
        return ["refused", *self.refusal.wire()]


@dataclass(frozen=True, slots=True)
class Weather:
    """`not-tried`, `rate-limited`, `no-space`, `not-ready`: never a verdict. `retry_after` in ms."""

    code: str
    retry_after: int | None

    def wire(self) -> list[Any]:
        return ["weather", self.code, self.retry_after]


NOT_TRIED = Weather("not-tried", None)
"""Behind an entry of the same run that was not placed."""
Outcome = Logged | Turned | Weather
WEATHER = frozenset({"not-tried", "rate-limited", "no-space", "not-ready"})


def read_outcome(value: Any, where: str = "outcome") -> Outcome:
    kind = value[0] if type(value) is list and value else None
    if kind == "logged":
        _, index, logged_at, directory, note, proof = shape.row(value, where, 6)
        stamp = Stamp(shape.integer(logged_at, where), shape.integer(directory, where))
        hashes = read_proof(proof, where)
        return Logged(shape.integer(index, where), stamp, shape.blob(note, where, low=1, high=MAX_NOTE), hashes)
    if kind == "refused":
        return Turned(Refusal.from_wire(shape.row(value, where, 3)[1:], where))
    if kind == "weather":
        _, code, retry = shape.row(value, where, 3)
        return Weather(shape.choice(code, where, WEATHER), shape.maybe(shape.integer, retry, where))
    raise shape.wrong(where, "is not an outcome")


def read_proof(value: Any, where: str) -> tuple[bytes, ...]:
    """The hashes of an inclusion or consistency proof."""
    return tuple(shape.each(shape.blob, value, where, high=63, size=HASH))


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
