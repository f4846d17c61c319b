"""A small world in which every step of a decision can pass and fail.

Hypothesis draws one number per example and `World` makes everything else from it: a bundle, a label, a subject and
facts have some fifty choices between them, and drawing each would leave time for a tenth of the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from rsc_share.labels import Label, LabelError, SchemeSet, validate
from rsc_share.labels.scheme import ACTIONS, Days, day_of
from rsc_share.policy import Bundle, ChannelFacts, Entitlement, Facets, Row, Subject
from rsc_share.policy.rows import Effect
from rsc_share.value import replace

T = TypeVar("T")
Case = tuple[Bundle, Label, Subject, str, Facets]
NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
TODAY = day_of(NOW)
MEMBERS = ("EST", "FIN", "LVA")
READERS = (*MEMBERS, "@east", "@dated", "@nowhere", "@members")

POLICY = """
policy = "laws"
version = 1
valid = [2026-01-01, 2027-12-31]
[agreement]
originators = ["LVA"]
schemes = ["BETA"]
"""
ALPHA = """
scheme = "ALPHA"
title = "every kind of tag"
version = 1
[[level]]
name = "OPEN"
public_release = true
obligations = { onward = "yes" }
[[level]]
name = "MIDDLE"
[[level]]
name = "HIGH"
named = true
[[tag]]
name = "caveat"
type = "restrictive"
value = [{ name = "A" }, { name = "B" }]
[[tag]]
name = "project"
type = "permissive"
prefix = "PROJECT"
value = [{ name = "P" }, { name = "Q" }]
[[tag]]
name = "control"
type = "informative"
originator_control = true
value = [{ name = "ORCON" }]
[[tag]]
name = "pap"
type = "handling"
prefix = "PAP"
value = [{ name = "GREEN" }, { name = "RED" }]
[[rule]]
when = { caveat = ["B"] }
requires = { level = ["MIDDLE", "HIGH"] }
[groups]
"@dated" = [{ member = "FIN", first = 2026-06-01 }, { member = "LVA", last = 2026-06-01 }]
[[equivalence]]
to = "BETA"
valid = [2026-01-01, 2026-12-31]
levels = { OPEN = "ONE", MIDDLE = "TWO", HIGH = "TWO" }
tags = [["caveat", "A", "sensitive", "X"]]
[[equivalence]]
to = "GAMMA"
valid = [2026-01-01, 2026-12-31]
levels = { OPEN = "ONE", MIDDLE = "ONE", HIGH = "TWO" }
tags = [["caveat", "A", "caveat", "A"], ["caveat", "B", "caveat", "B"], ["project", "P", "project", "P"]]
"""
BETA = """
scheme = "BETA"
title = "extends"
version = 1
audience_mode = "extend"
base_audience = ["@east"]
level = [{ name = "ONE" }, { name = "TWO" }]
[[tag]]
name = "sensitive"
type = "restrictive"
value = [{ name = "X" }]
[[equivalence]]
to = "ALPHA"
valid = [2026-01-01, 2026-12-31]
levels = { ONE = "MIDDLE", TWO = "HIGH" }
tags = [["sensitive", "X", "caveat", "A"]]
"""
GAMMA = """
scheme = "GAMMA"
title = "another"
version = 1
level = [{ name = "ONE" }, { name = "TWO" }]
[[tag]]
name = "caveat"
type = "restrictive"
value = [{ name = "A" }, { name = "B" }]
[[tag]]
name = "project"
type = "permissive"
prefix = "PROJECT"
value = [{ name = "P" }]
"""
FILES = {
    "policy.toml": POLICY.encode(),
    "schemes/alpha.toml": ALPHA.encode(),
    "schemes/beta.toml": BETA.encode(),
    "schemes/gamma.toml": GAMMA.encode(),
}
BASE = Bundle.from_files(FILES)
SCHEMES: SchemeSet = BASE.schemes
GROUPS = {"@members": frozenset(MEMBERS), "@east": frozenset({"EST", "FIN"})}


def levels_of(scheme: str) -> list[str]:
    return list(SCHEMES[scheme].levels)


def is_valid(label: Label) -> bool:
    try:
        validate(label, SCHEMES)
    except LabelError:
        return False
    return True


_LEVELS = [(scheme, level) for scheme in sorted(SCHEMES) for level in levels_of(scheme)] + [("ALPHA", "STRANGE")]


def _groups(member: str) -> frozenset[str]:
    return frozenset(group for group in ("@east",) if member in GROUPS[group])


class World:
    """Everything a decision needs, from one number."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - test data

    def one(self, values: Sequence[T]) -> T:
        return self.random.choice(values)

    def some(self, values: Iterable[str], low: int = 0, high: int = 9) -> frozenset[str]:
        ordered = sorted(set(values))
        return frozenset(self.random.sample(ordered, self.random.randint(low, min(high, len(ordered)))))

    def mostly(self, values: Iterable[str]) -> frozenset[str]:
        return self.some(values) if self.random.random() < 0.15 else frozenset(values)

    def coin(self) -> bool:
        return self.random.random() < 0.5

    def until(self, make: Callable[[], T], good: Callable[[T], bool]) -> T:
        """The first that is good: no law is tested on cases that its premise leaves out."""
        for _ in range(3000):
            found = make()
            if good(found):
                return found
        raise RuntimeError("this world does not hold such a case")

    def label(self, scheme: str | None = None) -> Label:
        """Mostly valid, sometimes of an unknown level, tag value or scheme."""
        name = scheme or self.one(("ALPHA", "ALPHA", "ALPHA", "BETA", "GAMMA", "DELTA"))
        known = SCHEMES.get(name)
        tags = {}
        for tag in known.tags.values() if known else ():
            values = self.some((*tag.values, "STRANGE") if self.random.random() < 0.05 else tag.values, high=2)
            if values or (tag.type == "permissive" and self.random.random() < 0.1):
                tags[tag.name] = values
        return Label.of(
            name,
            self.one((*(known.levels if known else ()), *(known.levels if known else ()), "STRANGE")),
            tags=tags,
            originators=self.some(MEMBERS, high=2),
            audience=self.some(READERS, high=3),
            review=self.one((None, NOW + 1)),
        )

    def valid_label(self, scheme: str | None = None) -> Label:
        return self.until(lambda: self.label(scheme), is_valid)

    def entitlement(self, scheme: str, *, closed: bool = False) -> Entitlement:
        """`closed`: with every level below the highest one, as states agree on them; otherwise any set."""
        levels = levels_of(scheme)
        chosen = levels[: self.random.randint(0, len(levels))] if closed else self.some((*levels, "STRANGE"))
        tags = {tag.name: self.some((*tag.values, "STRANGE")) for tag in SCHEMES[scheme].tags.values() if self.coin()}
        return Entitlement(frozenset(chosen), tags)

    def subject(self, *, closed: bool = False) -> Subject:
        member = self.one(MEMBERS)
        inside = {"@members"} if self.random.random() < 0.9 else set()
        schemes = sorted(self.some(SCHEMES, low=1))
        return Subject(
            node=f"{member}/node",
            member=member,
            groups=frozenset(inside | _groups(member)),
            entitlements={scheme: self.entitlement(scheme, closed=closed) for scheme in schemes},
            accreditation=self.limits(),
        )

    def cleared(self) -> Subject:
        """Holds everything in ALPHA, so that the late steps are looked at too."""
        member = self.one(MEMBERS)
        tags = {tag: self.mostly(known.values) for tag, known in SCHEMES["ALPHA"].tags.items()}
        held = Entitlement(frozenset(levels_of("ALPHA")), tags)
        return Subject(
            f"{member}/n", member, frozenset({"@members", *_groups(member)}), {"ALPHA": held}, {"ALPHA": "HIGH"}
        )

    def limits(self) -> dict[str, str]:
        return {
            scheme: self.one((*levels_of(scheme), levels_of(scheme)[-1], "STRANGE"))
            for scheme in sorted(self.some(SCHEMES))
        }

    def facets(self) -> Facets:
        channel = ChannelFacts(
            name=self.one(("ct", "cyber")),
            realm=self.one(("operational", "operational", "exercise", "dream")),
            members=self.some(MEMBERS, low=2),
            ceiling=self.limits(),
        )
        return Facets(
            time=NOW + self.one((0, 0, 0, 0, 200, -200, 900)) * 86_400_000,
            channel=channel,
            originator=self.one(MEMBERS),
            family=self.one(("threat", "cyber")),
            type="threat/assessment/1",
            purpose=self.one((None, "warning", "other")),
            releases=self.some(MEMBERS),
            realm=self.one((None, None, None, None, "operational", "exercise")),
        )

    def action(self) -> str:
        return self.one(ACTIONS)

    def row(self, *effects: Effect) -> Row:
        effect = self.one(effects or ("permit", "permit", "permit", "deny", "ceiling", "require-release"))
        limit = self.one(_LEVELS)
        first = TODAY + self.one((-400, -400, -400, 1))
        carrying = {"caveat": ("A", "B"), "project": ("P", "Q")} if self.coin() else {}
        return Row(
            id=f"r{self.random.getrandbits(60)}",
            effect=effect,
            senders=self.some(READERS, low=1, high=2),
            to=self.some(READERS, low=1, high=3),
            actions=self.some(ACTIONS, low=3),
            families=self.some(("threat",)),
            channels=self.some(("ct",)),
            purposes=self.some(("warning",)),
            max_level=limit if effect == "ceiling" or (effect == "permit" and self.coin()) else None,
            min_level=limit if effect in ("deny", "require-release") and self.coin() else None,
            carrying=tuple((tag, frozenset((self.one(values),))) for tag, values in carrying.items()),
            valid=Days(first, first + self.one((300, 800, 800))),
            obligations=self.one(((), (("retain_days", 365),))),
        )

    def bundle(self) -> Bundle:
        return BASE.with_rows([self.row() for _ in range(self.random.randint(0, 5))], groups=GROUPS)

    def case(self) -> Case:
        """Half of them wild, half likely to come far."""
        if self.coin():
            return self.bundle(), self.label(), self.subject(), self.action(), self.facets()
        return self.likely()

    def likely(self) -> Case:
        channel = ChannelFacts("ct", self.one(("operational", "exercise")), self.mostly(MEMBERS), {"ALPHA": "HIGH"})
        around = replace(self.facets(), channel=channel, time=NOW)
        return self.bundle(), self.valid_label("ALPHA"), self.cleared(), self.action(), around
