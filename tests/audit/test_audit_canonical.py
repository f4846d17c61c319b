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
