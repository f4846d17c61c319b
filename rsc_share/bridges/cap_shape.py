"""CAP 1.2 as tables: which element stands where, how often, and which field of our model it is.

The order of rows is the order of the schema (CAP-v1.2 section 3.4); reading and writing use the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from rsc_share.messages.body import Body, Element
from rsc_share.messages.disaster import Alert, Area, Circle, Info, NamedValue, Resource

CAP_1_2 = "urn:oasis:names:tc:emergency:cap:1.2"
CAP_1_1 = "urn:oasis:names:tc:emergency:cap:1.1"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,320}(\.\d{0,360})?|\.\d{1,360})", re.ASCII)  # long enough for any double
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Text of an element to value and back. `read` raises `ValueError` with what would be right."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    exact: Callable[[str], bool] = lambda text: True
    """False where the value does not hold all digits of the text: the rest is lost and named."""


@dataclass(frozen=True, slots=True)
class Row:
    """One element: its tag, our field, how often (`one`, `maybe`, `many`: any number), and what is inside."""

    tag: str
    name: str
    often: Literal["one", "maybe", "many"]
    inside: Inside


@dataclass(frozen=True, slots=True)
class Table:
    """An element with child elements, and the model it becomes."""

    model: type[Body | Element]
    rows: tuple[Row, ...]


Inside: TypeAlias = "Leaf | Table"


def _time(text: str) -> datetime:
    stripped = text.strip()
    if not _TIME.fullmatch(stripped):
        raise ValueError("needs a time with its offset, such as 2026-01-15T12:00:00-05:00")
    return datetime.fromisoformat(stripped)


def _write_time(value: datetime) -> str:
    """CAP 1.2 section 3.3.2: UTC is spelled -00:00, never Z."""
    spelled = value.replace(microsecond=0).isoformat()
    return spelled.removesuffix("+00:00") + "-00:00" if spelled.endswith("+00:00") else spelled


def _number(text: str) -> float:
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        raise ValueError("needs a decimal number")
    return float(stripped)


def _write_number(value: float) -> str:
    return format(Decimal(repr(value)), "f")


def _exact_number(text: str) -> bool:
    return Decimal(repr(_number(text))) == Decimal(text.strip())


def _whole(text: str) -> int:
    stripped = text.strip()
    if not _WHOLE.fullmatch(stripped):
        raise ValueError("needs a whole number")
    return int(stripped)


def _position(text: str) -> tuple[float, float]:
    latitude, comma, longitude = text.partition(",")
    if not comma:
        raise ValueError("needs latitude,longitude")
    return _number(latitude), _number(longitude)


def _write_position(value: tuple[float, float]) -> str:
    return ",".join(map(_write_number, value))


def _exact_numbers(text: str) -> bool:
    return all(_exact_number(one) for one in text.replace(",", " ").split())


def _polygon(text: str) -> list[tuple[float, float]]:
    return [_position(pair) for pair in text.split()]


def _write_polygon(value: list[tuple[float, float]]) -> str:
    return " ".join(map(_write_position, value))


def _circle(text: str) -> Circle:
    parts = text.split()
    if len(parts) != 2:
        raise ValueError("needs latitude,longitude radius")
    return Circle(centre=_position(parts[0]), radius=_number(parts[1]))


def _write_circle(value: Circle) -> str:
    return f"{_write_position(value.centre)} {_write_number(value.radius)}"


TEXT = Leaf(str, str)
TOKEN = Leaf(str.strip, str)
TIME = Leaf(_time, _write_time)
NUMBER = Leaf(_number, _write_number, _exact_number)
WHOLE = Leaf(_whole, str)
POLYGON = Leaf(_polygon, _write_polygon, _exact_numbers)
CIRCLE = Leaf(_circle, _write_circle, _exact_numbers)
PAIR = Table(NamedValue, (Row("valueName", "name", "one", TEXT), Row("value", "value", "one", TEXT)))

AREA = Table(
    Area,
    (
        Row("areaDesc", "description", "one", TEXT),
        Row("polygon", "polygons", "many", POLYGON),
        Row("circle", "circles", "many", CIRCLE),
        Row("geocode", "geocodes", "many", PAIR),
        Row("altitude", "altitude", "maybe", NUMBER),
        Row("ceiling", "ceiling", "maybe", NUMBER),
    ),
)
RESOURCE = Table(
    Resource,
    (
        Row("resourceDesc", "description", "one", TEXT),
        Row("mimeType", "mime_type", "one", TEXT),
        Row("size", "size", "maybe", WHOLE),
        Row("uri", "uri", "maybe", TEXT),
        Row("derefUri", "content", "maybe", TEXT),
        Row("digest", "digest", "maybe", TEXT),
    ),
)
INFO = Table(
    Info,
    (
        Row("language", "language", "maybe", TOKEN),
        Row("category", "categories", "many", TEXT),
        Row("event", "event", "one", TEXT),
        Row("responseType", "response_types", "many", TEXT),
        Row("urgency", "urgency", "one", TEXT),
        Row("severity", "severity", "one", TEXT),
        Row("certainty", "certainty", "one", TEXT),
        Row("audience", "audience", "maybe", TEXT),
        Row("eventCode", "event_codes", "many", PAIR),
        Row("effective", "effective", "maybe", TIME),
        Row("onset", "onset", "maybe", TIME),
        Row("expires", "expires", "maybe", TIME),
        Row("senderName", "sender_name", "maybe", TEXT),
        Row("headline", "headline", "maybe", TEXT),
        Row("description", "description", "maybe", TEXT),
        Row("instruction", "instruction", "maybe", TEXT),
        Row("web", "web", "maybe", TEXT),
        Row("contact", "contact", "maybe", TEXT),
        Row("parameter", "parameters", "many", PAIR),
        Row("resource", "resources", "many", RESOURCE),
        Row("area", "areas", "many", AREA),
    ),
)
ALERT = Table(
    Alert,
    (
        Row("identifier", "identifier", "one", TEXT),
        Row("sender", "sender", "one", TEXT),
        Row("sent", "sent", "one", TIME),
        Row("status", "status", "one", TEXT),
        Row("msgType", "message_type", "one", TEXT),
        Row("source", "source", "maybe", TEXT),
        Row("scope", "scope", "one", TEXT),
        Row("restriction", "restriction", "maybe", TEXT),
        Row("addresses", "addresses", "maybe", TEXT),
        Row("code", "codes", "many", TEXT),
        Row("note", "note", "maybe", TEXT),
        Row("references", "references", "maybe", TEXT),
        Row("incidents", "incidents", "maybe", TEXT),
        Row("info", "infos", "many", INFO),
    ),
)
