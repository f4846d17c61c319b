"""Late signing: audience, grant, sealing, numbers and one signature, all at the moment of leaving."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import seal_part, to_commitment
from rsc_share.envelope.approval import approve
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.parts import Head, Opening, Part
from rsc_share.envelope.signature import sign_batch
from rsc_share.errors import PolicyDenied
from rsc_share.node.compose import facets_of
from rsc_share.node.grants import Grant, Grants
from rsc_share.node.identity import Identity, World
from rsc_share.node.outbox import Item, Sealed, Sent
from rsc_share.node.plan import Reach, reach
from rsc_share.rulebook.facts import HeadFact
from rsc_share.session.frames import Submission
from rsc_share.value import replace

MAX_ENTRIES = 64
"""Entries signed together: one signature, and one refusal loses little."""
MEDIA = "application/vnd.rsc-share+msgpack"


@dataclass(frozen=True, slots=True)
class Standing:
    """What an entry is numbered and dated by: this sender's head and counters, and the two checkpoints it acts on."""

    head: HeadFact
    counters: dict[str, int]
    seen: Head
    directory: Head


class Dispatch:
    """Turns queued items of one log into signed submissions."""

    def __init__(self, log: str, identity: Identity, world: World) -> None:
        self._log, self._identity, self._world = log, identity, world
        self.grants = Grants(log, identity.node, world.random)

    def prepare(self, items: list[Item], view: DirectoryView, now: int) -> tuple[list[Item], list[Item]]:
        """Give every item its audience and sealed body; `(ready to sign, failed)`. A needed grant goes in front."""
        ready: list[Item] = []
        failed: list[Item] = []
        for item in items:
            if item.kind != "message":
                item.nodes = item.nodes if item.kind == "grant" else self._circle(item, view, now)
                ready.append(item)
                continue
            problem = self._seal(item, view, now, ready)
            (failed if problem else ready).append(item)
        return ready, failed

    def _seal(self, item: Item, view: DirectoryView, now: int, ready: list[Item]) -> bool:
        found = self._reach(item, view, now)
        wider = {names.member_of(node) for node in found.nodes} - item.members - {self._identity.member}
        if wider or not found.nodes:
            self._fail(item, found, wider)
            return True
        grant = self.grants.get(found.nodes, now, view.parameters.grant_life)
        if grant is None:
            realm = view.channel_facts(self._log, now).realm
            grant, entry = self.grants.make(found.nodes, view, realm, now)
            ready.append(entry)
        if item.sealed is None or item.sealed.grant != grant.id:
            item.sealed = self._sealed(item, grant, view, now)
        item.nodes = found.nodes
        self._note_narrowing(item, found)
        return False

    def _circle(self, item: Item, view: DirectoryView, now: int) -> tuple[str, ...]:
        """The active nodes an entry of a fixed circle is for."""
        return tuple(
            node
            for node in view.active_nodes(self._log, now)
            if node != self._identity.node
            and (item.limit is None or node in item.limit or names.member_of(node) in item.limit)
        )

    def audience(self, item: Item, view: DirectoryView, now: int) -> tuple[str, ...]:
        """Whom an item would go to if it left now."""
        return self._reach(item, view, now).nodes if item.kind == "message" else self._circle(item, view, now)

    def _reach(self, item: Item, view: DirectoryView, now: int) -> Reach:
        if item.label is None or item.type is None:
            raise PolicyDenied("a message without a label reaches nobody")
        facets = facets_of(view, self._log, self._identity.member, item.type, item.purpose, now)
        return reach(view, self._log, item.label, facets, self._identity.node, item.portion)

    def _fail(self, item: Item, found: Reach, wider: set[str]) -> None:
        if item.ticket is None:
            return
        if wider:
            what, code = f"it would now also reach {', '.join(sorted(wider))}, whom its plan did not show", "wider"
            error = PolicyDenied(what, code=code, plan=item.ticket.plan, advice="publish it again to accept that")
        else:
            error = PolicyDenied("nobody is entitled any more", plan=item.ticket.plan)
        item.ticket.fail(error)

    def _note_narrowing(self, item: Item, found: Reach) -> None:
        ticket = item.ticket
        for outcome in found.outcomes:
            if ticket is not None and not outcome.released and outcome.member in item.members:
                ticket.narrow(outcome)

    def _sealed(self, item: Item, grant: Grant, view: DirectoryView, now: int) -> Sealed:
        part = seal_part(
            grant.gk,
            framework_id=view.framework_id,
            log=self._log,
            realm=view.channel_facts(self._log, now).realm,
            sender=self._identity.node,
            id=item.id,
            part=0,
            salt=item.salt,
            payload=item.payload,
        )
        return Sealed(
            grant.id, grant.nodes, Part(digest=part.digest, size=part.size, commit=part.commit, media=MEDIA), part.body
        )

    def sign(self, items: list[Item], standing: Standing, view: DirectoryView, now: int) -> list[Sent]:
        """Number the items after `standing` and sign them together, in this order."""
        headers, openings, head = [], [], standing.head
        counters = dict(standing.counters)
        for item in items:
            salts = {node: self._world.random(16) for node in item.nodes}
            for node in item.nodes:
                counters[node] = counters.get(node, 0) + 1
            header = self._header(item, head, standing, salts, counters, view)
            packed = header.pack()
            headers.append(packed)
            openings.append(tuple(Opening(salts[node], counters[node]) for node in item.nodes))
            head = HeadFact(head.seq + 1, header_hash(packed), -1)
        realm = view.channel_facts(self._log, now).realm
        blocks = sign_batch(self._identity.signer, view.framework_id, realm, headers)
        first = standing.head.seq + 1
        return [
            Sent(
                item,
                Submission(header, block, opened, item.statements, _bodies(item)),
                first + i,
                header_hash(header),
                tuple((node, opening.n) for node, opening in zip(item.nodes, opened, strict=True)),
            )
            for i, (item, header, block, opened) in enumerate(zip(items, headers, blocks, openings, strict=True))
        ]

    def _header(
        self,
        item: Item,
        head: HeadFact,
        standing: Standing,
        salts: dict[str, bytes],
        counters: dict[str, int],
        view: DirectoryView,
    ) -> Header:
        sender, sealed = self._identity.node, item.sealed
        header = Header(
            log=self._log,
            kind=item.kind,
            type=item.type,
            id=item.id,
            sender=sender,
            seq=head.seq + 1,
            prev=head.header_hash,
            expires_at=item.expires_at,
            precedence=item.precedence,
            purpose=item.purpose,
            document=item.document,
            refs=item.refs,
            label=item.label,
            to=tuple(
                (node, to_commitment(log=self._log, sender=sender, node=node, n=counters[node], salt=salts[node]))
                for node in item.nodes
            ),
            grant=sealed.grant if sealed else None,
            parts=(sealed.part, *(found.part for found in item.attachments)) if sealed else (),
            content=item.content,
            approvals=(),
            seen=standing.seen,
            directory=standing.directory,
        )
        if not item.approvers:
            return header
        signers = [self._identity.officers[name] for name in item.approvers]
        approvals = sorted(approve(signer, view.framework_id, header) for signer in signers)
        return replace(header, approvals=tuple(approvals))


def _bodies(item: Item) -> tuple[bytes, ...]:
    if item.sealed is None:
        return item.bodies
    return (item.sealed.body, *(found.body for found in item.attachments if found.body))
