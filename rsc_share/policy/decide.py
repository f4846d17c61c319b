"""`decide`: may this node do this with this label, here, today? Twelve steps, total, deny unless every one says yes.

The steps and their order are those of docs/protocol.md; `rsc_share.audit.reference` says the same thing a second time,
slowly and on its own. Unknown values, missing tables and broken arguments are denials with a code of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rsc_share.errors import RscError
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import ACTIONS, DAY
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decision import BROKEN, UNKNOWN_ACTION, Decision
from rsc_share.policy.judging import DENIED, judge, judge_each
from rsc_share.policy.steps import every_step
from rsc_share.policy.subject import Facets, Subject
from rsc_share.policy.tables import Tables

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
                return DENIED[UNKNOWN_ACTION]
            day = facets.time // DAY
            case = tables.find_case(label, action, facets, day)
        holder = tables.find_holder(subject, day)
        decision = judge(case, holder)
        return replace(decision, steps=every_step(bundle, case, holder)) if explain else decision
    except _WRONG:
        return DENIED[BROKEN]


def decide_each(
    bundle: Bundle, label: Label, subjects: tuple[Subject, ...], action: str, facets: Facets
) -> list[Decision]:
    """As `decide` for every subject, in their order: one message, and everybody who might read it.

    The label's side is resolved once, and a step looks at all subjects together. One that breaks is denied alone.
    """
    try:
        tables: Tables = bundle.memo.get("tables") or Tables.of(bundle)
        if action not in ACTIONS:
            return [DENIED[UNKNOWN_ACTION]] * len(subjects)
        day = facets.time // DAY
        case = tables.find_case(label, action, facets, day)
        readers = tables.find_readers(subjects, day) if len(subjects) > 1 else None
        # This fails on broken values only: asked one by one, each subject then gets its own answer.
        if readers is None:
            return [judge(case, tables.find_holder(subject, day)) for subject in subjects]
        return judge_each(case, readers)
    except _WRONG:
        return [decide(bundle, label, subject, action, facets) for subject in subjects]


def required_releases(
    bundle: Bundle, label: Label, facets: Facets, *, subjects: Iterable[Subject] | None = None, action: str = "receive"
) -> tuple[str, ...]:
    """Ids of the require-release rows that an officer of the originator's member has to sign for, in bundle order.

    With `subjects`, only rows that cover one of them. A label that is not valid requires nothing: it is denied.
    """
    tables: Tables = bundle.memo.get("tables") or Tables.of(bundle)
    if not tables.asks_release:
        return ()
    day = facets.time // DAY
    case = tables.find_case(label, action, facets, day)
    if not case.releasing:
        return ()
    if subjects is None:
        return tuple(row.id for _, row in case.releasing)
    covered = 0
    for subject in subjects:
        covered |= tables.find_holder(subject, day).rows
    return tuple(row.id for i, row in case.releasing if covered >> i & 1)
