"""The nine calls of a `RelayPort` as values: what is asked, what is answered. A call's body is a msgpack list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.envelope.parts import HASH, Head
from rsc_share.session.frames import MAX_ITEMS, MAX_NOTE, News, Offer, Submission, Tail, read_outcome
from rsc_share.session.table import MAX_MESSAGE, sizes
from rsc_share.wire import write

MAX_RUN = 256
"""Entries in one call."""
MAX_DIGESTS = 256
MAX_LINES = 4
MAX_BODIES = 8
MAX_BODY = 4 << 20
"""Bytes of one body: those of a charter are the largest."""
MAX_OBJECT = 65_535

Wire = Callable[[Any], Any]
Pack = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Form:
    """How one call is read and written. `rank`: the queue it and its answer wait in, unless its caller knows better."""

    rank: str
    asked: Callable[[list[Any]], tuple[Any, ...]]
    """From the body's list to arguments. Raises `RemoteError`."""
    answered: Wire
    """From an answer's value to what the caller gets. Raises `RemoteError`."""
    answer: Pack
    """From what the relay returned to an answer's bytes."""


def _asked(count: int, *readers: Wire) -> Callable[[list[Any]], tuple[Any, ...]]:
    def read(body: list[Any]) -> tuple[Any, ...]:
        values = shape.row(body, "call", count)
        return tuple(reader(value) for reader, value in zip(readers, values, strict=True))

    return read


def _log(value: Any) -> str:
    return names.origin(value, "log")


def _number(value: Any) -> int:
    return shape.integer(value, "number")


def _limit(value: Any) -> int:
    return shape.integer(value, "limit", low=1)


def _heads(value: Any) -> dict[str, int]:
    return sizes(value, "heads", MAX_ITEMS)


def _shown(value: Any) -> dict[str, Head]:
    if type(value) is not dict or len(value) > MAX_ITEMS:
        raise shape.wrong("shown", f"needs a map of at most {MAX_ITEMS} logs to heads")
    return {names.origin(log, "shown"): Head.from_wire(head, "shown") for log, head in value.items()}


def _entries(value: Any) -> list[Submission]:
    return [Submission.from_wire(item) for item in shape.items(value, "entries", low=1, high=MAX_RUN)]


def _object(value: Any) -> bytes:
    return shape.blob(value, "object", low=1, high=MAX_OBJECT)


def _digests(value: Any) -> list[bytes]:
    return shape.each(shape.blob, value, "digests", low=1, high=MAX_DIGESTS, size=HASH)


def _lines(value: Any) -> list[bytes]:
    return shape.each(shape.blob, value, "lines", high=MAX_LINES)


def _bodies(value: Any, most: int = MAX_DIGESTS) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for item in shape.items(value, "bodies", high=most):
        digest, body = shape.row(item, "bodies", 2)
        found[shape.blob(digest, "bodies", size=HASH)] = shape.blob(body, "bodies", high=MAX_BODY)
    if len(found) != len(value):
        raise shape.wrong("bodies", "names a digest twice")
    return found


def pairs(bodies: Mapping[bytes, bytes]) -> list[Any]:
    """Bodies by digest, as a value: keys of a map are texts."""
    return [[digest, body] for digest, body in bodies.items()]


def _note(value: Any) -> bytes | None:
    return shape.maybe(shape.blob, value, "note", low=1, high=MAX_NOTE)


def _nothing(value: Any) -> None:
    if value is not None:
        raise shape.wrong("answer", "needs nil")


def _tail(value: Any) -> Tail | None:
    return shape.maybe(Tail.from_wire, value, "tail")


def _offers(value: Any) -> list[Offer]:
    return shape.each(Offer.from_wire, value, "offers", high=MAX_ITEMS)


def _news(value: Any) -> News | None:
    return shape.maybe(News.from_wire, value, "news")


def _outcomes(value: Any) -> Any:
    return shape.each(read_outcome, value, "outcomes", low=1, high=MAX_RUN)


# What the relay returns is made of typed forms and of what it has read: nothing in it has to be sorted or refused.
def _one(value: Any) -> bytes:
    return write(value and value.wire())


def _many(values: Any) -> bytes:
    return write([value.wire() for value in values])


CALLS: Mapping[str, Form] = {
    "logs": Form("IMMEDIATE", _asked(0), _heads, lambda sizes: codec.pack(dict(sizes))),
    "submit": Form("ROUTINE", _asked(2, _log, _entries), _outcomes, _many),
    "submit_object": Form("PRIORITY", _asked(2, _object, partial(_bodies, most=MAX_BODIES)), _number, write),
    "read": Form("PRIORITY", _asked(3, _log, _number, _limit), _tail, _one),
    "witnessed": Form("IMMEDIATE", _asked(1, _log), _note, write),
    "bodies": Form("ROUTINE", _asked(2, _log, _digests), _bodies, lambda bodies: write(pairs(bodies))),
    "offers": Form("IMMEDIATE", _asked(2, _heads, _shown), _offers, _many),
    "cosign": Form("IMMEDIATE", _asked(3, _log, _number, _lines), _nothing, write),
    "changed": Form("IMMEDIATE", _asked(2, _heads, _heads), _news, _one),
}
NAMES = tuple(CALLS)


def read_arguments(name: str, body: bytes) -> tuple[Any, ...]:
    """Raises `RemoteError`."""
    return CALLS[name].asked(codec.unpack(body, max_size=MAX_MESSAGE))


def read_answer(name: str, body: bytes) -> Any:
    """Raises `RemoteError`."""
    return CALLS[name].answered(codec.unpack(body, max_size=MAX_MESSAGE))


Own = tuple[int, bytes, int]
"""A sender's newest entry in one log: `seq`, header hash, index; `[0, 32 zero bytes, -1]` before its first."""


def welcome(heads: Mapping[str, Own]) -> bytes:
    """The answer to call 0."""
    return codec.pack({log: list(head) for log, head in heads.items()})


def read_welcome(body: bytes) -> dict[str, Own]:
    """Raises `RemoteError`."""
    value = codec.unpack(body, max_size=MAX_MESSAGE, max_depth=2)
    if type(value) is not dict:
        raise shape.wrong("welcome", "needs a map of logs to heads")
    return {names.origin(log, "welcome"): _own(head) for log, head in value.items()}


def _own(value: Any) -> Own:
    seq, digest, index = shape.row(value, "welcome", 3)
    return (
        shape.integer(seq, "welcome"),
        shape.blob(digest, "welcome", size=HASH),
        shape.integer(index, "welcome", low=-1),
    )
