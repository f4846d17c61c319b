"""Cyber threat: indicators and what is reported about them."""

from __future__ import annotations

from typing import ClassVar

from rsc_share.messages.body import Body


class Indicator(Body):
    """A pattern to look for."""

    TYPE: ClassVar[str] = "cyber/indicator/1"

    pattern: str
    stix_id: str
