"""A bundle made ready for deciding: each label, each subject and each row is looked up and resolved once a day.

All dates in a policy are whole days, so what is resolved here for a UTC day holds for every decision of that day, and
nothing has to be invalidated. Rows become bits of an integer; what remains for a decision is a few set operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rsc_share.labels.equivalence import readings
from rsc_share.labels.label import EVERYBODY, Label, LabelError
from rsc_share.labels.scheme import Level, Obligations, Scheme, SchemeSet, Tag
from rsc_share.labels.validity import validate
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import Decision
from rsc_share.policy.matching import Matcher
from rsc_share.policy.readers import MOST, Circles, Readers, side_by_side
from rsc_share.policy.resolved import Case, Held, Holder, Last, Pair, Reading
from rsc_share.policy.subject import REALMS, ChannelFacts, Facets, Subject

MAX_MEMO = 16_384
"""Resolved labels, and resolved subjects, that are kept. When full the memo starts again from nothing. Labels of very
many names are resolved each time: what is kept is counted, and not weighed."""

_RELEASE = "require-release"


class Tables:
    """Everything derived from one bundle. Grows by what is asked, within `MAX_MEMO`."""

    __slots__ = ("asks_release", "bundle", "by_label", "cases", "circles", "holders", "last", "matcher", "schemes")

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.schemes: SchemeSet = bundle.schemes
        self.cases: dict[tuple[Any, ...], Case] = {}
        self.holders: dict[tuple[bytes, int], Holder] = {}
        self.last = _NO_LAST
        self.by_label: dict[int, Last] = {}
        """The case that was asked for last about each label, by its identity: `Last` holds the label."""
        self.circles = Circles(MOST)
        self.matcher = Matcher(bundle)
        self.asks_release = any(row.effect == _RELEASE for row in bundle.rows)

    @classmethod
    def of(cls, bundle: Bundle) -> Tables:
        found: Tables | None = bundle.memo.get("tables")
        return found if found is not None else bundle.memo.setdefault("tables", cls(bundle))

    def find_case(self, label: Label, action: str, facets: Facets, day: int) -> Case:
        # A log repeats its labels, and each is one value in memory: found by which it is, without hashing what it says.
        # One too long to be kept is asked about several times in a row.
        last = self.by_label.get(id(label), self.last)
        if last.label is not label or last.facets is not facets or last.action != action or last.day != day:
            found = self.cases.get((label.core, action, day, facets.key))
            if found is None:
                found = self.add_case(label, action, facets, day)
            last = Last(label, facets, action, day, found)
            if len(self.by_label) >= MAX_MEMO:
                self.by_label.clear()
            if label.short:
                self.by_label[id(label)] = last
        self.last = last
        return last.case

    def add_case(self, label: Label, action: str, facets: Facets, day: int) -> Case:
        if len(self.cases) >= MAX_MEMO:
            self.cases.clear()
        if not label.short:
            return self.case(label, action, facets, day)
        return self.cases.setdefault((label.core, action, day, facets.key), self.case(label, action, facets, day))

    def find_holder(self, subject: Subject, day: int) -> Holder:
        found = self.holders.get((subject.digest, day))
        if found is None:
            if len(self.holders) >= MAX_MEMO:
                self.holders.clear()
            found = self.holders[subject.digest, day] = self.holder(subject, day)
        return found

    def find_readers(self, subjects: tuple[Subject, ...], day: int) -> Readers | None:
        """These side by side, if they are asked about often; None: each is to be judged alone."""
        found = self.circles.find(subjects, day)
        if found is None and self.circles.meet(subjects, day):
            holders = [self.find_holder(subject, day) for subject in subjects]
            found = self.circles.keep(subjects, day, side_by_side(holders))
        return found

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
        matching = self.matcher.matching(label, read, action, facets, day)
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
        return any(
            self.matcher.at_most(reading, (reading.scheme, ceiling.get(reading.scheme, ""))) for reading in judged
        )

    def _needs(
        self, originators: tuple[str, ...], scheme: str, matching: tuple[int, ...], day: int
    ) -> tuple[tuple[str, int], ...]:
        rows = self.bundle.rows
        permits = [i for i in matching if rows[i].effect == "permit"]
        return tuple(
            (originator, _bits(i for i in permits if self.matcher.sent_by(rows[i], originator, day)))
            for originator in originators
            if self.bundle.need.of(originator, scheme)
        )


def _bits(indexes: Iterable[int]) -> int:
    return sum(1 << i for i in indexes)


_NOTHING = Reading("", "", -1, frozenset(), ())


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
