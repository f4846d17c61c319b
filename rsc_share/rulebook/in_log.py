"""Rows 13 and 15: the log is the one the sender saw, and the relay's stamp is honest."""

from __future__ import annotations

from rsc_share.errors import Refused
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.party import NODE


def seen_is_prefix(case: Case) -> None:
    """Row 13: the checkpoint the sender saw, signed by the log, is a prefix of this log (gossip)."""
    seen = case.header.seen
    if seen.size > case.index:
        raise Refused("equivocation", "the sender saw a longer log than this one", row=13, size=seen.size)
    root = case.view.root_at(seen.size)
    if root is None and case.view.party is NODE:
        return  # before this node's first checkpoint
    if root != seen.root:
        raise Refused("equivocation", "the log signed two different trees", row=13, size=seen.size, log=case.header.log)


def stamp_never_decreases(case: Case) -> None:
    """Row 15: in one log, time and directory size only grow."""
    last = case.view.last
    if last is not None and (case.stamp.logged_at < last.logged_at or case.stamp.directory < last.directory):
        raise Refused("stamp", "the stamp goes back", row=15, logged_at=case.stamp.logged_at)


def revocations_bite(case: Case) -> None:
    """Row 15: a directory entry logged LAG ago is under every stamp (A1: else a revoked key lives for ever).

    A node can say so only once it holds a directory checkpoint cosigned after `logged_at` (I3).
    """
    directory, stamped, end = case.view.directory, case.stamp.directory, case.now - case.parameters.lag + 1
    if directory.grew_before(stamped, end):
        due = directory.size_logged_before(end)
        raise Refused("stamp", "the relay judged under a directory older than LAG", row=15, had=stamped, needs=due)


def confirmed(case: Case) -> bool:
    """Whether this party could judge row 15 for good; until then a node marks the entry `unconfirmed`."""
    if case.view.party is not NODE:
        return True
    return case.view.confirmed_at is not None and case.view.confirmed_at >= case.now
