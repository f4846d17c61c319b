"""A body is split by label and put together again, strict when sent and tolerant when received."""

from __future__ import annotations

import copy
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portions_world import CLOSED, OPEN, SECRET, Leg, Voyage, assessment, payloads
from pydantic import ValidationError

from rsc_share.codec import pack, unpack
from rsc_share.errors import LocalError, RemoteError
from rsc_share.messages import (
    STANDARD,
    Body,
    Indicator,
    Portion,
    Registry,
    ThreatAssessment,
    UnknownMessage,
    Withheld,
    assemble,
    portion_count,
    split,
)
from rsc_share.messages.examples import EXAMPLES


def test_portion_zero_keeps_marks_and_no_values() -> None:
    first, second, third = split(
        ThreatAssessment(title="t", text=[Portion("General warning.", OPEN), Portion(SECRET, CLOSED)]), OPEN
    )
    assert (first.label, second.label, third.label) == (OPEN, OPEN, CLOSED)
    assert unpack(first.payload, max_size=4096)["text"] == [{"$portion": 1}, {"$portion": 2}]
    assert SECRET.encode() not in first.payload + second.payload
    assert CLOSED.encode() not in first.payload + second.payload + third.payload
    assert unpack(third.payload, max_size=100) == SECRET


def test_portion_without_label_takes_that_of_the_message() -> None:
    assert [draft.label for draft in split(ThreatAssessment(title="t", text=[Portion("x")]), CLOSED)] == [CLOSED] * 2


def test_reader_gets_withheld_with_place_and_originators() -> None:
    have = payloads(assessment("one", SECRET, "three"))
    del have[2]
    body = assemble(ThreatAssessment, have, 3, {2: ["EST"]}, {})
    match body.text:
        case [Portion("one", None), Withheld(2, ("EST",)), Portion("three", None)]:
            pass
        case other:
            pytest.fail(repr(other))


def test_labels_of_received_portions_come_from_headers() -> None:
    label: Any = object()
    body = assemble(ThreatAssessment, payloads(assessment("one")), 1, {}, {1: label})
    assert isinstance(body.text[0], Portion)
    assert body.text[0].label is label


labels = st.sampled_from([OPEN, CLOSED, None])
voyages = st.builds(
    Voyage,
    ship=st.builds(Portion, st.text(max_size=20), labels),
    legs=st.lists(
        st.builds(
            Portion,
            st.builds(Leg, port=st.text(max_size=9), at=st.datetimes(timezones=st.just(UTC))),
            labels,
        ),
        max_size=5,
    ),
    by_port=st.dictionaries(
        st.text(max_size=5), st.builds(Portion, st.integers(-(2**63), 2**63 - 1), labels), max_size=4
    ),
    speed=st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    chart=st.binary(max_size=40),
)


def every_portion(body: Voyage) -> list[Portion[Any] | Withheld]:
    return [body.ship, *body.legs, *body.by_port.values()]


@given(voyages, st.sets(st.integers(1, 10)))
def test_split_and_assemble_are_inverse_for_whatever_one_may_read(body: Voyage, hidden: set[int]) -> None:
    drafts = split(body, OPEN)
    have = {index: draft.payload for index, draft in enumerate(drafts) if index not in hidden}
    back = assemble(Voyage, have, len(drafts) - 1, dict.fromkeys(hidden, ("EST",)), {})
    assert (back.speed, back.chart, back.ship.__class__) == (
        body.speed,
        body.chart,
        Withheld if 1 in hidden else Portion,
    )
    # maps are sorted on the wire: portions of a dict are compared by key
    pairs = list(zip([body.ship, *body.legs], [back.ship, *back.legs], strict=True))
    pairs += [(body.by_port[key], back.by_port[key]) for key in body.by_port]
    assert portion_count(drafts[0].payload) == len(pairs)
    for sent, got in pairs:
        if isinstance(got, Withheld):
            assert got.index in hidden
        else:
            assert isinstance(sent, Portion)
            assert got.value == sent.value
    assert sum(isinstance(item, Withheld) for item in every_portion(back)) == len(hidden & set(range(1, len(drafts))))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda body: body.TYPE)
def test_every_standard_type_survives_the_wire(example: Body) -> None:
    back = Registry(STANDARD).read(example.TYPE, payloads(example), None, {}, {})
    assert payloads(back) == payloads(example)
    assert isinstance(example, ThreatAssessment) or back == example


# --- strict when sent, tolerant when received


def test_unknown_field_is_refused_when_written() -> None:
    with pytest.raises(ValidationError):
        Indicator(pattern="p", stix_id="i", colour="red")  # type: ignore[call-arg]


def test_unknown_field_is_kept_when_read_and_cannot_be_sent_on() -> None:
    value = unpack(payloads(Indicator(pattern="p", stix_id="i"))[0], max_size=4096)
    value["kill_chain"] = [{"kill_chain": "k", "phase": "p", "since": 3}]
    body = assemble(Indicator, {0: pack(value | {"colour": "red"})}, None, {}, {})
    assert body.model_extra == {"colour": "red"}
    assert body.kill_chain[0].model_extra == {"since": 3}
    with pytest.raises(LocalError, match="colour"):
        split(body, OPEN)
    inner = assemble(Indicator, {0: pack(value)}, None, {}, {})
    with pytest.raises(LocalError, match="since"):
        split(inner, OPEN)


def test_portion_of_a_newer_version_is_kept_beside_the_others() -> None:
    value = unpack(payloads(assessment("one"))[0], max_size=4096)
    body = assemble(
        ThreatAssessment, {0: pack(value | {"annex": {"$portion": 2}}), 1: pack("one"), 2: pack("new")}, 2, {}, {}
    )
    assert body.model_extra == {"annex": {"$portion": 2, "value": "new"}}


def test_unknown_type_keeps_its_bytes() -> None:
    have = {0: pack({"a": {"$portion": 1}}), 1: b"\xc1 not even msgpack"}
    body = Registry(STANDARD).read("ee.mod.drone/sighting/1", have, 1, {}, {})
    assert isinstance(body, UnknownMessage)
    assert (body.type, body.payload, body.portions) == ("ee.mod.drone/sighting/1", have[0], {1: have[1]})
    with pytest.raises(LocalError):
        split(body, OPEN)


def test_numbers_are_not_taken_for_text_or_text_for_numbers() -> None:
    for bad in ({"likelihood": "5"}, {"likelihood": 5.0}, {"likelihood": True}, {"title": 5}):
        with pytest.raises(RemoteError):
            assemble(ThreatAssessment, {0: pack({"title": "t", "text": []} | bad)}, None, {}, {})


def test_portions_are_values() -> None:
    portion = Portion("x", CLOSED)
    assert {portion: 1}[Portion("x", CLOSED)] == 1
    assert copy.copy(portion) == copy.deepcopy(portion) == portion
    assert portion != Portion("x", OPEN)
    with pytest.raises(AttributeError):
        portion.label = OPEN  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ThreatAssessment(title="t", text=["no portion"])  # type: ignore[list-item]
