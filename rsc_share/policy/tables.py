"""A bundle made ready for deciding: each label, each subject and each row is looked up and resolved once a day.

All dates in a policy are whole days, so what is resolved here for a UTC day holds for every decision of that day, and
nothing has to be invalidated. Rows become bits of an integer; what remains for a decision is a few set operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rsc_share.labels.equivalence import readings
from rsc_share.labels.label import EVERYBODY, Label, LabelError
from rsc_share.labels.scheme import Level, Obligations, Scheme, SchemeSet, Tag
from rsc_share.labels.validity import validate
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import Decision
from rsc_share.policy.rows import COMPARABLE, Row
from rsc_share.policy.subject import REALMS, ChannelFacts, Facets, Subject

MAX_MEMO = 16_384
"""Resolved labels, and resolved subjects, that are kept. When full the memo starts again from nothing."""

Pair = tuple[str, str]
_RELEASE = "require-release"


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


class Tables:
    """Everything derived from one bundle. Grows by what is asked, within `MAX_MEMO`."""

    __slots__ = ("_by_sender", "_for_groups", "bundle", "cases", "holders", "last", "schemes")

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.schemes: SchemeSet = bundle.schemes
        self.cases: dict[tuple[Any, ...], Case] = {}
        self.holders: dict[tuple[bytes, int], Holder] = {}
        self.last = _NO_LAST
        self._by_sender: dict[str, list[int]] = {}
        self._for_groups = [i for i, row in enumerate(bundle.rows) if any(of.startswith("@") for of in row.senders)]
        for i, row in enumerate(bundle.rows):
            for sender in row.senders:
                self._by_sender.setdefault(sender, []).append(i)

    @classmethod
    def of(cls, bundle: Bundle) -> Tables:
        found: Tables | None = bundle.memo.get("tables")
        return found if found is not None else bundle.memo.setdefault("tables", cls(bundle))

    def find_case(self, label: Label, action: str, facets: Facets, day: int) -> Case:
        found = self.cases.get((label.core, action, day, facets.key))
        return found if found is not None else self.add_case(label, action, facets, day)

    def add_case(self, label: Label, action: str, facets: Facets, day: int) -> Case:
        if len(self.cases) >= MAX_MEMO:
            self.cases.clear()
        return self.cases.setdefault((label.core, action, day, facets.key), self.case(label, action, facets, day))

    def add_holder(self, subject: Subject, day: int) -> Holder:
        if len(self.holders) >= MAX_MEMO:
            self.holders.clear()
        return self.holders.setdefault((subject.digest, day), self.holder(subject, day))

    def holder(self, subject: Subject, day: int) -> Holder:
        names = {subject.member, *subject.groups}
        for scheme in self.schemes.values():
            names.update(row.group for row in scheme.groups if row.member == subject.member and day in row.valid)
        inside = EVERYBODY in subject.groups
        accredited = {
            scheme: self.schemes[scheme].levels[level].rank
            for scheme, level in subject.accreditation.items()
            if scheme in self.schemes and level in self.schemes[scheme].levels
        }
        return Holder(
            subject=subject,
            names=frozenset(names) if inside else frozenset(),
            insider=subject.member if inside else "",
            held={scheme: self._held(subject, scheme, accredited) for scheme in subject.entitlements},
            accredited=accredited,
            rows=_bits(i for i, row in enumerate(self.bundle.rows) if not row.to.isdisjoint(names)),
        )

    def _held(self, subject: Subject, scheme: str, accredited: dict[str, int]) -> Held:
        entitlement = subject.entitlements[scheme]
        known = self.schemes[scheme].levels if scheme in self.schemes else {}
        levels = frozenset(level for level in entitlement.levels if level in known)
        usable = None
        if scheme in subject.accreditation:
            top = accredited.get(scheme, -1)
            usable = frozenset(level for level in levels if known[level].rank <= top)
        return Held(levels, usable, frozenset((tag, value) for tag, of in entitlement.tags.items() for value in of))

    def case(self, label: Label, action: str, facets: Facets, day: int) -> Case:
        if day not in self.bundle.valid:
            return _blocked(label, action, facets, "epoch", f"day outside {self.bundle.name}'s validity")
        try:
            validate(label, self.schemes)
        except LabelError as error:
            return _blocked(label, action, facets, "valid", error.what)
        scheme = self.schemes[label.scheme]
        level = scheme.levels[label.level]
        originators = label.originators or (facets.originator,)
        read = tuple(self._reading(reading) for reading in readings(label, self.schemes, day))
        controlled = any(scheme.tags[name].originator_control for name, _ in label.tags)
        missing = _missing_releases(originators, action, facets, free=level.public_release and not controlled)
        candidates = sorted({*self._for_groups, *(i for who in originators for i in self._by_sender.get(who, ()))})
        matching = [i for i in candidates if self._fits(self.bundle.rows[i], label, read, action, facets, day)]
        return Case(
            label=label,
            action=action,
            facets=facets,
            blocked=None,
            why_blocked="",
            native=read[0],
            readings=read,
            under_ceiling=self._under_ceiling(read, facets),
            audience=frozenset(label.audience),
            originators=originators,
            sole=originators[0] if len(originators) == 1 else None,
            late=_late(facets, missing),
            missing_releases=missing,
            denying=_bits(i for i in matching if self.bundle.rows[i].effect in ("deny", "ceiling")),
            needs=self._needs(originators, label.scheme, matching, day),
            permitting=_bits(i for i in matching if self.bundle.rows[i].effect == "permit"),
            unpublishable=action == "publish" and not level.public_release,
            named=level.named,
            obligations=_obligations(label, scheme, level),
            rows=self.bundle.rows,
            releasing=tuple((i, self.bundle.rows[i]) for i in matching if self.bundle.rows[i].effect == _RELEASE),
        )

    def _reading(self, label: Label) -> Reading:
        scheme = self.schemes[label.scheme]
        by_type: dict[str, list[frozenset[Pair]]] = {}
        for name, values in label.tags:
            by_type.setdefault(scheme.tags[name].type, []).append(frozenset((name, value) for value in values))
        return Reading(
            scheme=label.scheme,
            level=label.level,
            rank=scheme.levels[label.level].rank,
            restrictive=frozenset().union(*by_type.get("restrictive", ())),
            permissive=tuple(by_type.get("permissive", ())),
        )

    def _under_ceiling(self, read: tuple[Reading, ...], facets: Facets) -> bool:
        """A ceiling in the label's own scheme decides; without one, any that an equivalence leads to."""
        ceiling = facets.channel.ceiling
        judged = read[:1] if read[0].scheme in ceiling else read[1:]
        return any(self._at_most(reading, (reading.scheme, ceiling.get(reading.scheme, ""))) for reading in judged)

    def _at_most(self, reading: Reading, limit: tuple[str, str]) -> bool:
        top = self.schemes[reading.scheme].levels.get(limit[1]) if reading.scheme == limit[0] else None
        return top is not None and reading.rank <= top.rank

    def _fits(self, row: Row, label: Label, read: tuple[Reading, ...], action: str, facets: Facets, day: int) -> bool:
        """Everything in a row but `to`. What is not known makes a permit miss and everything else hit."""
        if day not in row.valid or action not in row.actions:
            return False
        if row.families and facets.family not in row.families:
            return False
        if row.channels and facets.channel.name not in row.channels:
            return False
        permit = row.effect == "permit"
        if row.purposes and facets.purpose not in row.purposes and (permit or facets.purpose is not None):
            return False
        originators = label.originators or (facets.originator,)
        if not any(self._sent_by(row, originator, day) for originator in originators):
            return False
        carried = any(self._carries(label, tag, values) for tag, values in row.carrying)
        if row.carrying and carried == permit:
            return False
        below = row.max_level is None or any(self._at_most(reading, row.max_level) for reading in read)
        if permit:
            return below
        if row.effect == "ceiling":
            return not below
        return row.min_level is None or self._reaches(row.min_level, read)

    def _carries(self, label: Label, tag: str, values: frozenset[str]) -> bool:
        known = self.schemes[label.scheme].tags.get(tag)
        if known is None:
            return False
        # Joining labels takes permissive values away: a row that looked at them would permit the whole and deny a part.
        return known.type not in COMPARABLE or not values.isdisjoint(label.values(tag))

    def _reaches(self, floor: tuple[str, str], read: tuple[Reading, ...]) -> bool:
        scheme = self.schemes.get(floor[0])
        bottom = scheme.levels.get(floor[1]) if scheme is not None else None
        ranks = [reading.rank for reading in read if reading.scheme == floor[0]]
        return bottom is None or not ranks or max(ranks) >= bottom.rank

    def _sent_by(self, row: Row, originator: str, day: int) -> bool:
        if originator in row.senders or EVERYBODY in row.senders:
            return True
        for group in row.senders:
            if group.startswith("@"):
                members = self._members(group, day)
                if originator in members or (not members and row.effect != "permit"):
                    return True
        return False

    def _members(self, group: str, day: int) -> frozenset[str]:
        """Empty for a group nobody knows."""
        found = self.bundle.groups.get(group, frozenset())
        return found.union(*(scheme.members_of(group, day) for scheme in self.schemes.values()))

    def _needs(
        self, originators: tuple[str, ...], scheme: str, matching: list[int], day: int
    ) -> tuple[tuple[str, int], ...]:
        rows = self.bundle.rows
        permits = [i for i in matching if rows[i].effect == "permit"]
        return tuple(
            (originator, _bits(i for i in permits if self._sent_by(rows[i], originator, day)))
            for originator in originators
            if self.bundle.need.of(originator, scheme)
        )


