"""One spelling for every value, and nothing a stranger claims is allocated before it is bounded."""

from __future__ import annotations

import math
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rsc_share import codec
from rsc_share.codec import INT_MAX, INT_MIN, MAX_DEPTH, pack, unpack
from rsc_share.errors import LocalError, RemoteError

LIMIT = 1 << 20

scalars = (
    st.none()
    | st.booleans()
    | st.integers(INT_MIN, INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x or 0.0)
    | st.text(st.characters(codec="utf-8"), max_size=40)
    | st.binary(max_size=300)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=40), inner, max_size=20)
    ),
    max_leaves=30,
)


def read(data: bytes) -> Any:
    return unpack(data, max_size=LIMIT)


def refused(data: bytes) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        read(data)
    assert caught.value.code == "malformed"
    return caught.value


# --- round trips


@given(values)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    assert read(pack(value)) == value


@given(values)
def test_types_survive(value: Any) -> None:
    """1, 1.0 and True are equal in Python and three things on the wire."""
    assert pack(read(pack(value))) == pack(value)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_are_the_one_spelling(data: bytes) -> None:
    try:
        value = read(data)
    except RemoteError:
        return
    assert pack(value) == data


@given(values, st.data())
def test_one_altered_byte_is_refused_or_another_value(value: Any, data: st.DataObject) -> None:
    packed = bytearray(pack(value))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(packed))
    except RemoteError:
        return
    assert pack(found) == packed != pack(value)


@given(values, st.integers(1, 20))
def test_cut_off_or_followed_by_more_is_refused(value: Any, count: int) -> None:
    packed = pack(value)
    refused(packed + bytes(count))
    refused(packed[:-count])


# --- other spellings, written by hand from the msgpack specification


def headers(small: int | None, width: int, forms: tuple[tuple[int, int], ...], n: int) -> list[bytes]:
    """Every header that claims `n`: `small` + n below `width`, and (byte, size) forms."""
    found = [bytes([small + n])] if small is not None and n < width else []
    return found + [bytes([first]) + n.to_bytes(size, "big") for first, size in forms if n < 1 << 8 * size]


def spellings(value: Any) -> Iterator[bytes]:
    """All spellings of a scalar, and of a container whose items are in their one spelling."""
    if type(value) is int:
        if value >= 0:
            yield from headers(0x00, 0x80, ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)), value)
        elif value >= -32:
            yield struct.pack("b", value)
        for first, form, bits in ((0xD0, ">b", 8), (0xD1, ">h", 16), (0xD2, ">i", 32), (0xD3, ">q", 64)):
            if -(1 << bits - 1) <= value < 1 << bits - 1:
                yield bytes([first]) + struct.pack(form, value)
    elif type(value) is float:
        yield b"\xcb" + struct.pack(">d", value)
        if math.isinf(value) or abs(value) < 3e38:
            yield b"\xca" + struct.pack(">f", value)
    elif type(value) is str:
        raw = value.encode()
        yield from (h + raw for h in headers(0xA0, 32, ((0xD9, 1), (0xDA, 2), (0xDB, 4)), len(raw)))
    elif type(value) is bytes:
        yield from (h + value for h in headers(None, 0, ((0xC4, 1), (0xC5, 2), (0xC6, 4)), len(value)))
    elif type(value) is list:
        tail = b"".join(map(pack, value))
        yield from (h + tail for h in headers(0x90, 16, ((0xDC, 2), (0xDD, 4)), len(value)))
    elif type(value) is dict:
        tail = b"".join(pack(key) + pack(value[key]) for key in sorted(value))
        yield from (h + tail for h in headers(0x80, 16, ((0xDE, 2), (0xDF, 4)), len(value)))


@given(values)
def test_a_longer_form_is_refused(value: Any) -> None:
    others = [other for other in spellings(value) if other != pack(value)]
    assume(others)
    for other in others:
        refused(other)
        if type(value) is not float:  # inside a list as well as alone
            refused(b"\x91" + other)


@given(values)
def test_the_one_spelling_is_among_all(value: Any) -> None:
    assume(type(value) not in (bool, type(None)))
    assert pack(value) in set(spellings(value))


