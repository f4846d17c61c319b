"""From what was sent to rows of a table: the sender's decision, the sentence behind it, and who really opened it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rsc_share.demo.parts import Cell, Claim, Row
from rsc_share.demo.stage import STATES, Sent, Stage
from rsc_share.errors import Refused
from rsc_share.labels.label import Label
from rsc_share.labels.scheme import SchemeSet
from rsc_share.labels.text import parse_label, render_label
from rsc_share.messages import Body
from rsc_share.node.compose import facets_of
from rsc_share.node.plan import Outcome
from rsc_share.policy.decide import decide


def rows_of(stage: Stage, sent: Sequence[Sent]) -> tuple[Row, ...]:
    """One row for each portion; messages of one sender that went the same way share one."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for one in sent:
        for row in _message(stage, one):
            key = (row.channel, row.sender, row.portion, row.label, row.cells, one.draft.body.TYPE)
            found.setdefault(key, []).append(row)
    return tuple(_merged(rows) for rows in found.values())


def refreshed(rows: Iterable[Row], stage: Stage) -> tuple[Row, ...]:
    """The rows with what each member has signed for by now."""
    states = {one.receipt.reference: one.states for one in stage.sent}
    return tuple(replace(row, cells=tuple(_signed(cell, row, states) for cell in row.cells)) for row in rows)


def _signed(cell: Cell, row: Row, states: dict[str, dict[str, str]]) -> Cell:
    said = {states[reference].get(cell.member, "") for reference in row.references}
    state = "" if "" in said else ", ".join(sorted(said))
    return replace(cell, signed=state if cell.read else "")


def _merged(rows: Sequence[Row]) -> Row:
    first = rows[0]
    title = first.title if len(rows) == 1 else f"{len(rows)} messages: {first.title}, ..."
    return replace(first, references=tuple(one for row in rows for one in row.references), title=title)


def _message(stage: Stage, sent: Sent) -> Iterable[Row]:
    labels = _labels(stage, sent)
    for portion, label in enumerate(labels):
        outcomes = sorted(
            (outcome for outcome in sent.receipt.outcomes if outcome.portion == portion),
            key=lambda outcome: STATES.index(outcome.member),
        )
        cells = tuple(_cell(stage, sent, label, outcome) for outcome in outcomes)
        text = render_label(label, _schemes(stage, sent.member))
        yield Row((sent.receipt.reference,), sent.channel, sent.member, title_of(sent.draft.body), portion, text, cells)


def _labels(stage: Stage, sent: Sent) -> list[Label]:
    whole = sent.draft.label
    given = [whole, *(item.label or whole for item in getattr(sent.draft.body, "text", ()))]
    schemes = _schemes(stage, sent.member)
    return [
        item if isinstance(item, Label) else parse_label(item, schemes, originators=(sent.member,)) for item in given
    ]


def _schemes(stage: Stage, member: str) -> SchemeSet:
    node = stage.node(member)
    return node.engine.trust.view.bundle(node.now()).schemes


def _cell(stage: Stage, sent: Sent, label: Label, outcome: Outcome) -> Cell:
    opened = stage.desk(outcome.member, sent.channel).read.get(sent.receipt.reference, frozenset())
    why = "" if outcome.released else _why(stage, sent, label, outcome)
    return Cell(outcome.member, outcome.code, outcome.rule, why, outcome.portion in opened)


def _why(stage: Stage, sent: Sent, label: Label, outcome: Outcome) -> str:
    """The failing step in words: asked of the policy again, every step this time."""
    node = stage.node(sent.member)
    view, now, log = node.engine.trust.view, node.now(), stage.log(sent.channel)
    name = f"{outcome.member}/mod-1"
    try:
        view.sender(name, now)
    except Refused as refused:
        return refused.what
    facets = facets_of(view, log, sent.member, sent.draft.body.TYPE, None, now)
    decision = decide(view.bundle(now), label, view.subject(name, now), "receive", facets, explain=True)
    step = next(step for step in decision.steps if not step.passed)
    if decision.row is not None:
        return f"the row denies it to {outcome.member}"
    return f"asked: {step.asked}; {outcome.member}: {step.held.partition(';')[0]}"


def title_of(body: Body) -> str:
    """A line that names a message."""
    infos = getattr(body, "infos", None)
    found = (infos[0].headline or infos[0].event) if infos else getattr(body, "title", None)
    return found or getattr(body, "name", None) or getattr(body, "stix_id", None) or body.TYPE


def only_as_decided(rows: tuple[Row, ...]) -> Claim:
    """The sender's decision and what the reader's node could open are the same thing, in every cell."""
    wrong = sum(cell.read != (cell.code == "released") for row in rows for cell in row.cells)
    return Claim("every portion was opened by exactly the states it was released to", wrong == 0 and bool(rows))


def read_by(rows: tuple[Row, ...], member: str) -> set[int]:
    """The portions that a member opened."""
    return {row.portion for row in rows for cell in row.cells if cell.member == member and cell.read}


def cell_of(row: Row, member: str) -> Cell:
    return next(cell for cell in row.cells if cell.member == member)
