"""What would go where, and which rule withholds the rest. Pure: nothing leaves, nothing is promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.labels.label import Label
from rsc_share.policy.decide import decide
from rsc_share.policy.decision import Decision
from rsc_share.policy.subject import Facets


@dataclass(frozen=True, slots=True)
class Outcome:
    """One (portion, member) pair. `code` is "released", the step of the decision that says no, "inactive" or
    "no-prekey"; `rule` the agreement row, where one decided."""

    portion: int
    member: str
    released: bool
    code: str
    rule: str | None


@dataclass(frozen=True)
class ReleasePlan:
    """All outcomes of one message, by portion and member."""

    outcomes: tuple[Outcome, ...]

    @cached_property
    def released_to(self) -> Mapping[str, frozenset[int]]:
        """Member -> the portions it gets; members that get none are not in it."""
        found: dict[str, set[int]] = {}
        for outcome in self.outcomes:
            if outcome.released:
                found.setdefault(outcome.member, set()).add(outcome.portion)
        return {member: frozenset(portions) for member, portions in found.items()}

    @cached_property
    def withheld(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.released)

    def members(self, portion: int) -> frozenset[str]:
        """Who gets this portion: the ceiling that re-sealing never exceeds."""
        return frozenset(o.member for o in self.outcomes if o.released and o.portion == portion)


WHY = "nothing was queued; the word in brackets is the step that says no: docs/embedding.md, or `policy explain`"
MOST_SAID = 12
"""Members of whom one line says why they are not reached; `withheld` has all."""


def why_not(plan: ReleasePlan, wanted: Iterable[str]) -> str:
    """`FIN (audience), LVA (agreement EST/row-7)`: why the message itself reaches none of these."""
    steps = {o.member: " ".join(filter(None, (o.code, o.rule))) for o in plan.outcomes if o.portion == 0}
    missing = sorted(set(wanted))
    said = [f"{member} ({steps.get(member, 'no other member of this channel')})" for member in missing[:MOST_SAID]]
    more = len(missing) - len(said)
    return ", ".join(said) + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class Reach:
    """The audience of one label now, as nodes, and the outcome for each other member of the channel."""

    nodes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]


def reach(view: DirectoryView, log: str, label: Label, facets: Facets, sender: str, portion: int) -> Reach:
    """Every active, permitted node with a usable prekey, other than the sending one."""
    verdicts: dict[str, list[tuple[str, str, str | None]]] = {member: [] for member in facets.channel.members}
    nodes = []
    for node in view.active_nodes(log, facets.time):
        if node == sender:
            continue
        code, rule = _verdict(view, node, label, facets)
        if code == "released":
            nodes.append(node)
        verdicts.setdefault(names.member_of(node), []).append((node, code, rule))
    own = names.member_of(sender)
    outcomes = [_outcome(portion, member, found) for member, found in sorted(verdicts.items()) if member != own]
    return Reach(tuple(sorted(nodes)), tuple(outcomes))


def _verdict(view: DirectoryView, node: str, label: Label, facets: Facets) -> tuple[str, str | None]:
    decision: Decision = decide(view.bundle(facets.time), label, view.subject(node, facets.time), "receive", facets)
    if not decision.permitted:
        return decision.code, decision.row
    if view.prekey(node, facets.time) is None:
        return "no-prekey", None
    return "released", decision.row


def _outcome(portion: int, member: str, found: list[tuple[str, str, str | None]]) -> Outcome:
    for _, code, rule in found:
        if code == "released":
            return Outcome(portion, member, True, code, rule)
    _, code, rule = found[0] if found else ("", "inactive", None)
    return Outcome(portion, member, False, code, rule)
