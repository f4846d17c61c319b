"""`decide`: may this node do this with this label, here, today? Twelve steps, total, deny unless every one says yes.

The steps and their order are those of docs/protocol.md; `rsc_share.audit.reference` says the same thing a second time,
slowly and on its own. Unknown values, missing tables and broken arguments are denials with a code of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rsc_share.errors import RscError
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import ACTIONS, DAY, day_of
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import BROKEN, RELEASED, STEPS, UNKNOWN_ACTION, Decision
from rsc_share.policy.resolved import Case, Holder
from rsc_share.policy.steps import every_step, indirect_clearance, lacking_agreement, lowest, named
from rsc_share.policy.subject import Facets, Subject
from rsc_share.policy.tables import Tables

_DENIED = {code: Decision(permitted=False, code=code) for code in (*STEPS, UNKNOWN_ACTION, BROKEN)}
_WRONG = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RscError)
"""What a broken argument can raise: the answer to all of it is no."""


def decide(
    bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets, *, explain: bool = False
) -> Decision:
    """The decision, and with `explain` every step of it. Never raises for what its arguments hold."""
    try:
        tables: Tables = bundle.memo.get("tables") or Tables.of(bundle)
        # One message is decided for each of its readers in turn: the same two values, so the same case.
        last = tables.last
        if last.label is label and last.facets is facets and last.action == action:
            case, day = last.case, last.day
        else:
            if action not in ACTIONS:
                return _DENIED[UNKNOWN_ACTION]
            day = facets.time // DAY
            case = tables.find_case(label, action, facets, day)
        holder = tables.holders.get((subject.digest, day)) or tables.add_holder(subject, day)
        decision = judge(case, holder)
        return replace(decision, steps=every_step(bundle, case, holder)) if explain else decision
    except _WRONG:
        return _DENIED[BROKEN]


def decide_each(
    bundle: Bundle, label: Label, subjects: tuple[Subject, ...], action: str, facets: Facets
) -> list[Decision]:
    """As `decide` for every subject, in their order: one message, and everybody who might read it.

    The label's side is resolved once. A subject that breaks is denied alone.
    """
    try:
        tables: Tables = bundle.memo.get("tables") or Tables.of(bundle)
        if action not in ACTIONS:
            return [_DENIED[UNKNOWN_ACTION]] * len(subjects)
        day = facets.time // DAY
        case = tables.find_case(label, action, facets, day)
        # `judge` fails on broken values only: asked one by one, each subject then gets its own answer.
        return [judge(case, holder) for holder in tables.find_holders(subjects, day)]
    except _WRONG:
        return [decide(bundle, label, subject, action, facets) for subject in subjects]


def judge(case: Case, holder: Holder) -> Decision:
    """The steps, hot: the first failure is the answer. One function, because calls are what costs here."""
    if case.blocked is not None:  # EPOCH, VALID
        return case.blocked
    native = case.native
    held = holder.held.get(native.scheme)
    if held is None or held.usable is None:
        code = indirect_clearance(case, holder)
        if code is not None:
            return _DENIED[code]
    else:
        if not case.under_ceiling or native.level not in held.usable:
            return _DENIED["level"]
        if not native.restrictive <= held.tags:
            return _DENIED["restrict"]
        if case.audience.isdisjoint(holder.names) and case.sole != holder.insider:
            return _DENIED["audience"]
        for values in native.permissive:
            if values.isdisjoint(held.tags):
                return _DENIED["permit"]
    if holder.insider not in case.facets.channel.members:  # NEED
        return _DENIED["need"]
    if case.late is not None:  # REALM, ORIGIN
        return case.late
    return _by_rows(case, holder)


def _by_rows(case: Case, holder: Holder) -> Decision:
    """AGREEMENT and HANDLING."""
    denying = case.denying & holder.rows
    if denying:
        return Decision(permitted=False, code="agreement", row=case.rows[lowest(denying)].id)
    permitting = case.permitting & holder.rows
    if case.needs and lacking_agreement(case, holder):
        return _DENIED["agreement"]
    if case.unpublishable or (case.named and not named(case, holder)):
        return _DENIED["handling"]
    return case.outcomes.get(permitting) or _permit(case, permitting)


def _permit(case: Case, permitting: int) -> Decision:
    """Every permit row that matched binds the reader; the first one is named as the reason."""
    rows = [row for i, row in enumerate(case.rows) if permitting >> i & 1]
    binding = dict.fromkeys((*case.obligations, *(obligation for row in rows for obligation in row.obligations)))
    decision = Decision(permitted=True, code=RELEASED, row=rows[0].id if rows else None, obligations=tuple(binding))
    return case.outcomes.setdefault(permitting, decision)


def required_releases(
    bundle: Bundle, label: Label, facets: Facets, *, subjects: Iterable[Subject] | None = None, action: str = "receive"
) -> tuple[str, ...]:
    """Ids of the require-release rows that an officer of the originator's member has to sign for, in bundle order.

    With `subjects`, only rows that cover one of them. A label that is not valid requires nothing: it is denied.
    """
    day = day_of(facets.time)
    tables = Tables.of(bundle)
    if not tables.asks_release:
        return ()
    case = tables.find_case(label, action, facets, day)
    if not case.releasing:
        return ()
    if subjects is None:
        return tuple(row.id for _, row in case.releasing)
    covered = 0
    for subject in subjects:
        covered |= (tables.holders.get((subject.digest, day)) or tables.add_holder(subject, day)).rows
    return tuple(row.id for i, row in case.releasing if covered >> i & 1)
