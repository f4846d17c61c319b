"""What is handed in and what is answered, as values, each with its `wire` form and a reader that refuses all else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import shape
from rsc_share.envelope.contents import DELIVERY_STATES
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import HASH, MAX_AUDIENCE, SALT, Opening
from rsc_share.session.refusal import Refusal

MAX_NOTE = 65_535


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
