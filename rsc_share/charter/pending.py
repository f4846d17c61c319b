"""Obeying early: what a revocation, restriction or charter takes away, before the log shows it.

Who hosts the directory could refuse to log its own removal, so these objects prove themselves and are obeyed by
whatever path they come. Obeying is local and marked `pending-revocation`; it is never a verdict about an entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share.charter import fold, genesis
from rsc_share.charter.amendment import Bodies
from rsc_share.charter.core import Core
from rsc_share.charter.facts import Place, State
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.rules import Bundles
from rsc_share.errors import RemoteError
from rsc_share.policy.rows import Row

_STEPS = {"revocation": fold.revocation, "restriction": fold.restriction}


@dataclass(frozen=True, slots=True)
class PendingAct:
    """A verified act: `nodes` and officer key ids that are no longer to be trusted, `members` no longer served, and
    policy `rows` to add. Everything in it narrows; what the object would permit besides waits for the log.

    `statement` identifies it: when an entry of the directory has this digest, the act is logged.
    """

    kind: str
    statement: bytes
    nodes: frozenset[str]
    officers: frozenset[bytes]
    members: frozenset[str]
    rows: tuple[Row, ...]


def pending_act(state: State, found: UnverifiedObject, place: Place, bodies: Bodies) -> PendingAct:
    """What an object that is not in the log yet takes away. Raises as the fold does, and for what only permits."""
    if found.kind == "charter":
        after, _ = genesis.amend(state, found, place, bodies)
    elif found.kind in _STEPS:
        after, _ = _STEPS[found.kind](state, found, place)
    else:
        raise RemoteError(f"a {found.kind} permits: it counts from its place in the log only", code="permissive")
    now = place.logged_at
    return PendingAct(
        kind=found.kind,
        statement=found.digest,
        nodes=_active(state, now) - _active(after, now),
        officers=_officers(state, now) - _officers(after, now),
        members=_served(state) - _served(after),
        rows=_rows(after) if found.kind == "restriction" else (),
    )


def _active(state: State, now: int) -> frozenset[str]:
    return frozenset(Core(state, Bundles()).slot(now).active)


def _officers(state: State, now: int) -> frozenset[bytes]:
    return frozenset(
        fact.certificate.key.key_id
        for code, party in state.parties.items()
        if code in _served(state)
        for facts in party.officers.values()
        for fact in facts
        if fact.active(now)
    )


def _served(state: State) -> frozenset[str]:
    return frozenset(code for code, member in state.charter.members.items() if not member.suspended)


def _rows(state: State) -> tuple[Row, ...]:
    newest = max(state.restrictions(), key=lambda held: held.place.index)
    return newest.rows
