"""Threat assessments."""

from __future__ import annotations

from typing import ClassVar

from rsc_share.messages.body import Body
from rsc_share.messages.portion import Portion, Withheld


class ThreatAssessment(Body):
    TYPE: ClassVar[str] = "threat/assessment/1"

    title: str
    text: list[Portion[str] | Withheld]
