"""One number, several scales: every basis point is rendered, gaps are said, edges are half open."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsc_share.errors import LocalError, RemoteError
from rsc_share.messages.likelihood import HIGH, ICD_203, LOW, PHIA, Scale, interval, mixed_sentences, render
from rsc_share.messages.source import CREDIBILITY, RELIABILITY, render_grade

AJP_2 = Scale.from_toml((Path(__file__).parents[2] / "policies/scales/ajp-2.toml").read_bytes(), "ajp-2.toml")
SCALES = [ICD_203, PHIA, AJP_2]


@pytest.mark.parametrize(
    ("percent", "term"),
    [
        (0.01, "almost no chance"),
        (1, "almost no chance"),
        (4.99, "almost no chance"),
        (5, "very unlikely"),
        (20, "unlikely"),
        (45, "roughly even chance"),
        (54.99, "roughly even chance"),
        (55, "likely"),
        (80, "very likely"),
        (95, "almost certain"),
        (99.99, "almost certain"),
    ],
)
def test_icd_203_edges_are_half_open(percent: float, term: str) -> None:
    rendering = render(round(percent * 100), ICD_203)
    assert (rendering.term, rendering.in_gap) == (term, False)


@pytest.mark.parametrize(
    ("percent", "term", "gap"),
    [
        (5, "remote chance", False),
        (6, "remote chance", True),
        (7.5, "highly unlikely", True),
        (9, "highly unlikely", True),
        (10, "highly unlikely", False),
        (20, "highly unlikely", False),
        (22, "highly unlikely", True),
        (24, "unlikely", True),
        (39, "realistic possibility", True),
        (49.99, "realistic possibility", False),
        (50, "realistic possibility", True),
        (54, "likely", True),
        (75, "likely", False),
        (78, "highly likely", True),
        (92, "highly likely", True),
        (92.5, "highly likely", True),
        (93, "almost certain", True),
        (95, "almost certain", False),
    ],
)
def test_phia_gaps_take_the_nearest_term_and_say_so(percent: float, term: str, gap: bool) -> None:
    rendering = render(round(percent * 100), PHIA)
    assert (rendering.term, rendering.in_gap) == (term, gap)
    assert ("nearest term" in str(rendering)) is gap


@pytest.mark.parametrize(
    ("points", "term"),
    [(999, "highly unlikely"), (1000, "unlikely"), (5000, "even chance"), (9000, "likely"), (9001, "highly likely")],
)
def test_ajp_2_is_data(points: int, term: str) -> None:
    assert render(points, AJP_2).term == term


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_every_number_has_a_term_and_terms_rise_with_it(scale: Scale) -> None:
    order = [band.terms[0] for band in scale.bands]
    ranks = [order.index(render(points, scale).term) for points in range(LOW, HIGH + 1)]
    assert all(a <= b for a, b in pairwise(ranks))
    assert set(ranks) == set(range(len(order)))


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_words_become_an_interval_that_renders_as_the_word(scale: Scale) -> None:
    for band in scale.bands:
        for term in band.terms:
            low, high = interval(f"  {term.upper()} ", scale)
            assert render(low, scale).term == render(high, scale).term == band.terms[0]
    with pytest.raises(LocalError, match="no term"):
        interval("maybe", scale)


@given(st.one_of(st.integers(max_value=0), st.integers(min_value=10_000), st.booleans(), st.floats()))
def test_certainty_is_no_estimate(value: object) -> None:
    with pytest.raises(LocalError):
        render(value, ICD_203)  # type: ignore[arg-type]


def test_confidence_and_likelihood_in_one_sentence_are_found() -> None:
    prose = (
        "An attack is likely. We have moderate confidence in this. It is unlikely, with LOW confidence, to be at sea."
    )
    assert mixed_sentences(prose, ICD_203) == ("It is unlikely, with LOW confidence, to be at sea",)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"name = 1",
        b'name="x"\nsource="s"\nconfirmed=true\nbands=[]',
        b'name="x"\nsource="s"\nconfirmed=true\nbands=[[1,500,"a",["b"]],[400,900,"c",["d"]]]',
        b'name="x"\nsource="s"\nconfirmed=true\nbands=[[0,500,"a",["b"]],[600,900,"c",["d"]]]',
        b'name="x"\nsource="s"\nconfirmed=true\nbands=[[1,500,"a",[]],[600,900,"c",["d"]]]',
        b'name="x"\nsource="s"\nconfirmed=true\nextra=1\nbands=[[1,500,"a",["b"]],[600,900,"c",["d"]]]',
    ],
)
def test_broken_scale_is_refused_with_its_place(text: bytes) -> None:
    with pytest.raises(RemoteError, match=r"mine\.toml"):
        Scale.from_toml(text, "mine.toml")


def test_grades_are_said_in_words() -> None:
    assert render_grade("b2") == "source usually reliable, information probably true"
    assert all(render_grade(letter + digit) for letter in RELIABILITY for digit in CREDIBILITY)
    for bad in ("", "B", "G1", "B7", "B22", "2B"):
        with pytest.raises(LocalError):
            render_grade(bad)
