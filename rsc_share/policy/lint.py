"""What is odd in a policy, before anybody signs it. Errors are those that make it mean less than it says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from rsc_share.labels.equivalence import equivalence_faults
from rsc_share.labels.label import EVERYBODY
from rsc_share.labels.scheme import Equivalence, Scheme
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.rows import COMPARABLE, Row

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable; `where` a scheme, row or file; `what` one sentence."""

    severity: Severity
    code: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Codes:
    """What the charter knows: None where it was not given, and then nothing is said about it."""

    members: Collection[str] | None = None
    groups: Collection[str] | None = None
    families: Collection[str] | None = None
    channels: Collection[str] | None = None


def lint(bundle: Bundle, known: Codes | None = None) -> tuple[Finding, ...]:
    """Everything found, errors first, then by place."""
    codes = known or Codes()
    found = [finding for check in _CHECKS for finding in check(bundle, codes)]
    return tuple(sorted(set(found), key=lambda f: (f.severity != "error", f.where, f.code, f.what)))


def _markings(bundle: Bundle, codes: Codes) -> Iterator[Finding]:
    for scheme in bundle.schemes.values():
        for level in scheme.levels.values():
            missing = [kind for kind, mark in (("banner", level.banner), ("portion", level.portion)) if not mark]
            if missing:
                what = f"level {level.name} has no {' and no '.join(missing)} marking"
                yield Finding("warning", "no-marking", scheme.id, what)
            yield from _replacement(scheme, level.name, level.obsolete, level.replaced_by, scheme.levels)
        for tag in scheme.tags.values():
            for value in tag.values.values():
                yield from _replacement(scheme, value.name, value.obsolete, value.replaced_by, tag.values)


def _replacement(scheme: Scheme, name: str, obsolete: bool, instead: str, known: Collection[str]) -> Iterator[Finding]:
    if obsolete and instead not in known:
        yield Finding(
            "warning", "no-replacement", scheme.id, f"{name} is obsolete and {instead or 'nothing'} replaces it"
        )


def _equivalences(bundle: Bundle, codes: Codes) -> Iterator[Finding]:
    for fault in equivalence_faults(bundle.schemes):
        yield Finding("error", "equivalence", "schemes", fault)
    for scheme in bundle.schemes.values():
        for row in scheme.equivalences:
            if row.to not in bundle.schemes:
                yield Finding("warning", "unknown-scheme", scheme.id, f"has equivalents in {row.to}, which is not here")
                continue
            yield from _gaps(scheme, row)
            for (tag, value), (other, other_value) in row.tags.items():
                target = bundle.schemes[row.to].tags.get(other)
                if target is None or other_value not in target.values or target.type != scheme.tags[tag].type:
                    what = (
                        f"{tag} {value} leads to {row.to} {other} {other_value}, which is not there or of another type"
                    )
                    yield Finding("error", "unknown-value", scheme.id, what)


def _gaps(scheme: Scheme, row: Equivalence) -> Iterator[Finding]:
    top = max((scheme.levels[name].rank for name in row.levels), default=-1)
    missing = [level.name for level in scheme.levels.values() if level.rank < top and level.name not in row.levels]
    if missing:
        what = f"in {row.to} a higher level can be read and {', '.join(missing)} cannot"
        yield Finding("warning", "equivalence-gap", scheme.id, what)


def _row_codes(bundle: Bundle, codes: Codes) -> Iterator[Finding]:
    groups = {row.group for scheme in bundle.schemes.values() for row in scheme.groups} | {EVERYBODY}
    for row in bundle.rows:
        for item in sorted(row.senders | row.to):
            known = codes.groups if item.startswith("@") else codes.members
            if known is not None and item not in known and item not in groups:
                yield Finding("error", "unknown-code", row.id, f"{item} is in no charter and no scheme")
        for names, known, what in (
            (row.families, codes.families, "family"),
            (row.channels, codes.channels, "channel"),
        ):
            for name in sorted(names - set(known) if known is not None else ()):
                yield Finding("error", "unknown-code", row.id, f"no {what} {name}")
        yield from _row_levels(bundle, row)


