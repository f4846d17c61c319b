"""Typed message families, their portions and their registry."""

from __future__ import annotations

from rsc_share.messages.body import Body, Element, UnknownMessage
from rsc_share.messages.control import (
    CannotRelease,
    ReadReceipt,
    RecallCompliance,
    RecallNotice,
    ReleaseRequest,
    ResendRequest,
)
from rsc_share.messages.cyber import Indicator, Report
from rsc_share.messages.disaster import Alert
from rsc_share.messages.portion import Portion, Withheld
from rsc_share.messages.portions import PortionDraft, assemble, portion_count, split
from rsc_share.messages.registry import Registry
from rsc_share.messages.threat import ThreatAssessment

STANDARD: tuple[type[Body], ...] = (
    ThreatAssessment,
    Indicator,
    Report,
    Alert,
    ReleaseRequest,
    CannotRelease,
    ResendRequest,
    RecallNotice,
    RecallCompliance,
    ReadReceipt,
)
"""The types every node knows: `Registry((*STANDARD, *your_types))`."""

__all__ = [
    "STANDARD",
    "Alert",
    "Body",
    "CannotRelease",
    "Element",
    "Indicator",
    "Portion",
    "PortionDraft",
    "ReadReceipt",
    "RecallCompliance",
    "RecallNotice",
    "Registry",
    "ReleaseRequest",
    "Report",
    "ResendRequest",
    "ThreatAssessment",
    "UnknownMessage",
    "Withheld",
    "assemble",
    "portion_count",
    "split",
]
