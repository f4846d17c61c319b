"""Who may be in `to`, and who must be: one answer per kind of entry.

`may` is asked under the stamped directory (removals and revocations bite at once). `must` is asked under the directory
the sender acted on, for nodes that were active and permitted 2 LAG before logging (a new node may wait).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.contents import ReleaseContent
from rsc_share.labels.label import Label
from rsc_share.policy.decision import Decision
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.view import Source


@dataclass(frozen=True, slots=True)
class Withholding:
    """One (node, label) pair that policy withholds, with the step and the row that says so."""

    node: str
    code: str
    rule: str | None


def decision(case: Case, view: DirectoryView, node: str, label: Label, time: int) -> Decision:
    """May `node` receive `label` here, under `view` at `time`."""
    if view is case.at and time == case.now:
        found = case.decided.get(node) if label is case.header.label else None
        if found is not None:
            return found
        bundle, facets = case.bundle, case.facets
    else:
        bundle, facets = view.bundle(time), case.facets_under(view.channel_facts(case.header.log, time), time)
    (found,) = case.view.decide(bundle, label, (view.subject(node, time),), "receive", facets)
    return found


def here(case: Case, node: str, label: Label) -> Decision:
    """May `node` receive this entry's own `label`, as stamped?"""
    found = case.decided.get(node)
    return found if found is not None else decision(case, case.at, node, label, case.now)


def active_nodes(case: Case, view: DirectoryView, time: int) -> tuple[str, ...]:
    """The active nodes of this channel other than the sending one."""
    return tuple(node for node in view.active_nodes(case.header.log, time) if node != case.header.sender)


def withheld(case: Case) -> list[Withholding]:
    """Every node in a message's `to` that policy does not permit under the stamped directory."""
    label = case.header.label
    if label is None:
        return []
    found = []
    for node in case.nodes:
        outcome = here(case, node, label)
        if not outcome.permitted:
            found.append(Withholding(node, outcome.code, outcome.row))
    return found


def may_receive(case: Case) -> Set[str]:
    """Kinds other than message and grant have a fixed circle."""
    return _circle(case, case.at, case.now)


def left_out(case: Case) -> Set[str]:
    """Every node that the entry owed itself to and that is not in its `to`."""
    h = case.header
    if h.kind == "grant":
        return frozenset()
    if h.kind != "message" or h.label is None:
        # Gone meanwhile: then leaving it out was right.
        return (_circle(case, case.then, case.settled) & may_receive(case)) - frozenset(case.nodes)
    # Of those permitted as stamped: whoever is gone or no longer permitted was left out with good reason.
    unaddressed = case.unaddressed
    if not unaddressed:
        return unaddressed
    active = case.then.circle(h.log, case.settled).active
    return {node for node in unaddressed if node in active and _owed(case, node, h.label)}


def _owed(case: Case, node: str, label: Label) -> bool:
    if case.then.prekey(node, case.now) is None:
        return False  # without a prekey younger than PREKEY_MAX nobody can seal to it (I11)
    return decision(case, case.then, node, label, case.settled).permitted


def _circle(case: Case, view: DirectoryView, time: int) -> frozenset[str]:
    h = case.header
    nodes = active_nodes(case, view, time)
    if h.kind in ("heartbeat", "erasure", "grant"):
        return frozenset(nodes)
    target = target_of(case)
    if target is None:
        return frozenset()
    if h.kind == "recall":
        return frozenset(target.nodes) & frozenset(nodes)
    members = {names.member_of(target.sender)}
    if isinstance(h.content, ReleaseContent):
        members.update(h.content.members)
    return frozenset(node for node in nodes if names.member_of(node) in members)


def target_of(case: Case) -> Source | None:
    """What the entry is about, where that is at hand."""
    ref = case.header.refs.target
    found = None if ref is None else case.look_up(ref)
    return found if isinstance(found, Source) else None
