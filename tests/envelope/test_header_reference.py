"""The typed form of a header and the rules read aloud say the same about every input."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import reference_header
from test_envelope_bytes import VALUES, parsers

from rsc_share import codec
from rsc_share.envelope.contents import READERS
from rsc_share.envelope.header import KEYS, KINDS, Header
from rsc_share.errors import LocalError, RemoteError


def verdict(read: object, raw: bytes) -> str:
    try:
        read(raw)  # type: ignore[operator]
    except RemoteError as error:
        return error.code
    return "taken"


def same(raw: bytes) -> str:
    found = verdict(Header.parse, raw)
    assert found == verdict(reference_header.check, raw)
    return found


def test_every_kind_has_a_reader_of_its_content() -> None:
    assert set(KINDS) == {"message", *READERS}


def test_what_is_a_header_is_one_by_both() -> None:
    for raw in parsers()["header"].valid:
        assert same(raw) == "taken"


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_one_value_turned_into_another(data: st.DataObject) -> None:
    value = codec.unpack(data.draw(st.sampled_from(parsers()["header"].valid)), max_size=65_000)
    where, key = value, data.draw(st.sampled_from(KEYS))
    while isinstance(where[key], list | dict) and where[key] and data.draw(st.booleans()):
        where = where[key]
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
    where[key] = data.draw(VALUES)
    try:
        raw = codec.pack(value)
    except LocalError:
        return
    same(raw)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_keys_dropped_added_and_moved(data: st.DataObject) -> None:
    value = codec.unpack(data.draw(st.sampled_from(parsers()["header"].valid)), max_size=65_000)
    maps = [value, *(item for item in (value["refs"], value["label"], value["content"], *value["parts"]) if item)]
    chosen = data.draw(st.sampled_from([item for item in maps if isinstance(item, dict)]))
    if data.draw(st.booleans()):
        chosen.pop(data.draw(st.sampled_from(sorted(chosen))))
    if data.draw(st.booleans()):
        chosen[data.draw(st.text(max_size=12))] = data.draw(VALUES)
    try:
        raw = codec.pack(value)
    except LocalError:
        return
    same(raw)


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_bytes_changed(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(parsers()["header"].valid)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    same(bytes(raw))
