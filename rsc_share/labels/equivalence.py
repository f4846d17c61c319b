"""How a label of one scheme reads in another: directed, dated, conditional, and never overwriting the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rsc_share.labels.label import Label, Tags
from rsc_share.labels.scheme import Equivalence, SchemeSet, Tag
from rsc_share.labels.validity import matches


def map_label(label: Label, to: str, schemes: SchemeSet, day: int) -> Label | None:
    """`label` as scheme `to` reads it on `day`, or None: no mapping means no access.

    A restrictive value without an equivalent stops the mapping, and so does a permissive tag of which nothing is left,
    because leaving them out would widen. Informative and handling values stay with the original label, which is always
    shown beside this one.
    """
    scheme = schemes.get(label.scheme)
    if scheme is None or to not in schemes:
        return None
    for row in scheme.equivalences_to(to, day):
        mapped = _apply(label, row, schemes)
        if mapped is not None:
            return mapped
    return None


def readings(label: Label, schemes: SchemeSet, day: int) -> Iterator[Label]:
    """`label` itself, then as every other scheme reads it, in the order of their ids."""
    yield label
    for to in schemes:
        if to != label.scheme:
            mapped = map_label(label, to, schemes, day)
            if mapped is not None:
                yield mapped


def _apply(label: Label, row: Equivalence, schemes: SchemeSet) -> Label | None:
    level = row.levels.get(label.level)
    target = schemes[row.to]
    if level is None or level not in target.levels or not matches(label, row.requires):
        return None
    if not all(values for _, values in label.tags):
        return None  # a permissive tag that nobody holds has no equivalent: without it somebody would read
    tags: dict[str, set[str]] = {}
    for name, values in label.tags:
        tag = schemes[label.scheme].tags.get(name)
        if tag is None:
            return None
        if tag.type in ("restrictive", "permissive"):
            equal = [row.tags[name, value] for value in values if (name, value) in row.tags]
            # A permissive value may stay behind: fewer readers. A restrictive one, or the last permissive one, may not.
            if not equal or (tag.type == "restrictive" and len(equal) < len(values)):
                return None
            if not all(_same_kind(target.tags.get(other), other_value, tag.type) for other, other_value in equal):
                return None
            tags[equal[0][0]] = {other_value for _, other_value in equal}
    spelled: Tags = tuple((name, tuple(sorted(values))) for name, values in sorted(tags.items()))
    return replace(label, scheme=row.to, level=level, tags=spelled, successor=None)


def _same_kind(tag: Tag | None, value: str, kind: str) -> bool:
    return tag is not None and tag.type == kind and value in tag.values


def equivalence_faults(schemes: SchemeSet) -> Iterator[str]:
    """What is wrong between the schemes of one policy. Nothing here may be let into a policy: each fault widens.

    A higher level never reads as a lower one than a level below it does, and a label that goes to another scheme and
    comes back is never lower than it was.
    """
    for scheme in schemes.values():
        for row in scheme.equivalences:
            yield from _table_faults(scheme.id, row, schemes)
            yield from _round_trip_faults(scheme.id, row, schemes)


def _table_faults(origin: str, row: Equivalence, schemes: SchemeSet) -> Iterator[str]:
    target = schemes.get(row.to)
    if target is None:
        return  # a partner's scheme may be missing; then there is no mapping, and no access
    unknown = sorted(set(row.levels.values()) - set(target.levels))
    if unknown:
        yield f"{origin} to {row.to}: {row.to} has no level {', '.join(unknown)}"
        return
    here = schemes[origin].levels
    order = sorted(row.levels, key=lambda name: here[name].rank)
    ranks = [target.levels[row.levels[name]].rank for name in order]
    yield from (
        f"{origin} to {row.to}: {order[i + 1]} reads lower than {order[i]}"
        for i in range(len(ranks) - 1)
        if ranks[i] > ranks[i + 1]
    )


def _round_trip_faults(origin: str, row: Equivalence, schemes: SchemeSet) -> Iterator[str]:
    """Every way back that is open on a day this row is open too, through however many schemes."""
    here = schemes[origin].levels
    for name, level in row.levels.items():
        for path, back in _ways(row.to, level, row, schemes, (origin, row.to)):
            if back in here and here[back].rank < here[name].rank:
                yield f"{' to '.join(path)}: {origin} {name} comes back as {back}"


def _ways(
    at: str, level: str, row: Equivalence, schemes: SchemeSet, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    home = path[0]
    for step in schemes[at].equivalences if at in schemes else ():
        onward = step.levels.get(level)
        if onward is None or step.valid.first > row.valid.last or row.valid.first > step.valid.last:
            continue
        if step.to == home:
            yield (*path, home), onward
        elif step.to not in path:
            yield from _ways(step.to, onward, row, schemes, (*path, step.to))
