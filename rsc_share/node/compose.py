"""From a draft to items in the outbox: portions, labels, plan. Nothing is sealed and nothing leaves here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from rsc_share import codec, names
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import MAX_INLINE_PAYLOAD, sealed_size
from rsc_share.envelope.parts import NO_REFS, Ref, Refs
from rsc_share.errors import LocalError, PolicyDenied
from rsc_share.labels.label import Label
from rsc_share.labels.text import parse_label
from rsc_share.labels.validity import validate
from rsc_share.messages import split
from rsc_share.node.attachments import Prepared, check_allowed, wrap
from rsc_share.node.draft import Draft
from rsc_share.node.identity import Identity, Random
from rsc_share.node.outbox import Item
from rsc_share.node.plan import WHY, Reach, ReleasePlan, reach, why_not
from rsc_share.node.ticket import Ticket
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.decide import required_releases
from rsc_share.policy.subject import Facets
from rsc_share.rulebook.bodies import largest_body

MAX_TEXTS = 4096


@dataclass(frozen=True, slots=True)
class Piece:
    """One portion before sealing: its label and what it says."""

    portion: int
    label: Label
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Composition:
    """A draft that has been split, labelled and planned. `digest` tells a rerun under one key from another message.

    `attached`: once the files have been read, the id they are bound to and what is known of each.
    """

    log: str
    draft: Draft
    pieces: tuple[Piece, ...]
    plan: ReleasePlan
    digest: bytes
    attached: list[tuple[bytes, tuple[Prepared, ...]]] = field(default_factory=list, repr=False)


def facets_of(view: DirectoryView, log: str, member: str, type_id: str, purpose: str | None, now: int) -> Facets:
    return Facets(
        time=now,
        channel=view.channel_facts(log, now),
        originator=member,
        family=names.family_of(type_id),
        type=type_id,
        purpose=purpose,
        releases=frozenset(),
    )


def compose(draft: Draft, log: str, view: DirectoryView, identity: Identity, now: int) -> Composition:
    """Split, label and plan. Raises `LocalError` (body, label, family) and `PolicyDenied` where nobody is entitled."""
    unknown = [name for name in draft.approvers if name not in identity.officers]
    if unknown:
        raise LocalError(f"no key of {', '.join(unknown)} is unlocked at this node")
    type_id = draft.body.TYPE
    facets = facets_of(view, log, identity.member, type_id, draft.purpose, now)
    if facets.family != "control" and facets.family not in facets.channel.families:
        raise LocalError(
            f"channel {facets.channel.name} does not carry the family {facets.family}",
            advice=f"it carries {', '.join(sorted(facets.channel.families))}",
        )
    pieces = tuple(
        Piece(i, _label(part.label, draft, view, identity, now), part.payload)
        for i, part in enumerate(split(draft.body, draft.label))
    )
    largest = largest_body(view, log)
    for piece in pieces:
        _fits(piece, largest)
    reaches = [reach(view, log, piece.label, facets, identity.node, piece.portion) for piece in pieces]
    plan = ReleasePlan(tuple(outcome for found in reaches for outcome in found.outcomes))
    _sendable(reaches, plan)
    for piece, found in zip(pieces, reaches, strict=True):
        _approved(draft, piece, found, view, facets)
    return Composition(log, draft, pieces, plan, _digest(draft, type_id, pieces))


def _fits(piece: Piece, largest: int | None) -> None:
    """Said here, to the author: at the moment of leaving it would be too late."""
    size = len(wrap(piece.portion, piece.payload))
    if size > MAX_INLINE_PAYLOAD:
        raise LocalError(
            f"portion {piece.portion} has {size} bytes and does not fit a message",
            code="too-large",
            advice=f"at most {MAX_INLINE_PAYLOAD} bytes",
        )
    check_allowed(f"portion {piece.portion}", sealed_size(size), largest)


def _label(given: str | Label, draft: Draft, view: DirectoryView, identity: Identity, now: int) -> Label:
    bundle = view.bundle(now)
    authors = tuple(sorted({identity.member, *(author for m in draft.derived_from for author in m.label.originators)}))
    if isinstance(given, Label):
        label = given if given.originators else replace(given, originators=authors)
    else:
        label = _parsed(given, authors, bundle)
    validate(label, bundle.schemes, now, writing=True)
    return label


def _parsed(text: str, authors: tuple[str, ...], bundle: Bundle) -> Label:
    """A service writes the same few labels all day: each is read once for a bundle."""
    known: dict[tuple[str, tuple[str, ...]], Label] = bundle.memo.setdefault("label texts", {})
    found = known.get((text, authors))
    if found is None:
        found = parse_label(text, bundle.schemes, originators=authors)
        if len(known) >= MAX_TEXTS:
            known.clear()
        known[text, authors] = found
    return found


def _sendable(reaches: Sequence[Reach], plan: ReleasePlan) -> None:
    """Somebody must be entitled, and nobody may get a portion without the frame it stands in."""
    if not reaches[0].nodes:
        others = [outcome.member for outcome in plan.outcomes if outcome.portion == 0]
        said = f": {why_not(plan, others)}" if others else ""
        what = f"nobody but the originator is entitled to this label here{said}"
        raise PolicyDenied(what, plan=plan, advice=WHY)
    frame = set(reaches[0].nodes)
    for portion, found in enumerate(reaches):
        beyond = sorted(set(found.nodes) - frame)
        if beyond:
            raise LocalError(
                f"portion {portion} is labelled wider than the message: {', '.join(beyond)} would get only that",
                advice="widen the label of the message or narrow that of the portion",
            )


def _approved(draft: Draft, piece: Piece, found: Reach, view: DirectoryView, facets: Facets) -> None:
    """Where a row asks for four eyes, the draft names the officer whose signature goes beside the node's."""
    now = facets.time
    subjects = [view.subject(node, now) for node in found.nodes]
    rows = required_releases(view.bundle(now), piece.label, facets, subjects=subjects)
    if rows and not draft.approvers:
        raise PolicyDenied(
            f"row {rows[0]} asks for an officer's release", code="release", rule=rows[0], advice="name one in approvers"
        )


