"""The frames of a session as values: each knows what it is written as, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import RemoteError
from rsc_share.session.fault import Fault
from rsc_share.session.token import MAX_TOKEN, NONCE

VERSION = 1
MAX_FRAME = 131_072
"""Bytes of one frame."""
MAX_GREETING = 32_768
"""Bytes of a `token` frame: all that a stranger can make a relay read."""
PIECE = 15_360
"""Bytes of a message in one frame as written here; a reader takes what fits a frame. A frame is one TLS record: what
is longer makes OpenSSL's buffers of a session as large for as long as it lives."""
MAX_MESSAGE = 16 << 20
"""Bytes of one question or answer over all its frames."""
MIN_WINDOW, MAX_WINDOW = 2 * MAX_FRAME, MAX_MESSAGE
MAX_HEADS = 256
MAX_ID = 1 << 53
GREETING_CALL = 0


@dataclass(frozen=True, slots=True)
class Hello:
    """`time` is the relay's clock (ms). A node may have `calls` calls open, of at most `bytes` together."""

    nonce: bytes
    host: str
    time: int
    calls: int
    bytes: int
    version: int = VERSION

    def wire(self) -> list[Any]:
        limits = {"bytes": self.bytes, "calls": self.calls}
        return ["hello", self.version, self.nonce, self.host, self.time, limits]


@dataclass(frozen=True, slots=True)
class Greeting:
    """The `token` frame. `window`: bytes of answers the node takes ahead; `heads`: witness heads, by log."""

    token: str
    window: int
    heads: Mapping[str, int]

    def wire(self) -> list[Any]:
        return ["token", self.token, self.window, dict(self.heads)]


@dataclass(frozen=True, slots=True)
class Call:
    id: int
    name: str
    rank: str
    size: int
    piece: bytes

    def wire(self) -> list[Any]:
        return ["call", self.id, self.name, self.rank, self.size, self.piece]


@dataclass(frozen=True, slots=True)
class Answer:
    id: int
    size: int
    piece: bytes

    def wire(self) -> list[Any]:
        return ["answer", self.id, self.size, self.piece]


@dataclass(frozen=True, slots=True)
class More:
    id: int
    piece: bytes

    def wire(self) -> list[Any]:
        return ["more", self.id, self.piece]


@dataclass(frozen=True, slots=True)
class Failed:
    """The `fault` frame."""

    id: int
    fault: Fault

    def wire(self) -> list[Any]:
        return ["fault", self.id, self.fault.wire()]


@dataclass(frozen=True, slots=True)
class Cancel:
    id: int

    def wire(self) -> list[Any]:
        return ["cancel", self.id]


@dataclass(frozen=True, slots=True)
class Credit:
    bytes: int

    def wire(self) -> list[Any]:
        return ["credit", self.bytes]


@dataclass(frozen=True, slots=True)
class Goaway:
    why: str

    def wire(self) -> list[Any]:
        return ["goaway", self.why]


@dataclass(frozen=True, slots=True)
class Error:
    fault: Fault

    def wire(self) -> list[Any]:
        return ["error", self.fault.wire()]


Frame = Hello | Greeting | Call | Answer | More | Failed | Cancel | Credit | Goaway | Error


def _hello(value: Any) -> Hello:
    _, version, nonce, host, time, limits = shape.row(value, "hello", 6)
    if shape.integer(version, "hello") != VERSION:
        raise RemoteError(f"session version {version!r}; this program speaks {VERSION}", code="version")
    m = shape.closed(limits, "hello", ("bytes", "calls"))
    return Hello(
        shape.blob(nonce, "hello", size=NONCE),
        names.host(host, "hello"),
        shape.integer(time, "hello"),
        shape.integer(m["calls"], "hello", low=1, high=1024),
        shape.integer(m["bytes"], "hello", low=MAX_FRAME, high=1 << 32),
    )


def _greeting(value: Any) -> Greeting:
    _, token, window, heads = shape.row(value, "token", 4)
    return Greeting(
        shape.text(token, "token", low=1, high=MAX_TOKEN),
        shape.integer(window, "token", low=MIN_WINDOW, high=MAX_WINDOW),
        sizes(heads, "token", MAX_HEADS),
    )


def read_call(value: Any, known: tuple[str, ...]) -> Call:
    _, id, name, rank, size, piece = shape.row(value, "call", 6)
    return Call(
        _id(id, "call"),
        shape.choice(name, "call", known),
        shape.choice(rank, "call", PRECEDENCES),
        *_begins(size, piece, "call"),
    )


def _answer(value: Any) -> Answer:
    _, id, size, piece = shape.row(value, "answer", 4)
    return Answer(_id(id, "answer", low=GREETING_CALL), *_begins(size, piece, "answer"))


def _begins(size: Any, piece: Any, where: str) -> tuple[int, bytes]:
    """A first piece may be the whole; an empty piece that leaves something open would be work for nothing."""
    whole = shape.integer(size, where, low=1, high=MAX_MESSAGE)
    return whole, shape.blob(piece, where, low=1, high=min(whole, MAX_FRAME))


def _more(value: Any) -> More:
    _, id, piece = shape.row(value, "more", 3)
    return More(_id(id, "more", low=GREETING_CALL), shape.blob(piece, "more", low=1, high=MAX_FRAME))


def _failed(value: Any) -> Failed:
    _, id, fault = shape.row(value, "fault", 3)
    return Failed(_id(id, "fault"), Fault.from_wire(fault))


def _id(value: Any, where: str, *, low: int = 1) -> int:
    return shape.integer(value, where, low=low, high=MAX_ID)


def sizes(value: Any, where: str, most: int) -> dict[str, int]:
    """A map of log origins to sizes."""
    if type(value) is not dict or len(value) > most:
        raise shape.wrong(where, f"needs a map of at most {most} logs to sizes")
    return {names.origin(log, where): shape.integer(size, where) for log, size in value.items()}


READERS: Mapping[str, Callable[[Any], Frame]] = {
    "hello": _hello,
    "token": _greeting,
    "answer": _answer,
    "more": _more,
    "fault": _failed,
    "cancel": lambda value: Cancel(_id(shape.row(value, "cancel", 2)[1], "cancel")),
    "credit": lambda value: Credit(shape.integer(shape.row(value, "credit", 2)[1], "credit", low=1, high=MAX_WINDOW)),
    "goaway": lambda value: Goaway(shape.text(shape.row(value, "goaway", 2)[1], "goaway", high=200)),
    "error": lambda value: Error(Fault.from_wire(shape.row(value, "error", 2)[1], "error")),
}