@pytest.mark.parametrize("number", [0, 31, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, INT_MAX, INT_MIN])
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_at_every_border_have_one_form(number: int, sign: int) -> None:
    value = max(INT_MIN, min(INT_MAX, number * sign))
    taken = [form for form in spellings(value) if form == pack(value)]
    assert taken
    assert read(taken[0]) == value
    for form in spellings(value):
        if form != pack(value):
            refused(form)


# --- what the format can hold and we do not


@pytest.mark.parametrize("data", [b"\xcf" + b"\xff" * 8, b"\xcf\x80" + bytes(7)])
def test_integers_of_more_than_63_bits_are_refused(data: bytes) -> None:
    refused(data)
    refused(b"\x91" + data)
    refused(b"\x81\xa1a" + data)


@pytest.mark.parametrize("value", [INT_MAX + 1, INT_MIN - 1, 1 << 64, 1 << 200])
def test_integers_of_more_than_63_bits_are_not_written(value: int) -> None:
    with pytest.raises(LocalError):
        pack([value])


ODD_FLOATS = [math.nan, math.inf, -math.inf, -0.0]


@pytest.mark.parametrize("value", ODD_FLOATS)
def test_floats_without_one_spelling_are_neither_read_nor_written(value: float) -> None:
    refused(b"\xcb" + struct.pack(">d", value))
    refused(b"\x91\xcb" + struct.pack(">d", value))
    refused(b"\xca" + struct.pack(">f", value))
    with pytest.raises(LocalError):
        pack(value)


def test_nan_with_a_payload_is_refused() -> None:
    for bits in (0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001):
        refused(b"\xcb" + bits.to_bytes(8, "big"))


def test_single_precision_is_refused() -> None:
    refused(b"\xca" + struct.pack(">f", 1.5))


@pytest.mark.parametrize("code", [-128, -2, -1, 0, 1, 127])
@pytest.mark.parametrize("size", [0, 1, 2, 4, 8, 12, 16, 40])
def test_extensions_are_refused(code: int, size: int) -> None:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
    head = bytes([fixed[size]]) if size in fixed else bytes([0xC7, size])
    refused(head + struct.pack("b", code) + bytes(size))


@pytest.mark.parametrize("stamp", [msgpack.Timestamp(0), msgpack.Timestamp(1, 1), msgpack.Timestamp(-1, 0)])
def test_timestamps_are_refused(stamp: msgpack.Timestamp) -> None:
    refused(msgpack.packb(stamp))
    refused(msgpack.packb([stamp]))
    refused(msgpack.packb({"t": stamp}))


def test_the_unused_byte_is_refused() -> None:
    refused(b"\xc1")
    refused(b"\x91\xc1")
    refused(b"")


# --- maps


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\xa1b\x01\xa1a\x02",  # not sorted
        b"\x82\xa1a\x01\xa1a\x01",  # twice the same
        b"\x82\xa1a\x01\xa1a\x02",  # twice, with two values: the last would win silently
        b"\x82\xa2aa\x01\xa1b\x02\xa1c\x03",  # trailing bytes after a sorted map
        b"\x81\x01\x01",  # integer key
        b"\x81\xc4\x01a\x01",  # binary key
        b"\x81\xc0\x01",  # nil key
        b"\x81\xc2\x01",  # false key
        b"\x81\x90\x01",  # list key
        b"\x81\xcb" + struct.pack(">d", 1.5) + b"\x01",
        b"\x82\xa1a\x01\xc4\x01b\x02",
        b"\x82\xa2\xc3\xa9\x01\xa1z\x02",  # é sorts after z in UTF-8
    ],
)
def test_odd_maps_are_refused(data: bytes) -> None:
    refused(data)


def test_map_keys_rise_in_the_order_of_their_bytes() -> None:
    keys = ["", "Z", "a", "aa", "ab", "b", "é", "\uffff", "\U00010000"]
    assert sorted(keys, key=str.encode) == sorted(keys) == keys
    packed = pack(dict.fromkeys(reversed(keys), 1))
    assert list(read(packed)) == keys


