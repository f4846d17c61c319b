"""How a label of one scheme reads in another: directed, dated, conditional, and never overwriting the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rsc_share.labels.label import Label, Tags
from rsc_share.labels.scheme import Equivalence, SchemeSet
from rsc_share.labels.validity import matches


def map_label(label: Label, to: str, schemes: SchemeSet, day: int) -> Label | None:
    """`label` as scheme `to` reads it on `day`, or None: no mapping means no access.

    A restrictive or permissive value without an equivalent stops the mapping, because leaving it out would widen.
    Informative and handling values stay with the original label, which is always shown beside this one.
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
    tags: dict[str, set[str]] = {}
    for name, value in _tested(label, schemes):
        equal = row.tags.get((name, value))
        if equal is None or equal[0] not in target.tags or equal[1] not in target.tags[equal[0]].values:
            return None
        if (
            name not in schemes[label.scheme].tags
            or target.tags[equal[0]].type != schemes[label.scheme].tags[name].type
        ):
            return None
        tags.setdefault(equal[0], set()).add(equal[1])
    spelled: Tags = tuple((name, tuple(sorted(values))) for name, values in sorted(tags.items()))
    return replace(label, scheme=row.to, level=level, tags=spelled, successor=None)


def _tested(label: Label, schemes: SchemeSet) -> Iterator[tuple[str, str]]:
    known = schemes[label.scheme].tags
    for name, values in label.tags:
        if name not in known or known[name].type in ("restrictive", "permissive"):
            yield from ((name, value) for value in values)
