"""Typed forms: one spelling, bounded before anything is allocated, and the same bytes as the generic codec."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Annotated, Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Raw

from rsc_share import codec, wire
from rsc_share.errors import LocalError, RemoteError


class Pair(wire.Map, frozen=True):
    a: wire.Number
    b: wire.Hash | None


class Line(wire.Row, frozen=True):
    name: str
    pairs: Annotated[tuple[Pair, ...], Meta(max_length=16)]


PAIR: wire.Form[Pair] = wire.Form(Pair, "pair", 1000)
LINE: wire.Form[Line] = wire.Form(Line, "line", 100_000)
ANY: wire.Form[Raw] = wire.Form(Raw, "raw", 100_000)

VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.text(max_size=40), st.binary(max_size=300)
    ),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


def ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_both_writers_have_one_spelling(value: Any) -> None:
    packed: bytes = msgpack.packb(ordered(value))
    assert wire.write(ordered(value)) == codec.pack(value) == packed


def test_what_was_written_is_read() -> None:
    line = Line("é", (Pair(0, None), Pair((1 << 63) - 1, bytes(32))))
    assert LINE.read(wire.write(line)) == line
    assert wire.write(line) == codec.pack(["é", [{"a": 0, "b": None}, {"a": (1 << 63) - 1, "b": bytes(32)}]])


def pair(*rows: bytes) -> bytes:
    return bytes([0x80 | len(rows)]) + b"".join(rows)


A, B = b"\xa1a\x01", b"\xa1b\xc0"
WRONG = {
    "a key is missing": pair(A),
    "a key nobody knows": pair(A, B, b"\xa1c\xc0"),
    "a key twice, the last one counts": pair(A, A, B),
    "a key twice, in the place of another": pair(A, A),
    "keys in another order": pair(B, A),
    "a key as bytes": pair(b"\xc4\x01a\x01", B),
    "a key in a longer form": pair(b"\xd9\x01a\x01", B),
    "a number in a longer form": pair(b"\xa1a\xcc\x01", B),
    "a number as a float": pair(b"\xa1a\xcb" + struct.pack(">d", 1.0), B),
    "a number as a truth": pair(b"\xa1a\xc3", B),
    "a number below zero": pair(b"\xa1a\xff", B),
    "a number above 63 bits": pair(b"\xa1a\xcf" + b"\xff" * 8, B),
    "a hash as a text": pair(A, b"\xa1b\xd9\x20" + b"x" * 32),
    "a hash too short": pair(A, b"\xa1b\xc4\x1f" + bytes(31)),
    "a map in a longer form": b"\xde\x00\x02" + A + B,
    "a list for a map": b"\x92\x01\xc0",
    "an extension": pair(b"\xa1a\xd6\xff\0\0\0\0", B),
    "something after it": pair(A, B) + b"\xc0",
    "cut off": pair(A, B)[:-1],
    "nothing": b"",
    "too long": pair(A, B) + bytes(1000),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_not_the_one_spelling(name: str) -> None:
    with pytest.raises(RemoteError, match=r"^pair: ") as caught:
        PAIR.read(WRONG[name])
    assert caught.value.fields["where"] == "pair"


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80"], ids=["stray", "surrogate", "overlong"])
def test_text_that_is_not_utf8(text: bytes) -> None:
    with pytest.raises(RemoteError):
        LINE.read(b"\x92" + bytes([0xA0 | len(text)]) + text + b"\x90")


@pytest.mark.parametrize("claim", [b"\x9f", b"\xdc\xff\xff", b"\xdd\x05\xf5\xe1\x00", b"\xdd\xff\xff\xff\xff"])
def test_a_length_that_is_only_claimed_costs_nothing(claim: bytes) -> None:
    data = b"\x92\xa1x" + claim
    tracemalloc.start()
    try:
        for form in (LINE, ANY):
            with pytest.raises(RemoteError):
                form.read(data)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_nesting_is_refused_before_the_stack_ends() -> None:
    with pytest.raises(RemoteError, match="nested too deep"):
        ANY.read(b"\x91" * 90_000 + b"\xc0")


def test_a_strangers_key_breaks_no_line_of_a_log() -> None:
    with pytest.raises(RemoteError) as caught:
        PAIR.read(b"\x83" + A + B + b"\xa7c\n\x1b[31m\xc0")
    assert caught.value.what.isprintable()


@pytest.mark.parametrize("value", ["\ud800", 1 << 64, -1 - (1 << 63)], ids=["surrogate", "above", "below"])
def test_what_the_format_cannot_hold(value: Any) -> None:
    with pytest.raises(LocalError):
        wire.write([value])
