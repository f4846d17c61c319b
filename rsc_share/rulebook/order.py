"""Rows 6 to 8: nothing twice, nothing out of order, nothing out of time."""

from __future__ import annotations

from rsc_share import names
from rsc_share.errors import Refused
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import IdFact, count_of, head_of
from rsc_share.rulebook.party import NODE


def id_is_new(case: Case) -> None:
    """Row 6. Ids of other senders never collide with ours: the key holds the sender.

    A node has seen only some of a sender's ids. It says so where it holds the earlier one.
    """
    h = case.header
    used = case.view.facts.get(("id", h.sender, h.id))  # as `id_key`, for each entry
    if used is not None and isinstance(used, IdFact):
        raise Refused("duplicate-id", "the sender used this id before", row=6, index=used.index)


def continues_sender(case: Case) -> None:
    """Row 7: `seq` and `prev` continue this sender in this log.

    A node that was sent only some of the entries sees seq rise, and checks prev where it holds the one before.
    """
    if continues(case):
        return
    head = head_of(case.view.facts, case.header.sender)
    raise Refused(
        "stale-head",
        f"number {case.header.seq} does not continue {head.seq}",
        row=7,
        seq=head.seq,
        header_hash=head.header_hash,
        index=head.index,
    )


def continues(case: Case) -> bool:
    """Whether the entry advances its sender: decides, too, what a void entry changes (I5)."""
    h, view = case.header, case.view
    head = head_of(view.facts, h.sender)
    if view.party is NODE and not case.is_own and (head.seq == 0 or h.seq != head.seq + 1):
        return h.seq > head.seq  # the first one this node is shown need not be the sender's first
    return h.seq == head.seq + 1 and h.prev == head.header_hash


def counters_continue(case: Case) -> None:
    """Row 7: every true opening is one more than the last that advanced.

    The count comes from entries, never from openings: a false opening is no opening and no verdict (I6). A node sees
    a gap in its own counter when something was kept from it; that is the relay's fault, not this entry's, and is
    reported by `kept_back`.
    """
    facts, sender = case.view.facts, case.header.sender
    for node, n in case.opened.items():
        before = facts.get(("count", sender, node), 0)  # as `count_of`, for each reader of each entry
        if before == n - 1:
            continue
        expected = before + 1 if isinstance(before, int) else 1
        if n != expected and not (case.view.party is NODE and n > expected):
            raise Refused("stale-head", f"counter {n} for {node} where {expected} follows", row=7, node=node, n=n)


def openings_true(case: Case) -> None:
    """Row 1, relay only: every recipient's opening is there and opens. Elsewhere a false one is asked for again."""
    for node in case.nodes:
        if node not in case.opened:
            raise Refused("malformed", f"no opening for {node} that opens its counter", row=1, node=node)


def kept_back(case: Case) -> int:
    """How many entries of this sender to this node never arrived, by this entry's true opening (0: none known)."""
    me = case.view.me
    if not me or me not in case.opened:
        return 0
    return max(0, case.opened[me] - count_of(case.view.facts, case.header.sender, me) - 1)


def composed_in_time(case: Case) -> None:
    """Row 8: composed not after logging (plus SKEW) and not before OUTBOX_AGE."""
    composed, now, parameters = names.id_time(case.header.id), case.now, case.parameters
    if composed > now + parameters.skew:
        raise Refused("clock", "composed in the future of the relay's clock", row=8, composed=composed, now=now)
    if composed < now - parameters.outbox_age:
        raise Refused("clock", "composed longer ago than OUTBOX_AGE", row=8, composed=composed, now=now)


def not_expired(case: Case) -> None:
    """Row 8: an entry is not logged after its own expiry."""
    expires = case.header.expires_at
    if expires is not None and expires <= case.now:
        raise Refused("clock", "expired before it was logged", row=8, expires_at=expires, now=case.now)