def test_keys_that_are_no_text_are_not_written() -> None:
    for key in (1, None, b"a", ("a",)):
        with pytest.raises(LocalError):
            pack({key: 1})


# --- texts


@pytest.mark.parametrize(
    "raw",
    [b"\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\x80"],
    ids=["ff", "overlong 2", "overlong 3", "surrogate", "above 10ffff", "cut off", "lone continuation"],
)
def test_invalid_utf8_is_refused(raw: bytes) -> None:
    refused(bytes([0xA0 + len(raw)]) + raw)
    refused(b"\x81" + bytes([0xA0 + len(raw)]) + raw + b"\x01")


def test_half_a_surrogate_pair_is_not_written() -> None:
    for value in ("\ud800", ["\udfff"], {"\ud83d": 1}, {"a": "\ud83d"}):
        with pytest.raises(LocalError):
            pack(value)


# --- local mistakes


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), bytearray(b"a"), memoryview(b"a"), 1j, range(3), type("S", (str,), {})("a")]
)
def test_other_types_are_not_written(value: Any) -> None:
    with pytest.raises(LocalError):
        pack([value])


# --- bombs: every bound holds before memory is taken


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_is_bounded_alike_for_reader_and_writer() -> None:
    assert read(pack(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(LocalError):
        pack(nested(MAX_DEPTH + 1))
    refused(b"\x91" * MAX_DEPTH + b"\x90")
    refused(b"\x81\xa1a" * MAX_DEPTH + b"\x80")


def test_a_smaller_depth_can_be_asked_for() -> None:
    assert unpack(b"\x91\x90", max_size=10, max_depth=2) == [[]]
    with pytest.raises(RemoteError):
        unpack(b"\x91\x90", max_size=10, max_depth=1)


@pytest.mark.parametrize("unit", [b"\x91", b"\x81\xa1a", b"\x81\xa0", b"\xdd\x00\x00\x00\x01"])
@pytest.mark.parametrize("levels", [17, 512, 1024, 1025, 100_000])
def test_a_depth_bomb_is_refused(unit: bytes, levels: int) -> None:
    refused(unit * levels + b"\xc0")
    refused(unit * levels)


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdc\xff\xff",
        b"\xde\xff\xff",
        b"\xdd\x80\x00\x00\x00" * 1000,
        b"\xdc\x04\x00" * 20_000,  # nested lists, each claiming what is just allowed
        b"\xde\x04\x00\xa1a" * 20_000,
        b"\x91" * 15 + b"\xdd\xff\xff\xff\xff",
    ],
    ids=["list", "map", "text", "bin", "ext", "list16", "map16", "lists", "nested lists", "nested maps", "deep list"],
)
def test_a_length_bomb_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RemoteError):
            read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


def test_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(RemoteError) as caught:
        unpack(b"\xc4\x05hello", max_size=6)
    assert caught.value.fields["limit"] == 6
    assert unpack(b"\xc4\x05hello", max_size=7) == b"hello"


def test_items_are_bounded() -> None:
    data = pack([0] * 20)
    assert unpack(data, max_size=100, max_items=20) == [0] * 20
    with pytest.raises(RemoteError):
        unpack(data, max_size=100, max_items=19)
    with pytest.raises(RemoteError):
        unpack(pack({str(i): i for i in range(20)}), max_size=200, max_items=19)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 64), 1 << 64)
        | st.floats()
        | st.text(max_size=4)
        | st.binary(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_what_is_written_as_it_is_would_be_written_the_same_sorted(value: Any) -> None:
    """The quick way out of `pack` against the plain one."""
    try:
        plain = codec._dump(codec._ordered(value, codec.MAX_DEPTH))
    except (LocalError, UnicodeEncodeError, TypeError):
        with pytest.raises(LocalError):
            codec.pack(value)
        return
    assert codec.pack(value) == plain


def test_one_level_too_deep_is_refused_in_order_or_not() -> None:
    value: Any = 1
    for _ in range(codec.MAX_DEPTH):
        value = [value]
    assert codec.unpack(codec.pack(value), max_size=100) == value
    with pytest.raises(LocalError, match="nested"):
        codec.pack([value])