def _row_levels(bundle: Bundle, row: Row) -> Iterator[Finding]:
    for limit in (row.max_level, row.min_level):
        if limit is not None and (limit[0] not in bundle.schemes or limit[1] not in bundle.schemes[limit[0]].levels):
            effect = "never permits" if row.effect == "permit" else "always applies"
            yield Finding("error", "unknown-level", row.id, f"{' '.join(limit)} is no level here: this row {effect}")
    for tag, values in row.carrying:
        having = [scheme.tags[tag] for scheme in bundle.schemes.values() if tag in scheme.tags]
        unknown = sorted(values - {value for found in having for value in found.values})
        if unknown:
            yield Finding("error", "unknown-value", row.id, f"no scheme has {tag} {', '.join(unknown)}")
        if any(found.type not in COMPARABLE for found in having):
            yield Finding("error", "wrong-tag", row.id, f"{tag} is neither restrictive nor informative")


def _reach(bundle: Bundle, codes: Codes) -> Iterator[Finding]:
    for row in bundle.rows:
        if row.valid.last < bundle.valid.first or bundle.valid.last < row.valid.first:
            yield Finding("warning", "unreachable", row.id, "is valid on no day of this policy")
        if len(row.senders) == 1 and row.senders == row.to and not any(item.startswith("@") for item in row.to):
            yield Finding("warning", "unreachable", row.id, "is about a member's own material for itself")
    for first, second in combinations(bundle.rows, 2):
        for wide, narrow in ((first, second), (second, first)):
            if wide.effect == narrow.effect and _covers(wide, narrow) and wide.obligations == narrow.obligations:
                yield Finding("warning", "redundant", narrow.id, f"says nothing that {wide.id} does not say")
            if wide.effect == "deny" and narrow.effect == "permit" and _shadows(wide, narrow):
                yield Finding("error", "shadowed", narrow.id, f"permits what {wide.id} denies: deny overrides")


def _needs(bundle: Bundle, codes: Codes) -> Iterator[Finding]:
    permits = [row for row in bundle.rows if row.effect == "permit"]
    for originator in sorted(bundle.need.originators):
        if codes.members is not None and originator not in codes.members:
            yield Finding("error", "unknown-code", "policy.toml", f"{originator} requires agreements and is no member")
        if not any(originator in row.senders or any(s.startswith("@") for s in row.senders) for row in permits):
            what = f"{originator} requires agreements and has none: its material goes to nobody"
            yield Finding("warning", "no-permit", "policy.toml", what)
    for scheme in sorted(bundle.need.schemes - set(bundle.schemes)):
        yield Finding("error", "unknown-scheme", "policy.toml", f"{scheme} requires agreements and is not here")


def _shadows(deny: Row, permit: Row) -> bool:
    """Every use the permit allows is denied. A deny row that looks at levels or tags leaves something over."""
    return deny.min_level is None and not deny.carrying and _facts_cover(deny, permit)


def _covers(wide: Row, narrow: Row) -> bool:
    same = (wide.max_level, wide.min_level, wide.carrying) == (narrow.max_level, narrow.min_level, narrow.carrying)
    if same and _facts_cover(wide, narrow):
        return wide.id != narrow.id and (not _facts_cover(narrow, wide) or wide.id < narrow.id)
    return False


def _facts_cover(wide: Row, narrow: Row) -> bool:
    pairs = ((wide.senders, narrow.senders), (wide.to, narrow.to))
    people = all(EVERYBODY in ours or theirs <= ours for ours, theirs in pairs)
    facts = ((wide.families, narrow.families), (wide.channels, narrow.channels), (wide.purposes, narrow.purposes))
    open_or_wider = all(not ours or (bool(theirs) and theirs <= ours) for ours, theirs in facts)
    days = wide.valid.first <= narrow.valid.first and narrow.valid.last <= wide.valid.last
    return people and open_or_wider and days and narrow.actions <= wide.actions


_CHECKS: tuple[Callable[[Bundle, Codes], Iterator[Finding]], ...] = (
    _markings,
    _equivalences,
    _row_codes,
    _reach,
    _needs,
)
