"""Why a decision is as it is, in words for people, and the nearest change that would turn it.

Whoever asks gets no more than it may see: the label, its tags, its audience and the rows about it are shown only to
somebody who could read the label. To everybody else the answer is that something is withheld, and by whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rsc_share.labels.label import EVERYBODY, Label, LabelError
from rsc_share.labels.scheme import Obligations, day_of
from rsc_share.labels.text import render_label
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import decide
from rsc_share.policy.decision import Decision, Step
from rsc_share.policy.rows import Row
from rsc_share.policy.subject import Facets, Subject


@dataclass(frozen=True, slots=True)
class Explanation:
    """`permitted` is None and `label` too where the one who asks may not see it; then nothing else is said either.

    `change`: the nearest change that would permit; empty if it is permitted or not shown. `further`: steps that would
    still say no after it. `near`: permit rows that almost match, each with what keeps it from matching.
    """

    permitted: bool | None
    code: str
    subject: str
    action: str
    originators: tuple[str, ...]
    label: str | None = None
    row: str | None = None
    basis: str = ""
    steps: tuple[Step, ...] = ()
    obligations: Obligations = ()
    change: str = ""
    further: tuple[str, ...] = ()
    near: tuple[tuple[str, str], ...] = ()


def explain(
    bundle: Bundle, label: Label, subject: Subject, action: str, facets: Facets, *, asked_by: Subject | None
) -> Explanation:
    """The decision about `subject`, as `asked_by` may be told it. None: whoever asks wrote the label down itself."""
    originators = label.originators or (facets.originator,)
    if asked_by is not None and not may_see(bundle, label, asked_by, facets):
        # Not even the code: it would tell a level from an audience.
        own = False if asked_by.node == subject.node else None
        return Explanation(own, "withheld", subject.node, action, originators)
    decision = decide(bundle, label, subject, action, facets, explain=True)
    failed = [step for step in decision.steps if not step.passed]
    return Explanation(
        permitted=decision.permitted,
        code=decision.code,
        subject=subject.node,
        action=action,
        originators=originators,
        label=_written(label, bundle),
        row=decision.row,
        basis=next((row.basis for row in bundle.rows if row.id == decision.row), ""),
        steps=decision.steps,
        obligations=decision.obligations,
        change=_change(failed[0]) if failed else "",
        further=tuple(step.name for step in failed[1:]),
        near=tuple(_near(bundle, subject, action, facets, originators)) if decision.code == "agreement" else (),
    )


def may_see(bundle: Bundle, label: Label, reader: Subject, facets: Facets) -> bool:
    """Whether the label itself may be shown: to whoever may receive what carries it."""
    return decide(bundle, label, reader, "receive", facets).permitted


def _written(label: Label, bundle: Bundle) -> str:
    try:
        return render_label(label, bundle.schemes)
    except LabelError:
        return f"{label.scheme} {label.level} (not a label of this policy)"


def _near(
    bundle: Bundle, subject: Subject, action: str, facets: Facets, originators: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Permit rows from these originators to this subject, and why each does not count."""
    for row in bundle.rows:
        from_them = EVERYBODY in row.senders or not row.senders.isdisjoint(originators)
        if row.effect == "permit" and from_them and not row.to.isdisjoint({subject.member, *subject.groups}):
            yield row.id, _obstacle(row, action, facets)


def _obstacle(row: Row, action: str, facets: Facets) -> str:
    if day_of(facets.time) not in row.valid:
        return "not valid on this day"
    if action not in row.actions:
        return f"not for {action}"
    if row.families and facets.family not in row.families:
        return f"not for family {facets.family}"
    if row.channels and facets.channel.name not in row.channels:
        return f"not in channel {facets.channel.name}"
    if row.purposes and facets.purpose not in row.purposes:
        return f"needs a purpose: {', '.join(sorted(row.purposes))}"
    return "the label is above its max_level, in its except, or another originator's too"


def _change(step: Step) -> str:
    return _CHANGES[step.name].format(asked=step.asked, held=step.held)


_CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "epoch": "a policy that is in force on this day",
        "valid": "a valid label: {asked}",
        "scheme": "an entitlement in {asked}, or an equivalence from it to one of: {held}",
        "level": "{asked} within the member's entitlement, this node's accreditation and the channel's ceiling",
        "restrict": "an entitlement to {asked}",
        "audience": "the originator adds the reader to REL TO ({asked})",
        "permit": "an entitlement to {asked}",
        "need": "the reader is taken in as {asked}",
        "realm": "a channel of realm {asked}",
        "origin": "a signed {asked}",
        "agreement": "{asked}",
        "handling": "{asked}",
    }
)


def summary(decision: Decision) -> str:
    """One line for a log or a table: `withheld at audience` or `released under EST-FIN-2026-ct`."""
    row = f" under {decision.row}" if decision.row else ""
    return f"released{row}" if decision.permitted else f"withheld at {decision.code}{row}"
