"""From a verified arrival to the object an embedder holds: types, withheld portions, obligations."""

from __future__ import annotations

from typing import Any, cast

from rsc_share import names
from rsc_share.crypto.blobs import Place
from rsc_share.errors import RemoteError
from rsc_share.labels.label import Label
from rsc_share.messages import UnknownMessage
from rsc_share.node.compose import facets_of
from rsc_share.node.desk import Host
from rsc_share.node.draft import Precedence
from rsc_share.node.inbox import Arrival, RecallEvent
from rsc_share.node.message import Answering, Message, Obligation, Recalled
from rsc_share.node.received import ReceivedAttachment
from rsc_share.policy.decide import decide


def present_message(
    event: Arrival, channel: Answering, node: Host, consumer: str, position: int, *, again: bool
) -> Message[Any]:
    header = event.header
    label = event.labels.get(0) or next(iter(event.labels.values()))
    type_id = header.type or ""
    member = names.member_of(header.sender)
    withheld = {i: (member,) for i in range(1, (event.total or 0) + 1) if i not in event.payloads}
    try:
        body = node.registry.read(type_id, event.payloads, event.total, withheld, event.labels)
    except RemoteError:
        # A body that its own type does not accept is handed over as bytes: never dropped, never a crash.
        others = {i: payload for i, payload in event.payloads.items() if i}
        body = UnknownMessage(type=type_id, payload=event.payloads.get(0, b""), portions=others)
    return Message(
        body,
        channel=channel,
        consumer=consumer,
        position=position,
        reference=event.reference,
        place=event.place,
        message_id=header.document[0] if header.document else header.id,
        sender=header.sender,
        label=label,
        precedence=cast(Precedence, header.precedence),
        exercise=event.exercise,
        redelivered=again or event.redelivered,
        unconfirmed=event.unconfirmed or header.sender in node.engine.feed.forbidden,
        logged_at=event.logged_at,
        obligations=obligations(node, channel.line.log, label, type_id, header.purpose, header.sender),
        attachments=_attachments(event, node, channel.line.log),
    )


def _attachments(event: Arrival, node: Host, log: str) -> tuple[ReceivedAttachment, ...]:
    engine, header = node.engine, event.header
    if not event.attached:
        return ()
    realm = "exercise" if event.exercise else "operational"
    framework = engine.identity.charter_digest
    return tuple(
        ReceivedAttachment(
            item.told.name,
            item.told.media,
            item.told.length,
            item.told,
            header.parts[part],
            Place(framework, log, realm, header.sender, header.id, part),
            item.body,
            engine.port(log),
        )
        for part, item in enumerate(event.attached, 1)
    )


def obligations(
    node: Host, log: str, label: Label, type_id: str, purpose: str | None, sender: str
) -> tuple[Obligation, ...]:
    """What this node's member has taken on by opening it, under the policy in force now."""
    view, now = node.engine.trust.of(log), node.now()
    facets = facets_of(view, log, names.member_of(sender), type_id, purpose, now)
    decision = decide(view.bundle(now), label, view.subject(node.name, now), "open", facets)
    return tuple(Obligation(name, value, decision.row or label.scheme) for name, value in decision.obligations)


def present_recall(
    event: RecallEvent, channel: Answering, consumer: str, position: int, *, again: bool
) -> Message[Recalled]:
    body = Recalled(reference=event.reference, reason=event.reason)

    async def answer(statement: str, basis: str | None, officer: str | None) -> None:
        channel.state(event.target, event.header.sender, statement, basis, officer)
        await channel.durable()

    body._answer = answer
    return Message(
        body,
        channel=channel,
        consumer=consumer,
        position=position,
        reference=event.reference,
        place=event.place,
        message_id=event.header.id,
        sender=event.header.sender,
        label=channel.label_of(event.target),
        precedence=cast(Precedence, event.header.precedence),
        exercise=event.exercise,
        redelivered=again,
        unconfirmed=False,
        logged_at=event.logged_at,
        obligations=(),
    )
