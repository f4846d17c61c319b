"""The quick writer of canonical JSON says what `json.dumps` says."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.audit import canonical, manifest_form
from rsc_share.audit.manifest_form import WrittenLine, WrittenManifest, WrittenSeal, WrittenStatement
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


digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
lines = st.builds(WrittenLine, st.integers(0, 1 << 40), st.text("ab/\\é\n\x7f\ud800", min_size=1, max_size=5), digests)
statements = st.builds(
    WrittenStatement,
    by=st.text(min_size=1, max_size=5),
    exported_at=st.integers(0, 1 << 40),
    files=st.lists(lines, max_size=3).map(tuple),
    format=st.just(manifest_form.FORMAT),
    framework_id=digests,
    tool=st.just("t"),
    view=st.text(max_size=3),
)
seals = st.none() | st.builds(WrittenSeal, digests, digests, st.integers(0, 255))


@given(statements, digests, seals, st.data())
def test_a_manifest_that_is_read_quickly_is_the_one_spelling(
    said: WrittenStatement, checksum: str, seal: WrittenSeal | None, data: st.DataObject
) -> None:
    """Against the plain way: JSON, spelled again by the slow writer, then the form."""
    whole = manifest_form.spell(said.sealed(checksum, seal))
    assert whole == canonical.encode(json.loads(whole))
    assert manifest_form.spell(said) == canonical.encode(
        {key: item for key, item in json.loads(whole).items() if key not in ("checksum", "signature")}
    )
    assert b"".join(manifest_form.statement_in(whole)) == manifest_form.spell(said)
    text = bytearray(whole)
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.sampled_from([*b'0-1.e "\n{}[],:az\\\x7f\x00\xc3']))
    text[at : at + data.draw(st.integers(0, 1))] = bytes([byte][: data.draw(st.integers(0, 1))])
    altered = bytes(text)
    try:
        value = json.loads(altered.decode("ascii"))
        msgspec.convert(value, WrittenManifest)
        right = canonical.encode(value) == altered
    except (ValueError, LocalError):
        right = False
    try:
        found = manifest_form.read(altered)
    except RemoteError:
        assert not right, altered
    else:
        assert right, altered
        assert manifest_form.spell(found) == altered
