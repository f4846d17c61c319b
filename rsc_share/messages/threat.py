"""Threat assessments and warnings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rsc_share.messages.common import Confidence, Line, Product
from rsc_share.messages.likelihood import HIGH, LOW


class ThreatAssessment(Product):
    """What may happen, how likely it is and how good the basis is.

    `likelihood` is in basis points, 1..9999 (`rsc_share.messages.likelihood.render` speaks it in each reader's scale).
    """

    TYPE: ClassVar[str] = "threat/assessment/1"

    title: Line
    likelihood: int | None = Field(default=None, ge=LOW, le=HIGH)
    confidence: Confidence | None = None
    confidence_basis: Line | None = None
