"""A body is split by label and put together again; attacks on the marks fail; nothing leaks into logs."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError
from rich.console import Console

from rsc_share.codec import pack, unpack
from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels.label import Label
from rsc_share.messages import (
    STANDARD,
    Body,
    Element,
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
from rsc_share.messages.portions import MAX_PAYLOAD, MAX_PORTIONS

SECRET = "the-source-is-the-harbour-master"
OPEN, CLOSED = "REGIONAL RESTRICTED REL TO @members", "REGIONAL SECRET REL TO FIN"


class Leg(Element):
    port: str
    at: datetime


class Voyage(Body):
    TYPE: ClassVar[str] = "int.example.navy/voyage/1"

    ship: Portion[str] | Withheld
    legs: list[Portion[Leg] | Withheld] = Field(default_factory=list)
    by_port: dict[str, Portion[int] | Withheld] = Field(default_factory=dict)
    speed: float = 0.0
    chart: bytes = b""


def payloads(body: Body) -> dict[int, bytes]:
    return {index: draft.payload for index, draft in enumerate(split(body, OPEN))}


def assessment(*texts: str) -> ThreatAssessment:
    return ThreatAssessment(title="Ferries", text=[Portion(text, CLOSED) for text in texts])


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


# --- attacks


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


# --- local mistakes


def test_withheld_cannot_be_built_or_sent_on() -> None:
    with pytest.raises(LocalError):
        Withheld(1, ("EST",))
    body = assemble(ThreatAssessment, {0: payloads(assessment("x"))[0]}, 1, {1: ["EST"]}, {})
    with pytest.raises(LocalError, match="withheld"):
        split(body, OPEN)


def test_received_body_can_be_kept_as_json_with_its_labels() -> None:
    label = Label.of("REGIONAL", "SECRET", originators=["EST"], audience=["FIN"])
    body = assemble(ThreatAssessment, payloads(assessment("one")), 1, {}, {1: label})
    assert ThreatAssessment.model_validate_json(body.model_dump_json()) == body
    with pytest.raises(ValidationError, match="label"):
        ThreatAssessment.model_validate_json('{"title": "t", "text": [{"value": "x", "label": {"level": "SECRET"}}]}')
    with pytest.raises(ValidationError, match="label"):
        ThreatAssessment(title="t", text=[Portion("x", 5)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ['{"$portion": 1}', '{"$portion": 1, "value": "x"}', '{"value": "x", "extra": 1}', '"bare text"', '{"label": "x"}'],
)
def test_marks_are_not_written_by_hand(text: str) -> None:
    with pytest.raises(ValidationError):
        ThreatAssessment.model_validate_json(f'{{"title": "t", "text": [{text}]}}')


def test_author_writes_portions_in_a_json_file() -> None:
    body = ThreatAssessment.model_validate_json(f'{{"title": "t", "text": [{{"value": "x", "label": "{CLOSED}"}}]}}')
    assert body.text == [Portion("x", CLOSED)]
    assert ThreatAssessment.model_validate_json(body.model_dump_json()) == body


class Loose(Body):
    TYPE: ClassVar[str] = "int.example.navy/loose/1"

    value: Any


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1.0, -0.0]}, ".value.a[1]"),
        ({"a": float("nan")}, ".value.a"),
        (float("inf"), ".value"),
        (2**64, "64 bits"),
        ("\ud800", "surrogate"),
        ([0] * 5000, "exceeds"),
        ("x" * (MAX_PAYLOAD + 1), "bytes"),
        ({"$portion": 1}, "$portion"),
    ],
)
def test_what_the_wire_cannot_hold_is_a_local_error_that_says_where(value: Any, place: str) -> None:
    with pytest.raises(LocalError) as caught:
        split(Loose(value=value), OPEN)
    assert place in str(caught.value)


def test_deep_values_are_a_local_error() -> None:
    value: Any = 0
    for _ in range(40):
        value = [value]
    with pytest.raises(LocalError):
        split(Loose(value=value), OPEN)


def test_more_portions_than_a_signature_covers_are_a_local_error() -> None:
    with pytest.raises(LocalError, match="256 portions"):
        split(assessment(*["x"] * (MAX_PORTIONS + 1)), OPEN)


def test_two_classes_cannot_claim_one_type() -> None:
    class Other(Body):
        TYPE: ClassVar[str] = Indicator.TYPE

    with pytest.raises(LocalError, match="two classes"):
        Registry((*STANDARD, Other))
    assert len(Registry((Indicator, Indicator))) == 1


def test_type_ids_are_checked_when_the_class_is_made() -> None:
    with pytest.raises(LocalError, match="TYPE"):

        class Wrong(Body):
            TYPE: ClassVar[str] = "Threat/Assessment"

    class Base(Body):
        pass

    with pytest.raises(LocalError, match="no TYPE"):
        Registry((Base,))


def test_registry_is_a_set_of_types() -> None:
    registry = Registry(STANDARD)
    assert Indicator.TYPE in registry
    assert list(registry) == list(STANDARD)
    assert registry.get("x/y/1") is None


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


def test_portions_are_values() -> None:
    portion = Portion("x", CLOSED)
    assert {portion: 1}[Portion("x", CLOSED)] == 1
    assert copy.copy(portion) == copy.deepcopy(portion) == portion
    assert portion != Portion("x", OPEN)
    with pytest.raises(AttributeError):
        portion.label = OPEN  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ThreatAssessment(title="t", text=["no portion"])  # type: ignore[list-item]
