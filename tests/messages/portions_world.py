"""Bodies with portions in them, and what they are split into."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from rsc_share.messages import (
    Body,
    Element,
    Portion,
    ThreatAssessment,
    Withheld,
    split,
)

SECRET = "the-source-is-the-harbour-master"
OPEN, CLOSED = "REGIONAL RESTRICTED REL TO @members", "REGIONAL SECRET REL TO FIN"


class Leg(Element):
    port: str
    at: datetime


class Voyage(Body):
    TYPE: ClassVar[str] = "int.example.navy/voyage/1"

    ship: Portion[str] | Withheld
    legs: list[Portion[Leg] | Withheld] = Field(default_factory=list)
    by_port: dict[str, Portion[int] | Withheld] = Field(default_factory=dict)
    speed: float = 0.0
    chart: bytes = b""


def payloads(body: Body) -> dict[int, bytes]:
    return {index: draft.payload for index, draft in enumerate(split(body, OPEN))}


def assessment(*texts: str) -> ThreatAssessment:
    return ThreatAssessment(title="Ferries", text=[Portion(text, CLOSED) for text in texts])
