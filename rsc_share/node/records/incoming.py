"""What arrived for the embedder."""

from __future__ import annotations

from typing import Any

from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.labels.label import Label
from rsc_share.node.attachments import Told
from rsc_share.node.inbox import Arrival, Attached, Event, RecallEvent


def event_wire(event: Event) -> list[Any]:
    common = [event.reference, event.place.wire(), event.header.pack(), event.logged_at, event.exercise]
    if isinstance(event, RecallEvent):
        return ["recall", *common, event.target.wire(), event.reason]
    return [
        "message",
        *common,
        event.unconfirmed,
        event.total,
        [[portion, label.wire()] for portion, label in sorted(event.labels.items())],
        [[portion, payload] for portion, payload in sorted(event.payloads.items())],
        event.redelivered,
        [[item.told.wire(), item.body] for item in event.attached],
    ]


def read_event(value: list[Any]) -> Event:
    kind, reference, place, header, logged_at, exercise, *rest = value
    found, at = Header.parse(header), Ref.from_wire(place, "event.place")
    if kind == "recall":
        target, reason = rest
        return RecallEvent(reference, at, found, logged_at, Ref.from_wire(target, "event.target"), reason, exercise)
    unconfirmed, total, labels, payloads, redelivered, attached = rest
    return Arrival(
        reference=reference,
        place=at,
        header=found,
        logged_at=logged_at,
        exercise=exercise,
        unconfirmed=unconfirmed,
        total=total,
        labels={portion: Label.from_wire(label) for portion, label in labels},
        payloads=dict(payloads),
        redelivered=redelivered,
        attached=tuple(Attached(Told.from_wire(told), body) for told, body in attached),
    )
