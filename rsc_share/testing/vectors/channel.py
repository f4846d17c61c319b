"""A channel log that plays the relay: headers are made, signed and stamped, and judged as an auditor judges them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rsc_share import names
from rsc_share.crypto.bodies import received_commitment, seal_part, to_commitment
from rsc_share.crypto.sealing import grant_check, grant_info
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.approval import approve
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import DirectoryEntry, Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import FIRST_PREV, Header
from rsc_share.envelope.parts import NO_REFS, Head, Opening, Part, Ref
from rsc_share.envelope.signature import sign_batch
from rsc_share.labels.label import Label
from rsc_share.labels.text import parse_label
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.messages.portions import write_payload
from rsc_share.rulebook.admit import Admitted, Void, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, Key
from rsc_share.rulebook.view import Party, Source, View
from rsc_share.session.frames import Statement
from rsc_share.testing.vectors import rules
from rsc_share.testing.vectors.framework import DIRECTORY, LOG, Framework
from rsc_share.testing.vectors.material import MINUTE, Material, seeded
from rsc_share.value import replace

Verdict = Admitted | Void


@dataclass(frozen=True)
class Draft:
    """A header on its way, with what travels beside it."""

    header: Header
    openings: Mapping[str, Opening]
    statements: Mapping[str, Statement]
    bodies: Mapping[bytes, bytes]


@dataclass
class Channel:
    """The log `ct` of a framework. `log` adds an entry; `judge` only says what adding it would come to."""

    material: Material
    framework: Framework = field(init=False)
    tree: MemoryTree = field(default_factory=MemoryTree)
    entries: list[UnverifiedEntry] = field(default_factory=list)
    beside: list[Draft] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    facts: dict[Key, Fact] = field(default_factory=dict)
    known: dict[Ref, Source] = field(default_factory=dict)
    grants: dict[bytes, bytes] = field(default_factory=dict)
    made: int = 0
    now: int = 0

    def __post_init__(self) -> None:
        self.framework = founded(self.material)
        self.now = self.framework.now + 15 * MINUTE
        self.directory_tree = MemoryTree(
            leaf_hash(DirectoryEntry.stamped(item.data, Stamp(item.logged_at, index)).raw)
            for index, item in enumerate(self.framework.entries)
        )

    # --- making

    def head(self, log: str, size: int | None = None, *, root: bytes | None = None) -> Head:
        """A checkpoint as headers show it, signed by the log."""
        tree = self.directory_tree if log == DIRECTORY else self.tree
        at = tree.size if size is None else size
        found = Checkpoint(log, at, root or tree.root(min(at, tree.size)))
        return Head(at, found.root, sign_checkpoint(found, self.framework.log_keys()[0]).blob)

    def label(self, text: str, *originators: str) -> Label:
        return parse_label(text, rules.bundle().schemes, originators=originators)

    def fresh_id(self, *, at: int | None = None) -> bytes:
        self.made += 1
        return names.uuid7(self.now if at is None else at, seeded(f"id {self.made}", 10))

    def draft(self, sender: str, kind: str, to: Iterable[str], *, after: Draft | None = None, **changes: Any) -> Draft:
        """The next header of `sender`, or the one behind `after` in the same batch."""
        seq, prev = self._last(sender, after)
        counts = {node: self._count(sender, node, after) + 1 for node in sorted(to)}
        salts = {node: seeded(f"counter {sender} {node} {n} {self.made}", 16) for node, n in counts.items()}
        openings = {node: Opening(salts[node], n) for node, n in counts.items()}
        given: dict[str, Any] = {
            "log": LOG,
            "kind": kind,
            "type": None,
            "id": self.fresh_id(),
            "sender": sender,
            "seq": seq,
            "prev": prev,
            "expires_at": None,
            "precedence": "ROUTINE",
            "purpose": None,
            "document": None,
            "refs": NO_REFS,
            "label": None,
            "to": tuple(
                (node, to_commitment(log=LOG, sender=sender, node=node, n=o.n, salt=o.salt))
                for node, o in openings.items()
            ),
            "grant": None,
            "parts": (),
            "content": None,
            "approvals": (),
            "seen": self.head(LOG),
            "directory": self.head(DIRECTORY),
        }
        return Draft(Header(**{**given, **changes}), openings, {}, {})

    def _last(self, sender: str, after: Draft | None) -> tuple[int, bytes]:
        if after is not None:
            return after.header.seq + 1, leaf_hash(after.header.pack())
        found: Any = self.facts.get(("head", sender))
        return (found.seq + 1, found.header_hash) if found else (1, FIRST_PREV)

    def _count(self, sender: str, node: str, after: Draft | None) -> int:
        if after is not None and node in after.openings:
            return after.openings[node].n
        found: Any = self.facts.get(("count", sender, node), 0)
        return int(found)

    def grant(self, sender: str, to: Iterable[str], **changes: Any) -> Draft:
        """A key hand-out with its sealed keys."""
        nodes, made = sorted(to), self.fresh_id()
        gk = seeded(f"gk {made.hex()}", 32)
        self.grants[made] = gk
        rows, bodies = [], {}
        for node in nodes:
            key = self.framework.prekey(node)
            sealed = self.material.seal(key.public, gk, self._info(sender, made, node, key.id, gk))
            digest = hashlib.sha256(sealed).digest()
            bodies[digest] = sealed
            rows.append((node, key.id, digest))
        content = GrantContent(tuple(rows), grant_check(gk))
        found = self.draft(sender, "grant", nodes, **{"id": made, "content": content, **changes})
        return replace(found, bodies=bodies)

    def _info(self, sender: str, grant_id: bytes, node: str, prekey_id: bytes, gk: bytes) -> bytes:
        place: dict[str, Any] = {
            "framework_id": self.framework.id,
            "log": LOG,
            "realm": "operational",
            "sender": sender,
        }
        return grant_info(**place, grant_id=grant_id, node=node, prekey_id=prekey_id, check=grant_check(gk))

    def message(self, sender: str, to: Iterable[str], label: Label, grant: bytes, text: str, **changes: Any) -> Draft:
        """A threat assessment under a grant key."""
        made = changes.pop("id", None) or self.fresh_id()
        payload = write_payload({"title": text, "text": []}, "vector")
        sealed = seal_part(
            self.grants.get(grant, bytes(32)),
            framework_id=self.framework.id,
            log=LOG,
            realm="operational",
            sender=sender,
            id=made,
            part=0,
            salt=seeded(f"salt {made.hex()}", 32),
            payload=payload,
        )
        part = Part(digest=sealed.digest, size=sealed.size, commit=sealed.commit, media="application/msgpack")
        given: dict[str, Any] = {
            "id": made,
            "type": "threat/assessment/1",
            "label": label,
            "grant": grant,
            "parts": (part,),
            "purpose": "warning",
        }
        found = self.draft(sender, "message", to, **{**given, **changes})
        return replace(found, bodies={sealed.digest: sealed.body})

    def heartbeat(self, node: str, to: Iterable[str], received: Mapping[str, tuple[bytes, str]]) -> Draft:
        rows, said = [], {}
        for sender, (digest, state) in sorted(received.items()):
            salt = seeded(f"statement {node} {sender} {self.made}", 16)
            said[sender] = Statement(salt, digest, state)
            c = received_commitment(log=LOG, receiver=node, sender=sender, header_hash=digest, state=state, salt=salt)
            rows.append((sender, c))
        return replace(self.draft(node, "heartbeat", to, content=HeartbeatContent(tuple(rows))), statements=said)

    # --- signing, stamping, judging

    def sign(self, *drafts: Draft, by: str | None = None, realm: str = "operational") -> list[Signed]:
        headers = [draft.header.pack() for draft in drafts]
        signer = self.framework.signing(by or drafts[0].header.sender)
        blocks = sign_batch(signer, self.framework.id, realm, headers)
        return [Signed.parse(header, block) for header, block in zip(headers, blocks, strict=True)]

    def stamp(self, **changes: int) -> Stamp:
        return replace(Stamp(self.now, self.framework.directory.size), **changes)

    def case(self, signed: Signed, stamp: Stamp, draft: Draft) -> Case:
        view = View(
            party=Party.AUDITOR,
            log=LOG,
            directory=self.framework.directory,
            directory_root=self.directory_tree.root,
            witnessed=self.framework.directory.size,
            facts=self.facts,
            size=self.tree.size,
            last=self.entries[-1].stamp if self.entries else None,
            root_at=self.tree.root,
            signatures=VerifyCache(),
            known=self.known.get,
        )
        sizes = {digest: len(body) for digest, body in draft.bodies.items()}
        return Case(view, signed, stamp, draft.openings, sizes)

    def judge(self, signed: Signed, stamp: Stamp, draft: Draft) -> Verdict:
        return judge(self.case(signed, stamp, draft))

    def log(self, *drafts: Draft) -> list[Ref]:
        """Sign as one batch and log one after the other; where they stand."""
        found = []
        for signed, draft in zip(self.sign(*drafts), drafts, strict=True):
            self.now += 1000
            stamp = self.stamp()
            found.append(self.place(signed, stamp, draft))
        return found

    def place(self, signed: Signed, stamp: Stamp, draft: Draft) -> Ref:
        verdict = self.judge(signed, stamp, draft)
        entry = UnverifiedEntry.stamped(signed, stamp)
        index = self.tree.size
        self.facts.update(verdict.effects)
        if isinstance(verdict, Admitted):
            source = Source.of(index, signed)
            self.known[source.ref] = source
        self.entries.append(entry)
        self.beside.append(draft)
        self.verdicts.append(verdict)
        self.tree.append(entry.leaf)
        return Ref(LOG, index, signed.header_hash)


def founded(material: Material) -> Framework:
    """Charter, prekeys, officers, a witness-only node and a revoked one."""
    f = Framework(material)
    for node in ("EST/mod-1", "FIN/mod-1", "LTU/mod-1", "LVA/mod-1"):
        f.log(f.publish(node), f"prekey of {node}")
    for name in ("EST/duty-1", "LVA/duty-1"):
        f.log(f.certify(f.officer(name), f.signing(f"{name[:3]}/mod-1")), f"officer {name}")
    f.log(f.certify(f.officer("EST/duty-2", "acknowledge"), f.signing("EST/mod-1")), "an officer who only acknowledges")
    f.log(f.certify(f.node("LVA/mod-2", role="witness"), f.signing("LVA/mod-1")), "a node that only witnesses")
    f.log(f.certify(f.node("FIN/mod-2"), f.signing("FIN/mod-1")), "a second node of FIN")
    f.log(f.revoke("FIN/mod-2"), "which is revoked")
    f.log(f.publish("EST/mod-1", 2), "EST rotates its prekey", after=45 * MINUTE)
    return f


def officers(channel: Channel, draft: Draft, *names_: str) -> Draft:
    """The same draft with officers' approvals."""
    signers = [channel.material.key(f"{name} officer") for name in names_]
    rows: Sequence[tuple[bytes, bytes]] = sorted(approve(s, channel.framework.id, draft.header) for s in signers)
    return replace(draft, header=replace(draft.header, approvals=tuple(rows)))
