"""Typed message families, their portions and their registry."""

from __future__ import annotations

from rsc_share.messages.body import Body, Element, UnknownMessage
from rsc_share.messages.cyber import Indicator
from rsc_share.messages.portion import Portion, Withheld
from rsc_share.messages.portions import PortionDraft, assemble, portion_count, split
from rsc_share.messages.registry import Registry
from rsc_share.messages.threat import ThreatAssessment

__all__ = [
    "Body",
    "Element",
    "Indicator",
    "Portion",
    "PortionDraft",
    "Registry",
    "ThreatAssessment",
    "UnknownMessage",
    "Withheld",
    "assemble",
    "portion_count",
    "split",
]