def _digest(draft: Draft, type_id: str, pieces: Sequence[Piece]) -> bytes:
    said = [type_id, draft.precedence, [[piece.label.wire(), piece.payload] for piece in pieces]]
    attached = [[item.name, item.media, item.size] for item in draft.attachments]
    return sha256(codec.pack([*said, attached] if attached else said)).digest()


def items_of(
    made: Composition, refs: Refs, now: int, random: Random, first: bytes | None = None
) -> tuple[Ticket, list[Item]]:
    """The outbox rows of a composition, one for each portion that reaches somebody, and the ticket they share.

    `first`: the id of portion 0, where attachments have been bound to it already.
    """
    ids = [names.uuid7(now, random(10)) if i or first is None else first for i in range(len(made.pieces))]
    ticket = Ticket(ids[0], made.plan)
    document = (ids[0], len(made.pieces)) if len(made.pieces) > 1 else None
    sent = [piece for piece in made.pieces if made.plan.members(piece.portion)]
    ticket.expected = len(sent)
    expires = made.draft.expires_at
    return ticket, [
        Item(
            "message",
            ids[piece.portion],
            precedence=made.draft.precedence,
            type=made.draft.body.TYPE,
            label=piece.label,
            purpose=made.draft.purpose,
            expires_at=None if expires is None else int(expires.timestamp() * 1000),
            document=document,
            refs=refs if piece.portion == 0 or refs.derived_from else NO_REFS,
            payload=wrap(piece.portion, piece.payload),
            salt=random(32),
            members=made.plan.members(piece.portion),
            approvers=made.draft.approvers,
            portion=piece.portion,
            ticket=ticket,
        )
        for piece in sent
    ]


def refs_of(draft: Draft, supersedes: Ref | None) -> Refs:
    """References by place in the log, filled in when the message is queued."""
    return Refs(
        reply_to=draft.reply_to.place if draft.reply_to is not None else None,
        derived_from=tuple(message.place for message in draft.derived_from),
        supersedes=supersedes,
    )
