"""The steps of a decision, hot, for a label's side and a reader's side that have been resolved.

This may run compiled (ADR 0068), and `decide` may not: a compiled function refuses an argument of a wrong type before
its first line, and `decide` answers no to it.
"""

from __future__ import annotations

from rsc_share.policy.decision import BROKEN, RELEASED, STEPS, UNKNOWN_ACTION, Decision
from rsc_share.policy.resolved import Case, Holder
from rsc_share.policy.steps import indirect_clearance, lacking_agreement, lowest, named

DENIED = {code: Decision(permitted=False, code=code) for code in (*STEPS, UNKNOWN_ACTION, BROKEN)}


def judge(case: Case, holder: Holder) -> Decision:
    """The steps, hot: the first failure is the answer. One function, because calls are what costs here."""
    if case.blocked is not None:  # EPOCH, VALID
        return case.blocked
    native = case.native
    held = holder.held.get(native.scheme)
    if held is None or held.usable is None:
        code = indirect_clearance(case, holder)
        if code is not None:
            return DENIED[code]
    else:
        if not case.under_ceiling or native.level not in held.usable:
            return DENIED["level"]
        if not native.restrictive <= held.tags:
            return DENIED["restrict"]
        if case.audience.isdisjoint(holder.names) and case.sole != holder.insider:
            return DENIED["audience"]
        for values in native.permissive:
            if values.isdisjoint(held.tags):
                return DENIED["permit"]
    if holder.insider not in case.facets.channel.members:  # NEED
        return DENIED["need"]
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
        return DENIED["agreement"]
    if case.unpublishable or (case.named and not named(case, holder)):
        return DENIED["handling"]
    return case.outcomes.get(permitting) or _permit(case, permitting)


def _permit(case: Case, permitting: int) -> Decision:
    """Every permit row that matched binds the reader; the first one is named as the reason."""
    rows = [row for i, row in enumerate(case.rows) if permitting >> i & 1]
    binding = dict.fromkeys((*case.obligations, *(obligation for row in rows for obligation in row.obligations)))
    decision = Decision(permitted=True, code=RELEASED, row=rows[0].id if rows else None, obligations=tuple(binding))
    return case.outcomes.setdefault(permitting, decision)
