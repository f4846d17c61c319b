"""A label has one spelling; whatever else somebody sends is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share import codec
from rsc_share.errors import RemoteError, RscError
from rsc_share.labels import Label, LabelError
from rsc_share.value import replace

GOOD: dict[str, Any] = Label.of(
    "REGIONAL",
    "TOP SECRET",
    tags={"caveat": ["SOURCE-SENSITIVE", "CRYPTO"], "project": []},
    originators=["EST", "LVA"],
    audience=["FIN", "@nordic"],
    created=1,
    review=2,
).wire()

DAMAGE = {
    "no_audience": lambda w: w.pop("audience"),
    "audience_nil": lambda w: w.update(audience=None),
    "unknown_key": lambda w: w.update(exercise=False),
    "audience_not_sorted": lambda w: w["audience"].reverse(),
    "audience_twice": lambda w: w.update(audience=["FIN", "FIN"]),
    "somebody_beside_everybody": lambda w: w.update(audience=["@members", "FIN"]),
    "sole_originator_listed": lambda w: w.update(originators=["FIN"]),
    "lower_case_member": lambda w: w.update(audience=["fin"]),
    "empty_group": lambda w: w.update(audience=["@"]),
    "level_lower_case": lambda w: w.update(level="secret"),
    "level_with_newline": lambda w: w.update(level="SECRET\n"),
    "level_empty": lambda w: w.update(level=""),
    "scheme_number": lambda w: w.update(scheme=1),
    "tags_as_list": lambda w: w.update(tags=[]),
    "tag_values_not_sorted": lambda w: w["tags"]["caveat"].reverse(),
    "tag_value_arabic_digit": lambda w: w["tags"].update(caveat=["A٣"]),
    "tag_name_capital": lambda w: w["tags"].update(Caveat=["A"]),
    "too_many_tags": lambda w: w.update(tags={f"t{i}": ["A"] for i in range(17)}),
    "too_many_readers": lambda w: w.update(audience=sorted(f"A{i:04}" for i in range(513))),
    "review_negative": lambda w: w.update(review=-1),
    "review_float": lambda w: w.update(review=1.0),
    "successor_of_successor": lambda w: w.update(successor={**GOOD, "successor": dict(GOOD)}),
    "successor_text": lambda w: w.update(successor="NONE"),
}


def test_wire_form_round_trips_and_has_one_digest() -> None:
    label = Label.from_wire(GOOD)
    assert label.wire() == GOOD
    assert Label.from_wire(codec.unpack(codec.pack(GOOD), max_size=1000)).digest == label.digest
    assert replace(label, created=7).core == label.core
    assert replace(label, created=7).digest != label.digest


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_wire_form_is_refused(name: str) -> None:
    wire = codec.unpack(codec.pack(GOOD), max_size=1000)
    DAMAGE[name](wire)
    with pytest.raises(RemoteError):
        Label.from_wire(wire)


def test_successor_is_kept() -> None:
    after = Label.of("REGIONAL", "RESTRICTED", originators=["EST"])
    label = Label.of("REGIONAL", "SECRET", originators=["EST"], review=5, successor=after)
    assert Label.from_wire(label.wire()).successor == after


def test_sole_originator_is_not_listed_and_returns_when_another_joins() -> None:
    alone = Label.of("REGIONAL", "SECRET", originators=["EST"], audience=["EST", "FIN"])
    assert alone.audience == ("FIN",)
    assert alone.made_by(["EST", "LVA"]).audience == ("EST", "FIN")
    assert Label.of("REGIONAL", "SECRET", audience=["EST", "FIN"]).made_by(["EST"]) == alone


def test_wrong_values_of_ones_own_are_local_errors() -> None:
    with pytest.raises(LabelError):
        Label.of("REGIONAL", "secret")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING))
def test_whatever_parses_is_spelled_the_same(changes: dict[str, Any]) -> None:
    wire = {**GOOD, **changes}
    try:
        label = Label.from_wire(wire)
    except RemoteError:
        return
    assert codec.pack(label.wire()) == codec.pack(wire)


@given(ANYTHING)
def test_parser_raises_nothing_but_its_own_error(value: Any) -> None:
    with pytest.raises(RscError):
        Label.from_wire(value)
