"""Which label is stricter, and the label of two things put together.

`join` is a semilattice on valid labels of one scheme: commutative, associative, idempotent, and whoever may read the
join may read both. ADatP-4774.1's dominant label rules 4 to 6 drop a permissive category that one source lacks or
that has nothing in common; the result can then be read by somebody who may read neither source. Here it stays, empty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rsc_share.labels.equivalence import map_label
from rsc_share.labels.label import EVERYBODY, Label, LabelError, Tags, canonical_audience
from rsc_share.labels.scheme import Scheme, SchemeSet, Tag, day_of
from rsc_share.labels.validity import validate


def readers(label: Label) -> frozenset[str]:
    """The audience, with the sole originator said aloud.

    With several originators none reads by that alone: one of them may have got the other's part in confidence.
    """
    listed = (*label.audience, *label.originators) if len(label.originators) == 1 else label.audience
    return frozenset((EVERYBODY,)) if EVERYBODY in listed else frozenset(listed)


def join(a: Label, b: Label, schemes: SchemeSet, now: int) -> Label:
    """The least label that may be put on `a` and `b` together. Raises `LabelError` where no label can.

    Labels of two schemes: the one whose scheme comes later in the alphabet is read in the other's scheme, or, where
    that has no equivalent, the other way round.
    """
    if a.scheme != b.scheme:
        a, b = _in_one_scheme(a, b, schemes, now)
    if bool(a.originators) != bool(b.originators):
        raise LabelError("one label names its originators and the other does not: name them before joining")
    scheme = schemes.scheme(a.scheme)
    level = max((a.level, b.level), key=lambda name: scheme.level(name).rank)
    joined = Label(
        scheme=a.scheme,
        level=level,
        tags=_join_tags(a, b, scheme),
        originators=(authors := tuple(sorted({*a.originators, *b.originators}))),
        audience=canonical_audience(_meet(readers(a), readers(b)), authors),
        created=_latest(a.created, b.created),
        review=_earliest(a.review, b.review),
        successor=a.successor if a.successor == b.successor and a.review == b.review else None,
    )
    validate(joined, schemes)
    return joined


def dominates(
    high: Label, low: Label, schemes: SchemeSet, now: int, groups: Mapping[str, Collection[str]] | None = None
) -> bool:
    """True if `high` protects at least as well as `low`: whoever may read `high` may read `low`.

    `groups` says who is in which group at `now`; without it a group covers only itself. Labels that cannot be
    compared do not dominate.
    """
    if high.scheme != low.scheme:
        mapped = map_label(low, high.scheme, schemes, day_of(now))
        if mapped is None:
            return False
        low = mapped
    scheme = schemes.get(high.scheme)
    if scheme is None or high.level not in scheme.levels or low.level not in scheme.levels:
        return False
    if scheme.levels[high.level].rank < scheme.levels[low.level].rank:
        return False
    if not set(low.originators) <= set(high.originators):
        return False
    return _audience_within(high, low, groups or {}) and all(
        _tag_dominates(tag, high, low) for tag in scheme.tags.values()
    )


def _tag_dominates(tag: Tag, high: Label, low: Label) -> bool:
    ours, theirs = dict(high.tags).get(tag.name), dict(low.tags).get(tag.name)
    if theirs is None:
        return True
    if ours is None:
        return False
    if tag.type == "permissive":
        return set(ours) <= set(theirs)
    if tag.type == "handling":
        return _rank(tag, ours) >= _rank(tag, theirs)
    return set(theirs) <= set(ours)


def _rank(tag: Tag, values: Collection[str]) -> int:
    return max((tag.values[value].rank for value in values if value in tag.values), default=-1)


def _audience_within(high: Label, low: Label, groups: Mapping[str, Collection[str]]) -> bool:
    wide = readers(low)
    if EVERYBODY in wide:
        return True
    members = wide.union(*(groups.get(item, ()) for item in wide))
    return all(item in members or (item in groups and members.issuperset(groups[item])) for item in readers(high))


def _meet(a: frozenset[str], b: frozenset[str]) -> frozenset[str]:
    """Who is in both. Groups are compared by name only: who is in them changes after the label is written."""
    if EVERYBODY in a:
        return b
    return a if EVERYBODY in b else a & b


def _join_tags(a: Label, b: Label, scheme: Scheme) -> Tags:
    ours, theirs = dict(a.tags), dict(b.tags)
    names = sorted(ours.keys() | theirs.keys())
    joined = ((name, _join_tag(scheme.tag(name), ours.get(name), theirs.get(name))) for name in names)
    return tuple((name, tuple(sorted(values))) for name, values in joined)


def _join_tag(tag: Tag, a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> set[str]:
    if a is None or b is None:
        # A label without a permissive tag lets everybody through it, so the other side's values stand alone.
        return {*(a or ()), *(b or ())}
    if tag.type == "permissive":
        return set(a) & set(b)
    if tag.type == "handling":
        return {max({*a, *b}, key=lambda value: _rank(tag, (value,)))}
    return {*a, *b}


def _in_one_scheme(a: Label, b: Label, schemes: SchemeSet, now: int) -> tuple[Label, Label]:
    first, second = sorted((a, b), key=lambda label: label.scheme)
    mapped = map_label(second, first.scheme, schemes, day_of(now))
    if mapped is not None:
        return first, mapped
    mapped = map_label(first, second.scheme, schemes, day_of(now))
    if mapped is not None:
        return mapped, second
    raise LabelError(f"{a.scheme} {a.level} and {b.scheme} {b.level} have no equivalent in each other's scheme")


def _earliest(a: int | None, b: int | None) -> int | None:
    return min((time for time in (a, b) if time is not None), default=None)


def _latest(a: int | None, b: int | None) -> int | None:
    return max((time for time in (a, b) if time is not None), default=None)
