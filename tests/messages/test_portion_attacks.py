"""Attacks on the marks of portions fail, and nothing of what was read leaks into logs or errors."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portions_world import CLOSED, OPEN, SECRET, Voyage, assessment, payloads
from pydantic import ValidationError
from rich.console import Console

from rsc_share.codec import pack, unpack
from rsc_share.errors import RemoteError
from rsc_share.messages import (
    Indicator,
    Portion,
    ThreatAssessment,
    UnknownMessage,
    assemble,
    portion_count,
    split,
)
from rsc_share.messages.portions import MAX_PAYLOAD, MAX_PORTIONS


def test_sender_cannot_put_a_value_under_a_label_of_his_choice_into_portion_zero() -> None:
    frame = pack({"title": "t", "text": [{"label": "TLP:CLEAR", "value": SECRET}]})
    with pytest.raises(RemoteError, match="portion mark") as caught:
        assemble(ThreatAssessment, {0: frame}, None, {}, {})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        [{"$portion": 1, "value": "x"}],
        [{"$portion": 0}],
        [{"$portion": 2}],
        [{"$portion": 1}, {"$portion": 1}],
        [{"$portion": 1}, {"$portion": 3}],
        [{"$portion": -1}],
        [{"$portion": "1"}],
        [{"$portion": True}],
        [{"$portion": 1.0}],
        [{"$portion": None}],
        [{"$portion": 1, "x": 1}],
        [{"$portion": i} for i in range(1, MAX_PORTIONS + 2)],
    ],
)
def test_marks_that_split_never_writes_are_refused(text: list[Any]) -> None:
    with pytest.raises(RemoteError):
        assemble(ThreatAssessment, {0: pack({"title": "t", "text": text}), 1: pack("x")}, None, {}, {})


words = st.sampled_from(["$portion", "$Portion", "a $portion b", "x"])
frames = st.recursive(
    st.integers(0, 2) | words | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=2),
    max_leaves=12,
)


@given(frames)
def test_a_mark_is_found_wherever_it_stands_and_a_text_that_speaks_of_one_is_none(frame: Any) -> None:
    marked = [item for item in inside(frame) if type(item) is dict and "$portion" in item]
    numbers = [item["$portion"] for item in marked]
    plain = all(len(item) == 1 and type(item["$portion"]) is int for item in marked)
    if plain and sorted(numbers) == list(range(1, len(numbers) + 1)):
        assert portion_count(pack(frame)) == len(numbers)
    else:
        with pytest.raises(RemoteError):
            portion_count(pack(frame))


def inside(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    for item in inner:
        yield from inside(item)


@pytest.mark.parametrize("total", [0, 1, 3])
def test_number_of_portions_must_be_that_of_portion_zero(total: int) -> None:
    with pytest.raises(RemoteError, match="portions"):
        assemble(ThreatAssessment, payloads(assessment("a", "b")), total, {}, {})


def test_portion_that_no_mark_names_is_refused() -> None:
    with pytest.raises(RemoteError, match="portions"):
        assemble(ThreatAssessment, payloads(assessment("a")) | {2: pack("stray")}, None, {}, {})


def test_portions_without_portion_zero_wait() -> None:
    with pytest.raises(RemoteError, match="portion 0"):
        assemble(ThreatAssessment, {1: pack("x")}, 1, {}, {})


def test_two_portions_cannot_change_places_across_types() -> None:
    have = payloads(Voyage(ship=Portion("MV Example"), by_port={"TLL": Portion(3)}))
    have[1], have[2] = have[2], have[1]
    with pytest.raises(RemoteError) as caught:
        assemble(Voyage, have, None, {}, {})
    assert "MV Example" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\xc0",
        b"\x81\xa5title\xd9\x01t",  # not the shortest spelling
        pack({"title": 1, "text": []}),
        pack({"title": "t", "text": [b"bin"]}),
        pack([]),
        pack("x"),
        b"\x91" * 40 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",  # claims four thousand million items
        b"\xc4" + b"\x00" * (MAX_PAYLOAD + 1),
    ],
)
def test_foreign_bytes_parse_or_raise_one_error(data: bytes) -> None:
    with pytest.raises(RemoteError):
        assemble(ThreatAssessment, {0: data}, None, {}, {})


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_raise_one_error(data: bytes) -> None:
    for kind in (ThreatAssessment, Indicator, Voyage):
        try:
            back = assemble(kind, {0: data}, None, {}, {})
        except RemoteError:
            continue
        assert back.TYPE == kind.TYPE


def test_validation_errors_never_quote_what_they_read() -> None:
    with pytest.raises(RemoteError) as caught:
        assemble(Indicator, {0: pack({"pattern": {"deep": SECRET}, "stix_id": "i"})}, None, {}, {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValidationError) as local:
        Indicator(pattern=[SECRET], stix_id="i")  # type: ignore[arg-type]
    assert SECRET not in str(local.value)


def test_map_keys_of_a_sender_do_not_reach_logs() -> None:
    evil = "key\nERROR all is well"
    value = unpack(payloads(Voyage(ship=Portion("x")))[0], max_size=4096) | {"by_port": {evil: 5}}
    with pytest.raises(RemoteError) as caught:
        assemble(Voyage, {0: pack(value), 1: pack("x")}, None, {}, {})
    assert str(caught.value).startswith("int.example.navy/voyage/1: by_port: ")
    assert "ERROR" not in str(caught.value)


# --- nothing in logs


def test_repr_str_and_rich_show_no_content() -> None:
    body = ThreatAssessment(title=SECRET, summary=SECRET, text=[Portion(SECRET, CLOSED)])
    console = Console(file=StringIO(), width=200)
    console.print(body, body.text, split(body, OPEN))
    shown = console.file.getvalue() + repr(body) + str(body) + repr(body.text) + repr(split(body, OPEN))  # type: ignore[attr-defined]
    assert SECRET not in shown
    assert CLOSED in repr(body.text)
    unknown = UnknownMessage(type="a/b/1", payload=SECRET.encode())
    assert SECRET not in repr(unknown) + str(unknown)
    assert "a/b/1" in repr(unknown)
