"""Rows 9 to 11: the label is sound, policy permits every recipient, and keys went to exactly those."""

from __future__ import annotations

from rsc_share import names
from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.header import Header
from rsc_share.errors import LocalError, Refused
from rsc_share.labels.label import Label
from rsc_share.labels.validity import validate
from rsc_share.rulebook.audience import here, left_out, may_receive, target_of, withheld
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import GrantFact
from rsc_share.rulebook.party import NODE
from rsc_share.rulebook.unseen import IN_DOUBT, NotCheckable, Unseen
from rsc_share.rulebook.view import Source

MAX_WRITTEN = 16_384
NO_CLAIM_TO_SEND = frozenset({"epoch", "valid", "scheme", "level", "restrict", "need", "realm"})
"""Steps of `decide` at which even an originator's own node may not handle a label."""


def label_valid(case: Case) -> None:
    """Row 9: valid in its scheme, for writing, under the bundle in force."""
    label = case.header.label
    if label is None:
        return
    # Few labels, many messages: one that may be written may be written again, until its review.
    written: dict[int, Label] = case.bundle.memo.get("written") or case.bundle.memo.setdefault("written", {})
    if written.get(id(label)) is label and (label.review is None or label.review > case.now):
        return
    try:
        validate(label, case.bundle.schemes, case.now, writing=True)
    except LocalError as error:
        raise Refused("label", error.what, row=9, scheme=label.scheme, level=label.level) from None
    if len(written) >= MAX_WRITTEN:
        written.clear()
    if label.short:
        written[id(label)] = label  # held here, so its identity is no other's


def family_allowed(case: Case) -> None:
    """Row 9: the channel carries this family of messages."""
    if case.header.type is None:
        return
    facets = case.facets
    family = facets.family
    if family != "control" and family not in facets.channel.families:
        raise Refused("label", f"family {family} is not carried in this channel", row=9, family=family)


def sender_may_originate(case: Case) -> None:
    """Row 9: the sender is an originator of what it labels, and its own node may hold that label here."""
    label, h = case.header.label, case.header
    if label is None:
        return
    if h.member not in label.originators:
        raise Refused(
            "label", f"{h.member} is not among the originators it names", row=9, originators=label.originators
        )
    if h.sender in case.permitted:
        return
    outcome = here(case, h.sender, label)
    if not outcome.permitted and outcome.code in NO_CLAIM_TO_SEND:
        raise Refused("label", f"{h.sender} may not hold this label here", row=9, step=outcome.code)


def recipients_active(case: Case) -> None:
    """Row 10: nobody who is revoked, suspended or gone is addressed, nor who takes no part in this log.

    Policy does not ask for a certificate's realm and role: without this a grant to a node of the other realm, void but
    advancing, would carry a message there.
    """
    active = case.circle.active
    if active.issuperset(case.nodes):
        return
    idle = [node for node in case.nodes if node not in active]
    if idle:
        raise Refused(
            "policy-denied", f"not active here: {', '.join(idle)}", row=10, pairs=[(n, "inactive", None) for n in idle]
        )


def policy_permits(case: Case) -> None:
    """Row 10: for a message, `decide` permits every node; the refusal names each pair and rule."""
    if case.permitted.issuperset(case.nodes):
        return
    pairs = withheld(case)
    if pairs:
        raise Refused(
            "policy-denied",
            f"policy withholds this label from {', '.join(pair.node for pair in pairs)}",
            row=10,
            pairs=[(pair.node, pair.code, pair.rule) for pair in pairs],
        )


def circle_kept(case: Case) -> None:
    """Row 10: other kinds go to their fixed circle and nobody else; a recall comes from the originator."""
    h = case.header
    if h.kind == "message":
        return
    target = None if h.refs.target is None else case.look_up(h.refs.target)
    if isinstance(target, Unseen):
        raise NotCheckable(target)
    if target is None and h.refs.target is not None:
        raise Refused("source-unknown", "the entry it refers to is not in this log", row=10)
    if target is not None and not _standing(h, target):
        raise Refused("policy-denied", f"a {h.kind} of this is not {h.member}'s to send", row=10, kind=h.kind)
    outside = set(h.nodes) - may_receive(case)
    if outside:
        raise Refused(
            "policy-denied",
            f"a {h.kind} is not for {', '.join(sorted(outside))}",
            row=10,
            pairs=[(node, "audience", None) for node in sorted(outside)],
        )
    if target is not None and target.in_doubt:
        raise NotCheckable(Unseen(IN_DOUBT))


def _standing(h: Header, target: Source) -> bool:
    """Who may speak about an entry: its sender's member recalls, an originator releases, a recipient acknowledges."""
    author = names.member_of(target.sender)
    if h.kind == "recall":
        return h.member == author
    if h.kind == "release":
        return h.member == author or (target.label is not None and h.member in target.label.originators)
    return any(names.member_of(node) == h.member for node in target.nodes)


def grant_lives(case: Case) -> None:
    """Row 11: the grant a message names is this sender's, logged, and younger than GRANT_LIFE."""
    grant = _grant(case) if case.header.kind == "message" else None
    if grant is not None and case.now >= grant.logged_at + case.parameters.grant_life:
        raise Refused("dead-grant", "the grant is older than GRANT_LIFE", row=11, logged_at=grant.logged_at)


def grant_known(case: Case) -> None:
    """Row 11. A node sees only grants it is in; what it does not hold it cannot judge."""
    if case.header.kind == "message" and _grant(case) is None and case.view.party is not NODE:
        raise Refused("dead-grant", "no grant of this sender has that id", row=11)


def grant_fits(case: Case) -> None:
    """Row 11: the key is held by exactly the audience: in a message, `to` equals its grant's nodes."""
    grant = _grant(case)
    if grant is None:
        return
    if grant.nodes == case.nodes:
        return
    listed, granted = set(case.nodes), set(grant.nodes)
    if granted - listed:
        wider = sorted(granted - listed)
        raise Refused("over-granted", f"the key went to {', '.join(wider)} outside the audience", row=11, nodes=wider)
    if listed - granted:
        without = sorted(listed - granted)
        raise Refused("under-granted", f"addressed without a key: {', '.join(without)}", row=11, nodes=without)


def nobody_left_out(case: Case) -> None:
    """Row 11: every node that was due the entry is in `to`."""
    if case.header.refs.target is not None and target_of(case) is None:
        return  # whose circle nobody here can draw: row 10 has said so
    missing = left_out(case)
    if missing:
        without = sorted(missing)
        raise Refused("under-granted", f"entitled and left out: {', '.join(without)}", row=11, nodes=without)


def grant_rows_fit(case: Case) -> None:
    """Row 11, for a grant: its rows are its `to`, each sealed to that node's newest prekey the sender knew."""
    content = case.header.content
    if not isinstance(content, GrantContent):
        return
    rows = {node for node, _, _ in content.nodes}
    if rows - set(case.header.nodes):
        raise Refused("over-granted", "hands the key to nodes it is not addressed to", row=11)
    if rows != set(case.header.nodes):
        raise Refused("under-granted", "addressed to nodes it hands no key", row=11)
    for node, prekey_id, _ in content.nodes:
        newest = case.then.prekey(node, case.now)
        if newest is None or newest.id != prekey_id:
            raise Refused("dead-grant", f"not sealed to the newest prekey of {node}", row=11, node=node)


def _grant(case: Case) -> GrantFact | None:
    grant = case.header.grant
    # As `grant_key`: three checks of every message ask.
    found = None if grant is None else case.view.facts.get(("grant", case.header.sender, grant))
    return found if isinstance(found, GrantFact) else None
