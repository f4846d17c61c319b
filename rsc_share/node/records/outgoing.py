"""What waits in an outbox, and what left it without an answer."""

from __future__ import annotations

from typing import Any

from rsc_share.envelope.contents import read_content
from rsc_share.envelope.parts import Refs
from rsc_share.labels.label import Label
from rsc_share.node.outbox import Item, Sent
from rsc_share.node.ticket import Ticket
from rsc_share.session.frames import Statement, Submission


def item_wire(item: Item) -> list[Any]:
    """Everything but payload and salt, which have a row of their own: they go first."""
    return [
        item.kind,
        item.precedence,
        item.type,
        None if item.label is None else item.label.wire(),
        item.purpose,
        item.expires_at,
        None if item.document is None else list(item.document),
        item.refs.wire(),
        None if item.content is None else item.content.wire(),
        sorted(item.members),
        list(item.approvers),
        item.portion,
        None if item.ticket is None else item.ticket.id,
        list(item.bodies),
        [statement.wire() for statement in item.statements],
        None if item.limit is None else sorted(item.limit),
        list(item.nodes) if item.kind == "grant" else [],
    ]


def read_item(item_id: bytes, value: list[Any], ticket: Ticket | None) -> Item:
    kind, precedence, type_, label, purpose, expires, document, refs, content, *rest = value
    members, approvers, portion, _, bodies, statements, limit, nodes = rest
    return Item(
        kind,
        item_id,
        precedence=precedence,
        type=type_,
        label=None if label is None else Label.from_wire(label),
        purpose=purpose,
        expires_at=expires,
        document=None if document is None else (document[0], document[1]),
        refs=Refs.from_wire(refs, "item.refs"),
        content=read_content(kind, content),
        members=frozenset(members),
        approvers=tuple(approvers),
        portion=portion,
        ticket=ticket,
        bodies=tuple(bodies),
        statements=tuple(Statement.from_wire(statement, "item.statement") for statement in statements),
        limit=None if limit is None else frozenset(limit),
        nodes=tuple(nodes),
    )


def ticket_id(value: list[Any]) -> bytes | None:
    """Of an item's record."""
    found: bytes | None = value[12]
    return found


def sent_wire(sent: Sent) -> list[Any]:
    pairs = [list(pair) for pair in sent.counters]
    return [sent.item.id, sent.header_hash, sent.submission.wire(), sent.seq, pairs]


def read_sent(value: list[Any], item: Item) -> Sent:
    _, header_hash, submission, seq, counters = value
    pairs = tuple((node, n) for node, n in counters)
    item.nodes = tuple(node for node, _ in pairs)
    return Sent(item, Submission.from_wire(submission), seq, header_hash, pairs)
