"""What the standard types accept and refuse, and that the schemas in docs/ are theirs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from rsc_share.codec import unpack
from rsc_share.messages import (
    STANDARD,
    Alert,
    Body,
    Indicator,
    RecallCompliance,
    ReleaseRequest,
    ThreatAssessment,
    split,
)
from rsc_share.messages.common import Period, Place, Polygon
from rsc_share.messages.disaster import Area
from rsc_share.messages.examples import EXAMPLES
from rsc_share.messages.schemas import file_name, schema, write
from rsc_share.names import message_type

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"


def test_docs_hold_exactly_the_schemas_of_the_code(tmp_path: Path) -> None:
    write(tmp_path)
    wanted = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert {file.name: file.read_text() for file in SCHEMAS.glob("*.json")} == wanted, "run: make vectors"


@pytest.mark.parametrize("kind", STANDARD, ids=lambda kind: kind.TYPE)
def test_examples_and_what_is_sent_fit_the_schema(kind: type[Body]) -> None:
    described = json.loads(schema(kind))
    Draft202012Validator.check_schema(described)
    validator = Draft202012Validator(described)
    assert described["examples"], "every type has an example"
    for example in described["examples"]:
        validator.validate(example)
        assert kind.model_validate_json(json.dumps(example)).model_dump(mode="json", exclude_none=True) == example
    for body in EXAMPLES:
        if type(body) is kind:
            validator.validate(unpack(split(body, "L")[0].payload, max_size=1 << 20))
    assert not validator.is_valid({})
    assert not validator.is_valid(described["examples"][0] | {"no-such-field": 1})


@pytest.mark.parametrize("kind", STANDARD, ids=lambda kind: kind.TYPE)
def test_every_standard_type_has_a_proper_id_and_an_example(kind: type[Body]) -> None:
    assert message_type(kind.TYPE) == kind.TYPE
    assert file_name(kind).endswith("-1.json")
    assert any(type(body) is kind for body in EXAMPLES)


def test_smallest_bodies() -> None:
    assert Indicator(pattern="p", stix_id="i").pattern_type == "stix"
    assert ThreatAssessment(title="t", text=[]).status == "Actual"


@pytest.mark.parametrize("grade", ["A1", "f6", "b2"])
def test_grade_is_stored_in_capitals(grade: str) -> None:
    assert ThreatAssessment(title="t", grade=grade).grade == grade.upper()


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"grade": "B"},
        {"grade": "G1"},
        {"grade": "B2 "},
        {"grade": "B2\n"},
        {"likelihood": 0},
        {"likelihood": 10_000},
        {"confidence": "medium"},
        {"status": "Real"},
        {"language": "english language"},
        {"places": [{}]},
        {"places": [{"code": "Estonia"}]},
        {"places": [{"geometry": {"type": "Point", "coordinates": [59.4, 124.7]}}]},
        {"period": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}},
        {"period": {"start": "2026-01-02T00:00:00"}},
        {"references": [{"url": "https://example"}]},
    ],
)
def test_threat_assessment_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ThreatAssessment.model_validate_json(json.dumps({"title": "t"} | wrong))


def test_negative_zero_of_a_coordinate_is_zero() -> None:
    ring = [(-0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (-0.0, 0.0)]
    body = ThreatAssessment(title="t", places=[Place(geometry=Polygon(coordinates=[ring]))])
    assert split(body, "L")[0].payload == split(body.model_copy(deep=True), "L")[0].payload


@pytest.mark.parametrize("ring", [[], [(0.0, 0.0)] * 3, [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]])
def test_polygons_close(ring: list[tuple[float, float]]) -> None:
    with pytest.raises(ValidationError):
        Polygon(coordinates=[ring])
    with pytest.raises(ValidationError):
        Area(description="a", polygons=[ring])


def test_periods_may_be_open() -> None:
    assert Period().start is None


def test_times_have_an_offset_of_whole_minutes() -> None:
    for zone in (None, timezone(timedelta(hours=1, seconds=39))):
        with pytest.raises(ValidationError):
            Period(start=datetime(2026, 1, 1, tzinfo=zone))


def test_scope_says_to_whom_and_ceiling_needs_altitude() -> None:
    alert = next(body for body in EXAMPLES if isinstance(body, Alert)).model_dump(mode="json")
    for change in ({"scope": "Restricted"}, {"scope": "Private"}, {"sender": "two words"}, {"message_type": "Warning"}):
        with pytest.raises(ValidationError):
            Alert.model_validate_json(json.dumps(alert | change))
    with pytest.raises(ValidationError):
        Area(description="a", ceiling=3.0)


@pytest.mark.parametrize(
    "message", ["", "EST/mod-1/main/0", "EST/mod-1/main", "est/mod-1/main/1", "EST/mod-1/main/1\n"]
)
def test_control_messages_name_a_message(message: str) -> None:
    with pytest.raises(ValidationError):
        ReleaseRequest(message=message, portion=1, reason="r")


@pytest.mark.parametrize(("outcome", "copies"), [("held", "held"), ("cannot", "none"), ("complied", "held")])
def test_holding_on_needs_a_basis(outcome: Any, copies: Any) -> None:
    with pytest.raises(ValidationError):
        RecallCompliance(message="EST/mod-1/main/1", outcome=outcome, copies=copies)
    assert RecallCompliance(message="EST/mod-1/main/1", outcome=outcome, copies=copies, basis="court order")
