"""A classification scheme: its levels in order, its tags, its markings and what equals what elsewhere.

A scheme is a table, never a program. All its dates are UTC days, the last one included, because the states that sign
it agree on days; `day_of` turns a time into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from rsc_share.errors import LocalError
from rsc_share.labels.label import LabelError

DAY = 86_400_000
"""Milliseconds."""
FOREVER = 1 << 40
"""A day that does not come."""

TagType = Literal["restrictive", "permissive", "informative", "handling"]
TAG_TYPES: tuple[TagType, ...] = ("restrictive", "permissive", "informative", "handling")
ACTIONS = ("receive", "open", "forward", "derive", "publish")

Obligations = tuple[tuple[str, str | int], ...]
Combination = Mapping[str, frozenset[str]]
"""Tag name, or `level`, to values. A label matches when every key has at least one of its values."""


def day_of(time: int) -> int:
    """The UTC day of a time in milliseconds, counted from 1970-01-01."""
    return time // DAY


@dataclass(frozen=True, slots=True)
class Days:
    """Both ends included."""

    first: int = 0
    last: int = FOREVER

    def __contains__(self, day: int) -> bool:
        return self.first <= day <= self.last


ALWAYS = Days()


@dataclass(frozen=True, slots=True)
class Level:
    """One level. `rank` is its place from the bottom; two levels of one scheme never share it."""

    name: str
    rank: int
    banner: str = ""
    portion: str = ""
    public_release: bool = False
    obsolete: bool = False
    replaced_by: str = ""
    named: bool = False
    """Readers must be named by their member code: a group is not enough (TLP:RED)."""
    obligations: Obligations = ()


@dataclass(frozen=True, slots=True)
class TagValue:
    name: str
    rank: int
    portion: str = ""
    obsolete: bool = False
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Tag:
    """restrictive: a reader holds all values. permissive: a reader holds one. informative: nobody is tested.
    handling: ordered, at most one value, joins to the higher one and becomes an obligation (PAP)."""

    name: str
    type: TagType
    values: Mapping[str, TagValue]
    prefix: str = ""
    single: bool = False
    originator_control: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A label that matches `when` matches `requires` too, and matches nothing in `excludes`."""

    when: Combination
    requires: Combination
    excludes: Combination


@dataclass(frozen=True, slots=True)
class Equivalence:
    """How a label of the scheme that holds this row reads in scheme `to`. One direction, within `valid`.

    `tags` maps (tag, value) to (tag, value) of the other scheme. What is not in the tables has no equivalent.
    """

    to: str
    valid: Days
    levels: Mapping[str, str]
    tags: Mapping[tuple[str, str], tuple[str, str]]
    requires: Combination = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Membership:
    group: str
    member: str
    valid: Days


@dataclass(frozen=True, slots=True)
class Scheme:
    id: str
    title: str
    version: int
    levels: Mapping[str, Level]
    """From the lowest to the highest."""
    tags: Mapping[str, Tag]
    separator: str = " "
    audience_mode: Literal["restrict", "extend"] = "restrict"
    default_audience: tuple[str, ...] | None = None
    base_audience: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    groups: tuple[Membership, ...] = ()
    equivalences: tuple[Equivalence, ...] = ()

    def level(self, name: str) -> Level:
        """Raises `LabelError` for a level this scheme does not have."""
        found = self.levels.get(name)
        if found is None:
            raise LabelError(f"{self.id} has no level {name}", expected=tuple(self.levels))
        return found

    def tag(self, name: str) -> Tag:
        found = self.tags.get(name)
        if found is None:
            raise LabelError(f"{self.id} has no tag {name}", expected=tuple(self.tags))
        return found

    def equivalences_to(self, scheme: str, day: int) -> Iterator[Equivalence]:
        return (row for row in self.equivalences if row.to == scheme and day in row.valid)

    def members_of(self, group: str, day: int) -> frozenset[str]:
        return frozenset(row.member for row in self.groups if row.group == group and day in row.valid)


class SchemeSet(Mapping[str, Scheme]):
    """The schemes of one policy, by id. A value: it never changes after it is built."""

    __slots__ = ("_schemes",)

    def __init__(self, schemes: Iterable[Scheme]) -> None:
        found: dict[str, Scheme] = {}
        for scheme in sorted(schemes, key=lambda scheme: scheme.id):
            if scheme.id in found:
                raise LocalError(f"scheme {scheme.id} is there twice")
            found[scheme.id] = scheme
        self._schemes: Mapping[str, Scheme] = MappingProxyType(found)

    def __getitem__(self, scheme: str) -> Scheme:
        return self._schemes[scheme]

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemes)

    def __len__(self) -> int:
        return len(self._schemes)

    def scheme(self, name: str) -> Scheme:
        """Raises `LabelError` for an unknown scheme."""
        found = self._schemes.get(name)
        if found is None:
            raise LabelError(f"no scheme {name} here", expected=tuple(self._schemes))
        return found
