"""The two sides of a decision, resolved for one day: a label with its facts, and a subject."""

from __future__ import annotations

from dataclasses import dataclass, field

from rsc_share.labels.label import Label
from rsc_share.labels.scheme import Obligations
from rsc_share.policy.decision import Decision
from rsc_share.policy.rows import Row
from rsc_share.policy.subject import Facets, Subject

Pair = tuple[str, str]
"""A tag and one of its values."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A label in one scheme: its own, or one it has an equivalent in."""

    scheme: str
    level: str
    rank: int
    restrictive: frozenset[Pair]
    permissive: tuple[frozenset[Pair], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A label, an action and the facts around it, resolved: everything in a decision but the subject."""

    label: Label
    action: str
    facets: Facets
    blocked: Decision | None
    why_blocked: str
    native: Reading
    readings: tuple[Reading, ...]
    """The label's own first."""
    under_ceiling: bool
    audience: frozenset[str]
    originators: tuple[str, ...]
    sole: str | None
    late: Decision | None
    """REALM or ORIGIN failed: neither looks at the subject."""
    missing_releases: tuple[str, ...]
    denying: int
    needs: tuple[tuple[str, int], ...]
    """Originators who require an agreement, each with the permit rows that would do."""
    permitting: int
    unpublishable: bool
    named: bool
    obligations: Obligations
    rows: tuple[Row, ...] = ()
    """All rows of the bundle: the bits count them."""
    releasing: tuple[tuple[int, Row], ...] = ()
    outcomes: dict[int, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A subject's entitlement in one scheme. `usable`: its levels within this node's accreditation; None: the node is
    not accredited in this scheme itself, perhaps in one that has an equivalent."""

    levels: frozenset[str]
    usable: frozenset[str] | None
    tags: frozenset[Pair]


@dataclass(frozen=True, slots=True)
class Holder:
    """A subject on one day. `names` is empty, and so is `insider`, for whoever is not a member of the charter."""

    subject: Subject
    names: frozenset[str]
    insider: str
    held: dict[str, Held]
    accredited: dict[str, int]
    rows: int
    """Rows whose `to` covers it."""


@dataclass(slots=True)
class Last:
    """The case that was asked for last. Label and facets are compared by identity, and held here: an identity is never
    another value's as long as somebody holds it, and neither of the two ever changes. Nor does this: it is not frozen,
    because a frozen one takes longer to make, and it is not a tuple, because its fields are read for every message."""

    label: Label | None
    facets: Facets | None
    action: str
    day: int
    case: Case
