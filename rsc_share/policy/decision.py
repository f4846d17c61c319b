"""What a decision says."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share.labels.scheme import Obligations

RELEASED = "released"
STEPS = (
    "epoch",
    "valid",
    "scheme",
    "level",
    "restrict",
    "audience",
    "permit",
    "need",
    "realm",
    "origin",
    "agreement",
    "handling",
)
"""In their order. A denial carries the name of the first step that failed."""
UNKNOWN_ACTION, BROKEN = "action", "error"
"""Denials that are no step: an action nobody defined; a value or table so wrong that no step could be taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step as explain mode shows it: what the label's side asks, what the subject's side has."""

    name: str
    passed: bool
    asked: str
    held: str
    row: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`code` is `released` or why not; `row` the agreement row that decided, where one did."""

    permitted: bool
    code: str
    row: str | None = None
    steps: tuple[Step, ...] = ()
    obligations: Obligations = ()
