"""What labels mean, for the second opinion: valid or not, and how they read in other schemes.

As obvious and as slow as `reference`, and as independent: no line of it is shared with what decides elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from rsc_share.labels.label import Label
from rsc_share.labels.scheme import Combination, Equivalence, Scheme, Tag

FORGET_AFTER = 4096


class Labels:
    """Of one bundle's schemes. Remembers which labels were valid and how they read elsewhere, because a log repeats its
    labels."""

    def __init__(self, schemes: Mapping[str, Scheme]) -> None:
        self._schemes = schemes
        self.order = {name: list(scheme.levels) for name, scheme in schemes.items()}
        self._valid: dict[object, bool] = {}
        self._read: dict[object, list[Label]] = {}

    # 2 VALID

    def is_valid(self, label: Label) -> bool:
        if not label.short:
            return self._check(label)
        if label.core not in self._valid:
            if len(self._valid) > FORGET_AFTER:
                self._valid.clear()
            self._valid[label.core] = self._check(label)
        return self._valid[label.core]

    def _check(self, label: Label) -> bool:
        scheme = self._schemes.get(label.scheme)
        if scheme is None or label.level not in scheme.levels:
            return False
        if scheme.levels[label.level].named and any(item[0] == "@" for item in label.audience):
            return False
        if not all(_tag_valid(scheme.tags.get(name), values) for name, values in label.tags):
            return False
        for rule in scheme.rules:
            if _has(label, rule.when):
                if not _has(label, rule.requires):
                    return False
                if any(_has(label, {key: rule.excludes[key]}) for key in rule.excludes):
                    return False
        after = label.successor
        if after is None:
            return True
        same = after.scheme == label.scheme and after.originators == label.originators
        return same and label.review is not None and self._check(after)

    # 3 SCHEME

    def readings(self, label: Label, day: int) -> list[Label]:
        """The label in its own scheme first, then in every other that has an equivalent today, by name."""
        if not label.short:
            return self._readings(label, day)
        key = (label.core, day)
        if key not in self._read:
            if len(self._read) > FORGET_AFTER:
                self._read.clear()
            self._read[key] = self._readings(label, day)
        return self._read[key]

    def _readings(self, label: Label, day: int) -> list[Label]:
        others = (self._as(label, scheme, day) for scheme in sorted(self._schemes) if scheme != label.scheme)
        return [label, *(other for other in others if other is not None)]

    def _as(self, label: Label, to: str, day: int) -> Label | None:
        for row in self._schemes[label.scheme].equivalences:
            if row.to == to and row.valid.first <= day <= row.valid.last:
                found = _translated(label, row, self._schemes[label.scheme], self._schemes[to])
                if found is not None:
                    return found
        return None

    def not_above(self, reading: Label, scheme: str, limit: str) -> bool:
        if reading.scheme != scheme:
            return False
        levels = self.order[scheme]
        return limit in levels and levels.index(reading.level) <= levels.index(limit)


def _tag_valid(tag: Tag | None, values: tuple[str, ...]) -> bool:
    if tag is None or not all(value in tag.values for value in values):
        return False
    if not values:
        return tag.type == "permissive"
    return len(values) == 1 or not tag.single


def _has(label: Label, combination: Combination) -> bool:
    for key, values in combination.items():
        carried = {label.level} if key == "level" else set(label.values(key))
        if not carried & values:
            return False
    return True


def _translated(label: Label, row: Equivalence, source: Scheme, target: Scheme) -> Label | None:
    """None unless the level, every restrictive value and at least one of each permissive tag have an equivalent."""
    level = row.levels.get(label.level)
    if level is None or level not in target.levels or not _has(label, row.requires):
        return None
    if any(len(values) == 0 for _, values in label.tags):
        return None
    tags: dict[str, set[str]] = {}
    for name, values in label.tags:
        kind = source.tags[name].type
        if kind not in ("restrictive", "permissive"):
            continue
        there = [row.tags.get((name, value)) for value in values]
        found = {pair for pair in there if pair is not None}
        if not found or (kind == "restrictive" and None in there):
            return None
        for tag, value in found:
            if tag not in target.tags or value not in target.tags[tag].values or target.tags[tag].type != kind:
                return None
            tags.setdefault(tag, set()).add(value)
    return Label(
        scheme=row.to,
        level=level,
        tags=tuple((tag, tuple(sorted(values))) for tag, values in sorted(tags.items())),
        originators=label.originators,
        audience=label.audience,
    )
