"""Bodies that cannot be sent or made: a local mistake is said at once, and where."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from portions_world import CLOSED, OPEN, assessment, payloads
from pydantic import ValidationError

from rsc_share.errors import LocalError
from rsc_share.labels.label import Label
from rsc_share.messages import (
    STANDARD,
    Body,
    Indicator,
    Portion,
    Registry,
    ThreatAssessment,
    Withheld,
    assemble,
    split,
)
from rsc_share.messages.portions import MAX_PAYLOAD, MAX_PORTIONS


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
        ([0] * 5000, "more of it than is allowed"),
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