def _bits(indexes: Iterable[int]) -> int:
    return sum(1 << i for i in indexes)


_NOTHING = Reading("", "", -1, frozenset(), ())


@dataclass(frozen=True, slots=True)
class Last:
    """The case that was asked for last. Label and facets are compared by identity, and held here: an identity is never
    another value's as long as somebody holds it, and neither of the two ever changes."""

    label: Label | None
    facets: Facets | None
    action: str
    day: int
    case: Case


def _blocked(label: Label, action: str, facets: Facets, code: str, why: str) -> Case:
    return Case(
        label=label,
        action=action,
        facets=facets,
        blocked=Decision(permitted=False, code=code),
        why_blocked=why,
        native=_NOTHING,
        readings=(),
        under_ceiling=False,
        audience=frozenset(),
        originators=label.originators,
        sole=None,
        late=None,
        missing_releases=(),
        denying=0,
        needs=(),
        permitting=0,
        unpublishable=True,
        named=True,
        obligations=(),
    )


def _missing_releases(originators: tuple[str, ...], action: str, facets: Facets, *, free: bool) -> tuple[str, ...]:
    """Originators other than the actor who would have to release this use and have not."""
    if action in ("receive", "open") or free:
        return ()
    return tuple(o for o in originators if o != facets.originator and o not in facets.releases)


def _late(facets: Facets, missing: tuple[str, ...]) -> Decision | None:
    channel = facets.channel
    if channel.realm not in REALMS or (facets.realm is not None and facets.realm != channel.realm):
        return Decision(permitted=False, code="realm")
    return Decision(permitted=False, code="origin") if missing else None


def _obligations(label: Label, scheme: Scheme, level: Level) -> Obligations:
    found: list[tuple[str, str | int]] = list(level.obligations)
    for name, values in label.tags:
        if _binds(scheme.tags[name]):
            found += [(name, value) for value in values]
    if label.review is not None:
        found.append(("review", label.review))
    return tuple(found)


def _binds(tag: Tag) -> bool:
    return tag.type == "handling" or tag.originator_control


_NO_LAST = Last(
    None, None, "", 0, _blocked(Label("", ""), "", Facets(0, ChannelFacts("", "", frozenset(), {}), "", "", ""), "", "")
)
