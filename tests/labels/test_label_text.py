"""What people type and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.labels import Label, LabelError, banner, parse_label, portion, render_label, shipped_schemes, validate
from rsc_share.labels.shipped import read_label

SCHEMES = shipped_schemes()

TYPED = {
    "REGIONAL RESTRICTED REL TO @members": "REGIONAL RESTRICTED REL TO @members",
    "REGIONAL SECRET REL TO FIN": "REGIONAL SECRET REL TO EST, FIN",
    "regional   top secret crypto,source-sensitive rel to lva ,fin": (
        "REGIONAL TOP SECRET CRYPTO, SOURCE-SENSITIVE REL TO EST, FIN, LVA"
    ),
    "REGIONAL SECRET ORCON PROJECT NORTHWIND, EASTWIND PAP RED REL TO @nordic": (
        "REGIONAL SECRET ORCON PROJECT EASTWIND, NORTHWIND PAP RED REL TO EST, @nordic"
    ),
    "REGIONAL SECRET PROJECT NONE REL TO FIN": "REGIONAL SECRET PROJECT NONE REL TO EST, FIN",
    "REGIONAL SECRET REL TO EST": "REGIONAL SECRET ORIGINATOR ONLY",
    "REGIONAL SECRET ORIGINATOR ONLY": "REGIONAL SECRET ORIGINATOR ONLY",
    "REGIONAL SECRET REL TO @members, FIN": "REGIONAL SECRET REL TO @members",
    "TLP:AMBER+STRICT": "TLP:AMBER+STRICT REL TO @members",
    "TLP: amber rel to @MEMBERS": "TLP:AMBER REL TO @members",
    "TLP:GREEN REL TO @members": "TLP:GREEN REL TO @members",
    "TLP:RED REL TO FIN": "TLP:RED REL TO EST, FIN",
    "TLP:WHITE": "TLP:WHITE REL TO @members",
    "EST RESTRICTED REL TO LVA": "EST RESTRICTED REL TO EST, LVA",
    "EST SECRET REL TO FIN": "EST SECRET REL TO EST, FIN",
    "EST SECRET": "EST SECRET ORIGINATOR ONLY",
    "NATO SECRET": "NATO SECRET REL TO EST, @nato",
    "NATO SECRET REL TO UKR": "NATO SECRET REL TO EST, @nato, UKR",
    "NATO SECRET REL TO LVA, LTU ONLY": "NATO SECRET REL TO EST, LTU, LVA ONLY",
    "NATO COSMIC TOP SECRET ATOMAL ORIGINATOR ONLY": "NATO COSMIC TOP SECRET ATOMAL ORIGINATOR ONLY",
}


@pytest.mark.parametrize("text", TYPED)
def test_label_text_is_read_and_written(text: str) -> None:
    label = read_label(text, originators=["EST"])
    assert render_label(label, SCHEMES) == TYPED[text]
    assert read_label(TYPED[text], originators=["EST"]) == label


def test_nato_releasable_to_adds_and_does_not_narrow() -> None:
    assert read_label("NATO SECRET REL TO UKR").audience == ("@nato", "UKR")
    assert read_label("NATO SECRET REL TO EST, LVA ONLY").audience == ("EST", "LVA")


# text: where it goes wrong (from 0), and something that would be right there
WRONG = {
    "": (0, "REGIONAL"),
    "REGIONL SECRET": (0, "REGIONAL"),
    "REGIONAL": (8, "SECRET"),
    "REGIONAL SECRE REL TO FIN": (9, "SECRET"),
    "REGIONAL SECRETS REL TO FIN": (9, "SECRET"),
    "REGIONAL SECRET": (15, "REL TO"),
    "REGIONAL SECRET FIN": (16, "REL TO"),
    "REGIONAL SECRET SOURCE REL TO FIN": (16, "SOURCE-SENSITIVE"),
    "REGIONAL SECRET PROJECT REL TO FIN": (24, "NORTHWIND"),
    "REGIONAL SECRET PROJECT NORTHWIND PROJECT EASTWIND REL TO FIN": (34, "REL TO"),
    "REGIONAL SECRET REL TO": (22, "@members"),
    "REGIONAL SECRET REL TO FIN,": (27, "@members"),
    "REGIONAL SECRET REL TO F": (23, "@members"),
    "REGIONAL SECRET REL TO FIN LVA": (27, ","),
    "REGIONAL SECRET REL TO FIN ONLY": (27, ","),
    "REGIONAL SECRET REL TO FIN\n": (23, "@members"),
    "REGIONAL SECRET ORIGINATOR ONLY FIN": (32, ","),
    "TLP AMBER": (4, ":"),
    "TLP:RED": (7, "REL TO"),
    "NATO NATO SECRET": (5, "SECRET"),
}


@pytest.mark.parametrize("text", WRONG)
def test_error_says_where_and_what_would_be_right(text: str) -> None:
    position, right = WRONG[text]
    with pytest.raises(LabelError) as caught:
        read_label(text)
    assert caught.value.fields["position"] == position
    assert right in caught.value.fields["expected"]


def test_error_guesses_what_was_meant() -> None:
    with pytest.raises(LabelError, match="did you mean SECRET"):
        read_label("REGIONAL SECRE REL TO FIN")


@pytest.mark.parametrize(
    "text",
    [
        "REGIONAL UNMARKED SOURCE-SENSITIVE REL TO FIN",
        "REGIONAL RESTRICTED CRYPTO REL TO FIN",
        "REGIONAL SECRET PAP RED, GREEN REL TO FIN",
        "TLP:RED REL TO @members",
        "NATO RESTRICTED ATOMAL",
    ],
)
def test_combination_the_scheme_forbids_is_refused(text: str) -> None:
    with pytest.raises(LabelError):
        read_label(text)


def test_obsolete_values_are_read_and_not_written() -> None:
    for text in ("TLP:WHITE", "REGIONAL SECRET LIMITED REL TO FIN"):
        label = read_label(text)
        validate(label, SCHEMES, 0)
        with pytest.raises(LabelError, match="write "):
            validate(label, SCHEMES, 0, writing=True)


def test_markings_come_from_the_scheme() -> None:
    label = read_label("REGIONAL SECRET SOURCE-SENSITIVE REL TO FIN", originators=["EST"])
    assert banner(label, SCHEMES) == "REGIONAL SECRET SOURCE-SENSITIVE REL TO EST, FIN"
    assert portion(label, SCHEMES) == "(R-S//SS)"
    assert banner(read_label("NATO COSMIC TOP SECRET"), SCHEMES) == "COSMIC TOP SECRET REL TO @nato"


MEMBERS = ("EST", "FIN", "LVA", "LTU")


@st.composite
def valid_labels(draw: st.DrawFn) -> Label:
    scheme = SCHEMES[draw(st.sampled_from(sorted(SCHEMES)))]
    tags = {}
    for name, tag in scheme.tags.items():
        values = draw(st.sets(st.sampled_from(sorted(tag.values)), max_size=1 if tag.single else 2))
        if values or (tag.type == "permissive" and draw(st.booleans())):
            tags[name] = values
    label = Label.of(
        scheme.id,
        draw(st.sampled_from(sorted(scheme.levels))),
        tags=tags,
        originators=draw(st.sets(st.sampled_from(MEMBERS), max_size=2)),
        audience=draw(st.sets(st.sampled_from((*MEMBERS, "@nordic", "@nato", "@members")), max_size=3)),
    )
    try:
        validate(label, SCHEMES)
    except LabelError:
        return draw(valid_labels())
    return label


@given(valid_labels())
def test_parse_of_render_is_the_same_label(label: Label) -> None:
    assert parse_label(render_label(label, SCHEMES), SCHEMES, originators=label.originators) == label


WORDS = ["REL", "TO", "SECRET", "REGIONAL", ",", "@", "PROJECT", "NONE", "ONLY", "ß", "TLP:", ""]


@given(st.text(max_size=40) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_parses_or_says_where_it_is_wrong(text: str) -> None:
    try:
        label = read_label(text)
    except LabelError as error:
        position: int = error.fields["position"]
    else:
        position = 0
        assert read_label(render_label(label, SCHEMES)) == label
    assert 0 <= position <= len(text)
