"""The steps one by one, for whoever asks why; and the few that are too rare to stand in the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rsc_share.labels.label import EVERYBODY
from rsc_share.labels.scheme import day_of
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import STEPS, Step
from rsc_share.policy.resolved import Case, Held, Holder, Reading
from rsc_share.policy.subject import REALMS


def lowest(bits: int) -> int:
    """The place of the lowest bit."""
    return (bits & -bits).bit_length() - 1


def named(case: Case, holder: Holder) -> bool:
    return holder.insider in case.audience or case.sole == holder.insider


def lacking_agreement(case: Case, holder: Holder) -> tuple[str, ...]:
    """Originators who require an agreement and have none for this subject. Nobody needs one for its own material."""
    return tuple(who for who, rows in case.needs if not rows & holder.rows and who != holder.insider)


def judged(case: Case, holder: Holder) -> tuple[Reading, ...]:
    """The label as the subject's entitlements see it: in its own scheme if there is one, else in every scheme it has
    an equivalent in and the subject an entitlement for."""
    if case.native.scheme in holder.held:
        return (case.native,)
    return tuple(reading for reading in case.readings[1:] if reading.scheme in holder.held)


def accredited(case: Case, holder: Holder) -> bool:
    """Within the node's accreditation: in the label's own scheme if the node has one there, else in an equivalent."""
    own = case.native.scheme in holder.subject.accreditation
    readings = (case.native,) if own else case.readings[1:]
    return any(reading.rank <= holder.accredited.get(reading.scheme, -1) for reading in readings)


def indirect_clearance(case: Case, holder: Holder) -> str | None:
    """SCHEME to PERMIT where an equivalence has a say: the first reading that passes, else why the first one fails."""
    readings = judged(case, holder)
    if not readings:
        return "scheme"
    codes = [_clearance(case, holder, reading) for reading in readings]
    return None if None in codes else codes[0]


def _clearance(case: Case, holder: Holder, reading: Reading) -> str | None:
    held = holder.held[reading.scheme]
    if not case.under_ceiling or reading.level not in held.levels or not accredited(case, holder):
        return "level"
    if not reading.restrictive <= held.tags:
        return "restrict"
    if case.audience.isdisjoint(holder.names) and case.sole != holder.insider:
        return "audience"
    return "permit" if any(values.isdisjoint(held.tags) for values in reading.permissive) else None


@dataclass(frozen=True, slots=True)
class _Question:
    bundle: Bundle
    case: Case
    holder: Holder
    reading: Reading
    held: Held


_NOT_HELD = Held(frozenset(), frozenset(), frozenset())


def every_step(bundle: Bundle, case: Case, holder: Holder) -> tuple[Step, ...]:
    """All twelve, also after a failure. A label that is not valid is judged no further: it has no meaning to judge."""
    if case.blocked is not None:
        return _blocked(bundle, case)
    readings = judged(case, holder)
    reading = next((found for found in readings if _clearance(case, holder, found) is None), None)
    reading = reading or next(iter(readings), case.native)
    question = _Question(bundle, case, holder, reading, holder.held.get(reading.scheme, _NOT_HELD))
    return tuple(step(question) for step in _STEPS)


def _blocked(bundle: Bundle, case: Case) -> tuple[Step, ...]:
    known = case.blocked.code if case.blocked is not None else ""
    passed = STEPS[: STEPS.index(known)]
    return (*(Step(name, True, "", "") for name in passed), Step(known, False, case.why_blocked, bundle.name))


def _epoch(q: _Question) -> Step:
    return Step(
        "epoch", True, f"day {day_of(q.case.facets.time)}", f"days {q.bundle.valid.first} to {q.bundle.valid.last}"
    )


def _valid(q: _Question) -> Step:
    return Step("valid", True, f"{q.case.native.scheme} {q.case.native.level}", "valid in its scheme")


def _scheme(q: _Question) -> Step:
    passed = bool(judged(q.case, q.holder))
    through = "" if q.reading is q.case.native else f", read as {q.reading.scheme} {q.reading.level}"
    return Step("scheme", passed, q.case.native.scheme + through, _list(q.holder.held))


def _level(q: _Question) -> Step:
    ceiling = q.case.facets.channel.ceiling
    accreditation = q.holder.subject.accreditation
    passed = q.reading.level in q.held.levels and q.case.under_ceiling and accredited(q.case, q.holder)
    held = (
        f"entitled to {_list(q.held.levels)}; this node accredited to {_limits(accreditation.items())}; "
        f"channel up to {_limits(ceiling.items())}"
    )
    return Step("level", passed, f"{q.reading.scheme} {q.reading.level}", held)


def _restrict(q: _Question) -> Step:
    return Step("restrict", q.reading.restrictive <= q.held.tags, _pairs(q.reading.restrictive), _pairs(q.held.tags))


def _audience(q: _Question) -> Step:
    passed = not q.case.audience.isdisjoint(q.holder.names) or q.case.sole == q.holder.insider
    asked = _list(q.case.audience) if q.case.audience else "originator only"
    return Step("audience", passed, asked, _list(q.holder.names) if q.holder.names else f"outside {EVERYBODY}")


def _permissive(q: _Question) -> Step:
    passed = not any(values.isdisjoint(q.held.tags) for values in q.reading.permissive)
    asked = "; ".join(f"one of {_pairs(values)}" for values in q.reading.permissive) or "nothing"
    return Step("permit", passed, asked, _pairs(q.held.tags))


def _need(q: _Question) -> Step:
    channel = q.case.facets.channel
    return Step("need", q.holder.insider in channel.members, f"a member of {channel.name}", q.holder.subject.member)


def _realm(q: _Question) -> Step:
    here = q.case.facets.channel.realm
    material = q.case.facets.realm if q.case.facets.realm is not None else here
    return Step("realm", here in REALMS and material == here, material, here)


def _origin(q: _Question) -> Step:
    missing = q.case.missing_releases
    return Step("origin", not missing, f"release by {_list(missing)}", f"releases by {_list(q.case.facets.releases)}")


def _agreement(q: _Question) -> Step:
    denying = q.case.denying & q.holder.rows
    if denying:
        row = q.case.rows[lowest(denying)]
        return Step("agreement", False, f"no {row.effect} row", f"{row.id} {row.basis}".strip(), row.id)
    lacking = lacking_agreement(q.case, q.holder)
    permitting = q.case.permitting & q.holder.rows
    found = q.case.rows[lowest(permitting)].id if permitting else None
    asked = f"a permit row for material of {_list(lacking or (who for who, _ in q.case.needs))}"
    return Step("agreement", not lacking, asked, found or "no row", found)


def _handling(q: _Question) -> Step:
    if q.case.unpublishable:
        return Step("handling", False, "a level for public release", q.case.native.level)
    passed = not q.case.named or named(q.case, q.holder)
    return Step("handling", passed, "named readers" if q.case.named else "nothing", q.holder.subject.member)


_STEPS: tuple[Callable[[_Question], Step], ...] = (
    _epoch,
    _valid,
    _scheme,
    _level,
    _restrict,
    _audience,
    _permissive,
    _need,
    _realm,
    _origin,
    _agreement,
    _handling,
)


def _list(items: Iterable[str]) -> str:
    return ", ".join(sorted(items)) or "none"


def _limits(items: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{scheme} {level}" for scheme, level in sorted(items)) or "nothing"


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{tag} {value}" for tag, value in sorted(items)) or "none"
