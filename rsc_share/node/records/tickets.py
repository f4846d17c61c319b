"""Tickets: the state of a message on its way, and the places it got."""

from __future__ import annotations

from typing import Any

from rsc_share import errors
from rsc_share.envelope.entry import Stamp
from rsc_share.errors import PolicyDenied, Refused, RscError
from rsc_share.node.plan import Outcome, ReleasePlan
from rsc_share.node.ticket import STATED, Delivered, Place, Ticket

_KNOWN = ("LocalError", "PolicyDenied", "Refused", "StorageError", "RemoteError", "Misbehaviour", "Unavailable")


def outcome_wire(outcome: Outcome) -> list[Any]:
    return [outcome.portion, outcome.member, outcome.released, outcome.code, outcome.rule]


def ticket_wire(ticket: Ticket) -> list[Any]:
    return [
        [outcome_wire(outcome) for outcome in ticket.plan.outcomes],
        ticket.expected,
        None if ticket.error is None else error_wire(ticket.error),
        ticket.withdrawn,
        [outcome_wire(outcome) for outcome in ticket.narrowed],
        [[step.member, step.state, step.since] for step in ticket.history if step.state not in STATED],
        ticket.numbers,
    ]


def read_ticket(message_id: bytes, value: list[Any]) -> Ticket:
    outcomes, expected, error, withdrawn, narrowed, history, numbers = value
    ticket = Ticket(message_id, ReleasePlan(tuple(Outcome(*row) for row in outcomes)))
    ticket.expected, ticket.withdrawn = expected, withdrawn
    ticket.error = None if error is None else read_error(error, ticket.plan)
    ticket.narrowed = [Outcome(*row) for row in narrowed]
    ticket.history = [Delivered(*row) for row in history]
    ticket.numbers = list(numbers)
    return ticket


def place_wire(place: Place) -> list[Any]:
    stamp = [place.stamp.logged_at, place.stamp.directory]
    return [place.index, place.seq, stamp, place.header_hash, place.entry, place.note, list(place.proof)]


def read_place(value: list[Any]) -> Place:
    index, seq, stamp, digest, entry, note, proof = value
    return Place(index, seq, Stamp(*stamp), digest, entry, note, tuple(proof))


def error_wire(error: RscError) -> list[Any]:
    """Class, sentence, code, advice, row, and the fields that are words or numbers."""
    fields = {name: value for name, value in error.fields.items() if type(value) in (str, int, bytes)}
    return [type(error).__name__, error.what, error.code, error.advice, getattr(error, "row", 0), fields]


def read_error(value: list[Any], plan: ReleasePlan | None = None) -> RscError:
    name, what, code, advice, row, fields = value
    if name == "Refused":
        return Refused(code, what, row=row, advice=advice, **fields)
    if name == "PolicyDenied":
        return PolicyDenied(what, plan=plan, code=code, advice=advice, **fields)
    kind: type[RscError] = getattr(errors, name) if name in _KNOWN else RscError
    return kind(what, code=code, advice=advice, **fields)
