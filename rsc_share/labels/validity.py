"""Is a label valid under its scheme? (X.841 and ADatP-4774: known values, types, combinations, obsolescence.)"""

from __future__ import annotations

from rsc_share.labels.label import Label, LabelError
from rsc_share.labels.scheme import Combination, Scheme, SchemeSet, Tag


def validate(label: Label, schemes: SchemeSet, now: int | None = None, *, writing: bool = False) -> None:
    """Raises `LabelError` if `label` is not valid. Obsolete values may be read for ever, and never written.

    `now` in milliseconds matters only for writing: a label is not composed after its own review.
    """
    scheme = schemes.scheme(label.scheme)
    level = scheme.level(label.level)
    if writing and level.obsolete:
        raise _obsolete(label, level.name, level.replaced_by)
    if level.named and any(item.startswith("@") for item in label.audience):
        raise _invalid(label, f"{level.name} is for readers who are named: a group cannot be in its audience")
    for name, values in label.tags:
        _check_tag(label, scheme.tag(name), values, writing=writing)
    _check_rules(label, scheme)
    _check_times(label, schemes, now, writing=writing)


def matches(label: Label, combination: Combination) -> bool:
    """True if for every key the label has at least one of its values. An empty combination matches every label."""
    return all(
        label.level in values if key == "level" else not values.isdisjoint(label.values(key))
        for key, values in combination.items()
    )


def _check_tag(label: Label, tag: Tag, values: tuple[str, ...], *, writing: bool) -> None:
    for value in values:
        known = tag.values.get(value)
        if known is None:
            raise _invalid(label, f"{tag.name} has no value {value}", expected=tuple(tag.values))
        if writing and known.obsolete:
            raise _obsolete(label, value, known.replaced_by)
    if not values and tag.type != "permissive":
        raise _invalid(label, f"{tag.name} is there without a value")
    if tag.single and len(values) > 1:
        raise _invalid(label, f"{tag.name} takes one value, not {len(values)}")


def _check_rules(label: Label, scheme: Scheme) -> None:
    for rule in scheme.rules:
        if not matches(label, rule.when):
            continue
        if not matches(label, rule.requires):
            raise _invalid(label, f"{_words(rule.when)} needs {_words(rule.requires)}")
        for key, values in rule.excludes.items():
            if matches(label, {key: values}):
                raise _invalid(label, f"{_words(rule.when)} excludes {_words({key: values})}")


def _check_times(label: Label, schemes: SchemeSet, now: int | None, *, writing: bool) -> None:
    if writing and now is not None and label.review is not None and label.review <= now:
        raise _invalid(label, "its review is in the past")
    if label.successor is None:
        return
    if label.review is None:
        raise _invalid(label, "a successor needs the time it takes over, in review")
    validate(label.successor, schemes, writing=writing)
    if label.successor.scheme != label.scheme or label.successor.originators != label.originators:
        raise _invalid(label, "a successor keeps scheme and originators")


def _words(combination: Combination) -> str:
    return " and ".join(f"{key} {' or '.join(sorted(values))}" for key, values in combination.items()) or "every label"


def _invalid(label: Label, what: str, expected: tuple[str, ...] = ()) -> LabelError:
    return LabelError(f"{label.scheme} {label.level}: {what}", code="label-invalid", expected=expected)


def _obsolete(label: Label, value: str, instead: str) -> LabelError:
    advice = f"write {instead}" if instead else ""
    return LabelError(
        f"{label.scheme}: {value} may be read but no longer written", code="label-obsolete", advice=advice
    )
