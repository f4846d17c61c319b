"""Likelihood is stored as a number and spoken in each reader's own scale.

The number is an integer of basis points, 1 to 9999: certainty and impossibility are not estimates. Words become an
interval and never a number. Sources: ICD 203 (2 January 2015) section D.6.e.2.a; the UK PHIA probability yardstick,
which leaves gaps between its bands on purpose. Other scales are data: `Scale.from_toml`, see `policies/scales/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rsc_share.errors import LocalError, RemoteError
from rsc_share.labels import toml10
from rsc_share.shape import closed, each, integer, row, text

LOW, HIGH = 1, 9999


@dataclass(frozen=True, slots=True)
class Band:
    """One row of a scale: its terms (the first is used when rendering) and its basis points, both ends included."""

    terms: tuple[str, ...]
    low: int
    high: int
    percent: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """A likelihood in words. `in_gap`: the scale has no term for this number and the nearest was taken."""

    scale: str
    term: str
    percent: str
    in_gap: bool

    def __str__(self) -> str:
        note = "; nearest term, the scale has none for this value" if self.in_gap else ""
        return f"{self.term} ({self.percent}{note})"


@dataclass(frozen=True, slots=True)
class Scale:
    """A probability yardstick: bands in rising order that do not overlap, with or without gaps between them."""

    name: str
    bands: tuple[Band, ...]

    @classmethod
    def from_toml(cls, data: bytes, where: str) -> Scale:
        """Read `name` and `bands = [[low, high, percent, [terms]], ...]`. Raises `RemoteError` with the place."""
        try:
            value = toml10.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise RemoteError(f"{where}: {error}", where=where) from None
        table = closed(value, where, ("name", "source", "confirmed", "bands"))
        bands = tuple(each(_band, table["bands"], f"{where} bands", low=2, high=32))
        for before, after in pairwise(bands):
            if after.low <= before.high:
                raise RemoteError(f"{where}: {after.terms[0]!r} overlaps {before.terms[0]!r}", where=where)
        return cls(text(table["name"], f"{where} name", low=1), bands)


def _band(value: Any, where: str) -> Band:
    low, high, percent, terms = row(value, where, 4)
    first = integer(low, where, low=LOW, high=HIGH)
    return Band(
        tuple(each(text, terms, where, low=1, high=8)),
        first,
        integer(high, where, low=first, high=HIGH),
        text(percent, where, low=1),
    )


# Below 1 % and above 99 % the outermost terms still hold: ICD 203 prints 01-05 % and 95-99 %. Ranges are half open.
ICD_203 = Scale(
    "ICD 203",
    (
        Band(("almost no chance", "remote"), 1, 499, "1-5 %"),
        Band(("very unlikely", "highly improbable"), 500, 1999, "5-20 %"),
        Band(("unlikely", "improbable"), 2000, 4499, "20-45 %"),
        Band(("roughly even chance", "roughly even odds"), 4500, 5499, "45-55 %"),
        Band(("likely", "probable"), 5500, 7999, "55-80 %"),
        Band(("very likely", "highly probable"), 8000, 9499, "80-95 %"),
        Band(("almost certain", "nearly certain"), 9500, 9999, "95-99 %"),
    ),
)
PHIA = Scale(
    "PHIA",
    (
        Band(("remote chance",), 1, 500, "at most 5 %"),
        Band(("highly unlikely",), 1000, 2000, "10-20 %"),
        Band(("unlikely",), 2500, 3500, "25-35 %"),
        Band(("realistic possibility",), 4000, 4999, "40 to under 50 %"),
        Band(("likely", "probable"), 5500, 7500, "55-75 %"),
        Band(("highly likely",), 8000, 9000, "80-90 %"),
        Band(("almost certain",), 9500, 9999, "at least 95 %"),
    ),
)


def render(basis_points: int, scale: Scale) -> Rendering:
    """`basis_points` in the words of `scale`; in a gap the nearest band, of two equally near the less extreme."""
    if type(basis_points) is not int or not LOW <= basis_points <= HIGH:
        raise LocalError("likelihood outside 1 to 9999 basis points", advice="0 and 10000 would be certainty")

    def distance(band: Band) -> tuple[int, int]:
        outside = max(band.low - basis_points, basis_points - band.high, 0)
        return outside, abs(band.low + band.high - 10_000)

    band = min(scale.bands, key=distance)
    return Rendering(scale.name, band.terms[0], band.percent, distance(band)[0] > 0)


def interval(term: str, scale: Scale) -> tuple[int, int]:
    """The basis points a term stands for, both ends included. Raises `LocalError` for a term not on the scale."""
    wanted = " ".join(term.lower().split())
    for band in scale.bands:
        if wanted in band.terms:
            return band.low, band.high
    known = ", ".join(term for band in scale.bands for term in band.terms)
    raise LocalError(f"{scale.name} has no term {term[:80]!r}", advice=f"one of {known}")


_SENTENCE = re.compile(r"[^.!?]+")
_CONFIDENCE = re.compile(r"\b(low|moderate|high) confidence\b", re.IGNORECASE)


def mixed_sentences(prose: str, scale: Scale) -> tuple[str, ...]:
    """Sentences that break ICD 203's rule: likelihood and confidence in one sentence."""
    terms = sorted((term for band in scale.bands for term in band.terms), key=len, reverse=True)
    likelihood = re.compile(r"\b(" + "|".join(map(re.escape, terms)) + r")\b", re.IGNORECASE)
    sentences = (found.group().strip() for found in _SENTENCE.finditer(prose))
    return tuple(one for one in sentences if _CONFIDENCE.search(one) and likelihood.search(one))
