"""The quick writer of canonical JSON says what `json.dumps` says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.audit import canonical
from rsc_share.errors import LocalError, RemoteError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_it_spells_as_the_standard_library_does(value: object) -> None:
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    assert canonical.encode(value) == text.encode()
    assert canonical.decode(text.encode(), "manifest") == value


@pytest.mark.parametrize("value", [1.5, {1: 2}, b"a", {"a": {None: 1}}, object()])
def test_what_it_cannot_spell_is_refused(value: object) -> None:
    with pytest.raises(LocalError):
        canonical.encode(value)


@pytest.mark.parametrize(
    "data", [b"1.5\n", b"NaN\n", b"{}", b"{ }\n", b'{"b": 1,\n "a": 2}\n', b"[" * 100_000, b"\xff"]
)
def test_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteError):
        canonical.decode(data, "manifest")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii"), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(plain, st.data())
def test_what_is_read_quickly_is_the_one_spelling(value: object, data: st.DataObject) -> None:
    """One byte altered, left out or put in: taken if and only if it is what the slow writer says of its value."""
    text = bytearray(canonical.encode(value))
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.sampled_from([*b'0-1.e "\n{}[],:az\\\x7f\x00\xc3']))
    text[at : at + data.draw(st.integers(0, 1))] = bytes([byte][: data.draw(st.integers(0, 1))])
    altered = bytes(text)
    try:
        right = canonical.encode(json.loads(altered.decode("ascii"))) == altered
    except (ValueError, LocalError):
        right = False
    try:
        canonical.decode(altered, "manifest")
    except RemoteError:
        assert not right, altered
    else:
        assert right, altered


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_a_seal_covers_the_other_keys(value: dict[str, object]) -> None:
    whole = canonical.encode({**value, "seal": "x"})
    assert canonical.without(canonical.decode(whole, "m"), whole, "seal") == canonical.encode(
        {key: item for key, item in value.items() if key != "seal"}
    )
