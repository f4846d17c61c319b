"""Disaster alerts in the shape of CAP 1.2 (OASIS Standard, 1 July 2010): same facts, our own field names."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from rsc_share.messages.body import Body, Element
from rsc_share.messages.common import MAX_ROWS, Language, Latitude, Longitude, Number, Status, Text, Time

MessageType: TypeAlias = Literal["Alert", "Update", "Cancel", "Ack", "Error"]
Scope: TypeAlias = Literal["Public", "Restricted", "Private"]
Category: TypeAlias = Literal[
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
]
ResponseType: TypeAlias = Literal[
    "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"
]
Urgency: TypeAlias = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity: TypeAlias = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty: TypeAlias = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
Required: TypeAlias = Annotated[str, Field(min_length=1, max_length=8192)]
Position: TypeAlias = tuple[Latitude, Longitude]
"""Latitude, longitude: CAP's order, the other way round than GeoJSON."""


class NamedValue(Element):
    """CAP's open pairs: event codes, parameters, geocodes. The value may be empty."""

    name: Required
    value: Text


class Circle(Element):
    """A point and a radius in kilometres."""

    centre: Position
    radius: Annotated[Number, Field(ge=0)]


class Area(Element):
    """Where. Heights in feet above mean sea level; a ceiling needs an altitude (CAP 1.2 section 3.2.4)."""

    description: Required
    polygons: list[Annotated[list[Position], Field(min_length=4, max_length=MAX_ROWS)]] = Field(
        default_factory=list, max_length=MAX_ROWS
    )
    circles: list[Circle] = Field(default_factory=list, max_length=MAX_ROWS)
    geocodes: list[NamedValue] = Field(default_factory=list, max_length=MAX_ROWS)
    altitude: Number | None = None
    ceiling: Number | None = None

    @model_validator(mode="after")
    def _closed_and_based(self) -> Area:
        if any(polygon[0] != polygon[-1] for polygon in self.polygons):
            raise ValueError("a polygon ends where it began")
        if self.ceiling is not None and self.altitude is None:
            raise ValueError("a ceiling needs an altitude")
        return self


class Resource(Element):
    """A file beside the alert. `content` is base64 as it came; `digest` is SHA-1 by CAP's rule and proves nothing."""

    description: Required
    mime_type: Required
    size: int | None = Field(default=None, ge=0)
    uri: Text | None = None
    content: Text | None = None
    digest: Text | None = None


class Info(Element):
    """One event in one language (CAP 1.2 section 3.2.2)."""

    language: Language = "en-US"
    categories: list[Category] = Field(min_length=1, max_length=MAX_ROWS)
    event: Required
    response_types: list[ResponseType] = Field(default_factory=list, max_length=MAX_ROWS)
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: Text | None = None
    event_codes: list[NamedValue] = Field(default_factory=list, max_length=MAX_ROWS)
    effective: Time | None = None
    onset: Time | None = None
    expires: Time | None = None
    sender_name: Text | None = None
    headline: Text | None = None
    description: Text | None = None
    instruction: Text | None = None
    web: Text | None = None
    contact: Text | None = None
    parameters: list[NamedValue] = Field(default_factory=list, max_length=MAX_ROWS)
    resources: list[Resource] = Field(default_factory=list, max_length=MAX_ROWS)
    areas: list[Area] = Field(default_factory=list, max_length=MAX_ROWS)


class Alert(Body):
    """A warning of a hazard. `sender` is the alerting authority, which need not be the member that passes it on."""

    TYPE: ClassVar[str] = "disaster/alert/1"

    identifier: Annotated[str, Field(pattern=r"^[^\s,<&]+$", max_length=8192)]
    sender: Annotated[str, Field(pattern=r"^[^\s,<&]+$", max_length=8192)]
    sent: Time
    status: Status
    message_type: MessageType
    scope: Scope
    source: Text | None = None
    restriction: Text | None = None
    addresses: Text | None = None
    codes: list[Text] = Field(default_factory=list, max_length=MAX_ROWS)
    note: Text | None = None
    references: Text | None = None
    incidents: Text | None = None
    infos: list[Info] = Field(default_factory=list, max_length=MAX_ROWS)

    @model_validator(mode="after")
    def _scope_says_to_whom(self) -> Alert:
        if self.scope == "Restricted" and not self.restriction:
            raise ValueError("scope Restricted needs a restriction")
        if self.scope == "Private" and not self.addresses:
            raise ValueError("scope Private needs addresses")
        return self
