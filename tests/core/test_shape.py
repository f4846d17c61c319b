"""The small readers: exact types, bounds on both ends, and a message that names the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share import shape
from rsc_share.errors import RemoteError


class Impostor(int):
    """Equal to a number and not one."""


def refused(read: Callable[..., Any], value: Any, *args: Any, **bounds: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        read(value, "here", *args, **bounds)
    assert caught.value.code == "malformed"
    assert str(caught.value.fields["where"]).startswith("here")
    assert str(caught.value).startswith("here")


anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.integers())
)


@given(anything)
def test_a_reader_returns_its_own_type_or_refuses(value: Any) -> None:
    readers: list[tuple[Callable[..., Any], type]] = [
        (shape.integer, int), (shape.flag, bool), (shape.text, str), (shape.blob, bytes), (shape.items, list),
    ]  # fmt: skip
    for read, kind in readers:
        try:
            found = read(value, "here")
        except RemoteError:
            continue
        assert type(found) is kind
        assert found is value


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, b"\x01", [1], Impostor(1)])
def test_only_whole_numbers_are_whole_numbers(value: Any) -> None:
    refused(shape.integer, value)


def test_bounds_of_numbers_are_both_inside() -> None:
    assert [shape.integer(n, "here", low=1, high=3) for n in (1, 2, 3)] == [1, 2, 3]
    for n in (0, 4, -1, 1 << 64):
        refused(shape.integer, n, low=1, high=3)
    refused(shape.integer, -1)
    refused(shape.integer, 1 << 63)


@pytest.mark.parametrize("value", [0, 1, None, "true"])
def test_a_flag_is_true_or_false(value: Any) -> None:
    refused(shape.flag, value)


@pytest.mark.parametrize("char", [chr(n) for n in (*range(32), 127)])
def test_text_holds_no_control_characters(char: str) -> None:
    refused(shape.text, f"a{char}b")
    refused(shape.text, char)


@pytest.mark.parametrize("value", ["", "a", "Ä ö", "日本", "a" * 255, "\U0001f600"])
def test_plain_text_is_taken(value: str) -> None:
    assert shape.text(value, "here") == value


def test_text_is_bounded_in_characters() -> None:
    refused(shape.text, "a" * 256)
    refused(shape.text, "", low=1)
    refused(shape.text, b"a")


def test_bytes_are_bounded_or_of_one_size() -> None:
    assert shape.blob(b"ab", "here", size=2) == b"ab"
    refused(shape.blob, b"a", size=2)
    refused(shape.blob, b"abc", size=2)
    refused(shape.blob, b"", low=1)
    refused(shape.blob, bytes(65_536))
    refused(shape.blob, "ab", size=2)
    refused(shape.blob, bytearray(2), size=2)


def test_lists_are_lists() -> None:
    assert shape.items([1], "here") == [1]
    refused(shape.items, (1,))
    refused(shape.items, [1, 2], high=1)
    refused(shape.items, [], low=1)
    refused(shape.row, [1, 2], 3)
    refused(shape.row, (1, 2, 3), 3)
    refused(shape.row, {1: 2}, 1)


def test_a_closed_map_has_exactly_its_keys() -> None:
    assert shape.closed({"a": 1, "b": None}, "here", ("a", "b")) == {"a": 1, "b": None}
    refused(shape.closed, {"a": 1}, ("a", "b"))
    refused(shape.closed, {"a": 1, "b": 2, "c": 3}, ("a", "b"))
    refused(shape.closed, [("a", 1)], ("a",))
    refused(shape.closed, {}, ("a",))


def test_a_closed_map_says_little_about_a_flood_of_keys() -> None:
    with pytest.raises(RemoteError) as caught:
        shape.closed({f"key {n}" * 50: n for n in range(500)}, "here", ("a",))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [True, 1.0, ["a"], None, {}, "A", 3])
def test_a_choice_is_one_of_the_allowed_and_of_their_type(value: Any) -> None:
    refused(shape.choice, value, ("a", 1, 2))


def test_a_choice_is_returned() -> None:
    assert shape.choice("a", "here", {"a", "b"}) == "a"
    assert shape.choice(1, "here", (1, 2)) == 1


def test_nil_is_nil_and_nothing_else_is() -> None:
    assert shape.maybe(shape.integer, None, "here") is None
    for value in ("", b"", [], {}, False):
        refused(lambda v, w: shape.maybe(shape.integer, v, w), value)


def test_each_names_the_item() -> None:
    assert shape.each(shape.integer, [1, 2], "here", low=1) == [1, 2]
    with pytest.raises(RemoteError, match=r"here\[2\]"):
        shape.each(shape.text, ["a", "b", 3], "here")


@given(st.lists(st.integers(0, 5), max_size=6))
def test_ascending_means_a_sorted_set(values: list[int]) -> None:
    if values == sorted(set(values)):
        shape.ascending(values, "here")
    else:
        with pytest.raises(RemoteError):
            shape.ascending(values, "here")
