"""Fields that all families share: place, period, source grade, references, status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from rsc_share.messages.body import Body, Element
from rsc_share.messages.portion import Portion, Withheld

MAX_TEXT = 500_000
MAX_ROWS = 4096


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _plain_zero(value: float) -> float:
    """-0.0 becomes 0.0: the wire has one spelling for each number."""
    return value + 0.0


def _whole_minutes(value: datetime) -> datetime:
    """RFC 3339 section 5.6: an offset is hours and minutes. Seconds in one would print as no such time."""
    offset = value.utcoffset()
    if offset is not None and offset % timedelta(minutes=1):
        raise ValueError("the offset from UTC has seconds in it")
    return value


Time: TypeAlias = Annotated[AwareDatetime, AfterValidator(_whole_minutes)]
"""A moment with its offset from UTC, RFC 3339 in JSON."""
Status: TypeAlias = Literal["Actual", "Exercise", "System", "Test", "Draft"]
"""CAP 1.2 section 3.2.1 and EDXL-DE 1.0. Whether a message is exercise play is the channel's realm, never this word."""
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
"""One line for a list or a headline."""
Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT)]
Language: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=64)]
"""A BCP 47 tag such as `et` or `en-GB`."""
Confidence: TypeAlias = Literal["low", "moderate", "high"]
"""ICD 203: how good the basis is. Never in one sentence with likelihood."""


Grade: TypeAlias = Annotated[str, BeforeValidator(_upper), Field(pattern=r"^[A-F][1-6]$")]
"""Admiralty grade such as `B2`: reliability of the source, credibility of the information, rated independently."""
Number: TypeAlias = Annotated[float, AfterValidator(_plain_zero)]
Latitude: TypeAlias = Annotated[float, Field(ge=-90, le=90), AfterValidator(_plain_zero)]
Longitude: TypeAlias = Annotated[float, Field(ge=-180, le=180), AfterValidator(_plain_zero)]


class Point(Element):
    """GeoJSON Point, RFC 7946 section 3.1.2: `[longitude, latitude]`, WGS 84 degrees."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[Longitude, Latitude]


class Polygon(Element):
    """GeoJSON Polygon, RFC 7946 section 3.1.6: rings of at least four positions, the last equal to the first."""

    type: Literal["Polygon"] = "Polygon"
    coordinates: list[list[tuple[Longitude, Latitude]]] = Field(min_length=1, max_length=MAX_ROWS)

    @model_validator(mode="after")
    def _rings_close(self) -> Polygon:
        if any(len(ring) < 4 or ring[0] != ring[-1] for ring in self.coordinates):
            raise ValueError("a ring needs at least four positions and ends where it began")
        return self


class Place(Element):
    """Where: a name, an ISO 3166 code (`EST`, `EE` or `EE-37`), a GeoJSON geometry, or several of these."""

    name: Line | None = None
    code: str | None = Field(default=None, pattern=r"^([A-Z]{3}|[A-Z]{2}(-[A-Z0-9]{1,3})?)$")
    geometry: Annotated[Point | Polygon, Field(discriminator="type")] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Place:
        if self.name is None and self.code is None and self.geometry is None:
            raise ValueError("needs a name, a code or a geometry")
        return self


class Period(Element):
    """From `start` to `end`; None is open on that side."""

    start: Time | None = None
    end: Time | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Period:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError("ends before it starts")
        return self


class Reference(Element):
    """Something outside this message: a document, a web page, another message (`EST/mod-1/cyber/417`)."""

    source: Line
    description: Text | None = None
    url: Annotated[str, Field(max_length=8192)] | None = None
    external_id: Line | None = None
    hashes: dict[Line, Line] = Field(default_factory=dict)


class Product(Body):
    """Base of written products: what every family can say about its text."""

    summary: Text | None = None
    text: list[Portion[str] | Withheld] = Field(default_factory=list)
    language: Language | None = None
    places: list[Place] = Field(default_factory=list, max_length=MAX_ROWS)
    period: Period | None = None
    grade: Grade | None = None
    references: list[Reference] = Field(default_factory=list, max_length=MAX_ROWS)
    status: Status = "Actual"
