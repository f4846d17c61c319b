"""Laws of join and dominates, on random valid labels of a scheme with every kind of tag."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.labels import Label, LabelError, SchemeSet, dominates, join, load_scheme, readers, shipped_schemes

TOML = b"""
scheme = "ALPHA"
title = "laws"
version = 1
[[level]]
name = "LOW"
[[level]]
name = "MIDDLE"
[[level]]
name = "HIGH"
[[tag]]
name = "caveat"
type = "restrictive"
[[tag.value]]
name = "A"
[[tag.value]]
name = "B"
[[tag]]
name = "project"
type = "permissive"
prefix = "PROJECT"
[[tag.value]]
name = "P"
[[tag.value]]
name = "Q"
[[tag]]
name = "orcon"
type = "informative"
originator_control = true
[[tag.value]]
name = "ORCON"
[[tag]]
name = "pap"
type = "handling"
prefix = "PAP"
[[tag.value]]
name = "GREEN"
[[tag.value]]
name = "RED"
"""
SCHEMES = SchemeSet([load_scheme(TOML, "alpha.toml")])
LEVELS = ("LOW", "MIDDLE", "HIGH")
MEMBERS = ("EST", "FIN", "LVA")
NOW = 1_790_000_000_000
FEW = settings(max_examples=50)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    tags = {}
    for name, values in {"caveat": "AB", "orcon": ("ORCON",), "pap": ("GREEN", "RED")}.items():
        chosen = draw(st.sets(st.sampled_from(values), max_size=2 if name == "caveat" else 1))
        if chosen:
            tags[name] = chosen
    if draw(st.booleans()):
        tags["project"] = draw(st.sets(st.sampled_from("PQ")))
    return Label.of(
        "ALPHA",
        draw(st.sampled_from(LEVELS)),
        tags=tags,
        originators=draw(st.sets(st.sampled_from(MEMBERS), min_size=1, max_size=2)),
        audience=draw(st.sets(st.sampled_from((*MEMBERS, "@east", "@members")), max_size=3)),
        review=draw(st.none() | st.integers(0, 3)),
        created=draw(st.none() | st.integers(0, 3)),
    )


def both(a: Label, b: Label) -> Label:
    return join(a, b, SCHEMES, NOW)


@FEW
@given(labels(), labels(), labels())
def test_join_is_commutative_associative_idempotent(a: Label, b: Label, c: Label) -> None:
    assert both(a, b) == both(b, a)
    assert both(both(a, b), c) == both(a, both(b, c))
    assert both(a, a) == a


@FEW
@given(labels(), labels())
def test_join_dominates_both_and_is_the_least_that_does(a: Label, b: Label) -> None:
    joined = both(a, b)
    assert dominates(joined, a, SCHEMES, NOW)
    assert dominates(joined, b, SCHEMES, NOW)


@FEW
@given(labels(), labels(), labels())
def test_whatever_dominates_both_dominates_the_join(a: Label, b: Label, c: Label) -> None:
    over_both = dominates(c, a, SCHEMES, NOW) and dominates(c, b, SCHEMES, NOW)
    assert not over_both or dominates(c, both(a, b), SCHEMES, NOW)


@FEW
@given(labels(), labels())
def test_readers_of_the_join_are_readers_of_both(a: Label, b: Label) -> None:
    found = readers(both(a, b))
    for label in (a, b):
        assert "@members" in readers(label) or found <= readers(label)


def test_join_of_disjoint_audiences_is_originators_only_and_never_dropped() -> None:
    a = Label.of("ALPHA", "LOW", originators=["EST"], audience=["FIN"])
    b = Label.of("ALPHA", "LOW", originators=["EST"], audience=["LVA"])
    assert both(a, b).audience == ()
    assert both(a, b).originators == ("EST",)


def test_co_originator_does_not_read_what_the_other_kept_to_itself() -> None:
    own = Label.of("ALPHA", "LOW", originators=["EST"])
    shared = Label.of("ALPHA", "LOW", originators=["LVA"], audience=["EST"])
    assert readers(both(own, shared)) == {"EST"}


def test_group_covers_its_members_only_when_it_is_known_who_they_are() -> None:
    wide = Label.of("ALPHA", "LOW", originators=["EST"], audience=["@east"])
    narrow = Label.of("ALPHA", "LOW", originators=["EST"], audience=["FIN"])
    assert not dominates(narrow, wide, SCHEMES, NOW)
    assert dominates(narrow, wide, SCHEMES, NOW, {"@east": {"FIN", "LVA"}})
    assert not dominates(wide, narrow, SCHEMES, NOW, {"@east": {"FIN", "LVA"}})


def test_labels_with_and_without_originators_do_not_join() -> None:
    with pytest.raises(LabelError, match="originators"):
        both(Label.of("ALPHA", "LOW"), Label.of("ALPHA", "LOW", originators=["EST"]))


def test_labels_of_unrelated_schemes_neither_join_nor_dominate() -> None:
    schemes = shipped_schemes()
    tlp = Label.of("TLP", "AMBER", originators=["EST"])
    other = Label.of("REGIONAL", "SECRET", originators=["EST"])
    assert not dominates(tlp, other, schemes, NOW)
    assert not dominates(other, tlp, schemes, NOW)
    with pytest.raises(LabelError, match="no equivalent"):
        join(tlp, other, schemes, NOW)


def test_national_label_joins_in_the_scheme_it_has_an_equivalent_in() -> None:
    schemes = shipped_schemes()
    national = Label.of("EST", "SECRET", originators=["EST"], audience=["FIN"])
    common = Label.of("REGIONAL", "RESTRICTED", originators=["EST"], audience=["@members"])
    joined = join(national, common, schemes, NOW)
    assert (joined.scheme, joined.level, joined.audience) == ("REGIONAL", "SECRET", ("FIN",))
    assert joined == join(common, national, schemes, NOW)
