"""Decisions remembered. Nothing is ever invalidated: a change of policy, entitlement or label is another key."""

from __future__ import annotations

from typing import Any

from rsc_share.labels.label import Label
from rsc_share.labels.scheme import DAY
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Facets, Subject


class DecisionCache:
    """`decide` with a memory of at most `limit` decisions; when full it starts again from nothing."""

    __slots__ = ("_found", "_limit")

    def __init__(self, limit: int = 65_536) -> None:
        self._limit = limit
        self._found: dict[tuple[Any, ...], Decision] = {}

    def decide(self, bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets) -> Decision:
        """As `rsc_share.policy.decide.decide`, for arguments that are what their types say."""
        key = (bundle.key, label.core, subject.digest, action, facets.time // DAY, facets.key)
        decision = self._found.get(key)
        if decision is None:
            if len(self._found) >= self._limit:
                self._found.clear()
            decision = self._found[key] = decide(bundle, label, subject, action, facets)
        return decision

    def __len__(self) -> int:
        return len(self._found)
