"""A long log that every check accepts: six states, an operator, hundreds of labels. Only what needs a key is made up.

Bodies are random bytes under random commitments: who holds no grant key, as relay and auditor do, cannot tell. All the
rest is real: keys, prekeys, grants, counters, heads, stamps, signatures; the relay's rulebook admits every entry.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from rsc_share import names
from rsc_share.audit.export import vkeys_of
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource
from rsc_share.charter.directory import Directory
from rsc_share.charter.prekey import Prekey, publish_prekey
from rsc_share.crypto.bodies import to_commitment
from rsc_share.crypto.sealing import Prekey as PrekeyPair
from rsc_share.crypto.signing import PrivateKey
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.contents import Content, GrantContent, HeartbeatContent
from rsc_share.envelope.entry import DirectoryEntry, Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import FIRST_PREV, Header, header_hash
from rsc_share.envelope.parts import NO_REFS, Head, Opening, Part
from rsc_share.envelope.signature import sign_batch
from rsc_share.labels.label import Label
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import Note
from rsc_share.log.tree import MemoryTree
from rsc_share.policy.decide import decide
from rsc_share.policy.subject import Facets
from rsc_share.rulebook.admit import admit
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import Fact, Key
from rsc_share.rulebook.view import Party, View
from rsc_share.testing.clock import Dice
from rsc_share.testing.founding import HOST, ChannelPlan, Plan, found

STATES = ("EST", "FIN", "LTU", "LVA", "NOR", "SWE")
START = 1_780_300_800_000
"""2026-06-01T08:00Z in ms."""
MINUTE = 60_000
COMMIT = 64
"""Entries between two checkpoints."""
BODY = 1040
LEVELS = ("UNMARKED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
TYPE = "threat/assessment/1"


@dataclass
class Draft:
    """A header with its openings, ready to be signed."""

    packed: bytes
    header: Header
    openings: dict[str, Opening]


@dataclass
class Sender:
    """What a node remembers about its own entries in the log."""

    node: str
    key: PrivateKey
    labels: list[Label]
    seq: int = 0
    prev: bytes = FIRST_PREV
    counts: dict[str, int] = field(default_factory=dict)
    grants: dict[tuple[str, ...], tuple[bytes, int]] = field(default_factory=dict)
    audiences: dict[Label, tuple[str, ...]] = field(default_factory=dict)
    sent: int = 0


def labels_of(member: str) -> list[Label]:
    """40 labels of one originator: four levels for each of ten audiences."""
    others = [code for code in STATES if code != member]
    audiences = [("@members",), *((code,) for code in others), *list(combinations(others, 4))[:4]]
    return [
        Label.of("REGIONAL", level, originators=[member], audience=audience)
        for audience in audiences
        for level in LEVELS
    ]


class Synthetic:
    """One framework with one busy channel. `fill` adds entries and says how long the rulebook took for them."""

    def __init__(self) -> None:
        self.random = Dice("bench")
        plan = Plan(framework="bench", members=STATES, channels=(ChannelPlan("main"),))
        self.founded = found(plan, START)
        self.now = START
        self.origin = f"{HOST}/bench/main"
        self.directory_origin = self.founded.charter.directory
        self.directory = Directory.begin(self.founded.framework_id)
        self.directory_entries: list[bytes] = []
        self.directory_tree = MemoryTree()
        self.bodies: dict[bytes, bytes] = {}
        self.entries: list[bytes] = []
        self.openings: dict[int, dict[str, Opening]] = {}
        self.tree = MemoryTree()
        self.facts: dict[Key, Fact] = {}
        self.last: Stamp | None = None
        self.cache = VerifyCache()
        self.admit_seconds = 0.0
        self._fold()
        self.senders = [
            Sender(party.nodes[0].name, party.nodes[0].signing, labels_of(code))
            for code, party in self.founded.parties.items()
            if party.nodes
        ]
        self.directory_head = self._head(self.directory_origin, self.directory_tree)

    # --- the directory

    def _fold(self) -> None:
        genesis, self.permanent = self.founded.genesis()
        self._log(genesis)
        for party in self.founded.parties.values():
            for node in party.nodes:
                self.now += 1000
                public = PrekeyPair.generate(seed=node.name.encode()).public
                prekey = Prekey(node.name, public, self.now)
                self._log(publish_prekey(prekey, self.founded.framework_id, node.signing))
        self.now += 40 * MINUTE
        self.view = self.directory.at(self.directory.size)

    def _log(self, data: bytes) -> None:
        entry = DirectoryEntry.stamped(data, Stamp(self.now, self.directory.size))
        self.directory.apply(data, self.now, self.permanent)
        self.directory_entries.append(entry.raw)
        self.directory_tree.append(entry.leaf)

    def _head(self, origin: str, tree: MemoryTree) -> Head:
        checkpoint = Checkpoint(origin, tree.size, tree.root())
        return Head(tree.size, checkpoint.root, sign_checkpoint(checkpoint, self.founded.log_keys[0]).blob)

    # --- entries

    def fill(self, count: int, batch: int = 1) -> None:
        """At least `count` entries more, in commits of `COMMIT`; one signature covers `batch` of one sender."""
        end = len(self.entries) + count
        turn = 0
        while len(self.entries) < end:
            self.now += 1000
            seen = self._head(self.origin, self.tree)
            for _ in range(COMMIT // batch):
                sender = self.senders[turn % len(self.senders)]
                turn += 1
                self._send(sender, batch, seen)

    def _send(self, sender: Sender, count: int, seen: Head) -> None:
        drafts: list[Draft] = []
        for _ in range(count):
            drafts.extend(self._next(sender, seen))
        for start in range(0, len(drafts), max(count, 1)):
            part = drafts[start : start + count]
            blocks = sign_batch(sender.key, self.founded.framework_id, "operational", [d.packed for d in part])
            for draft, block in zip(part, blocks, strict=True):
                self._append(draft, block)

    def _next(self, sender: Sender, seen: Head) -> Iterator[Draft]:
        """The next message of a sender, its grant before it where the audience has none that lives."""
        sender.sent += 1
        if sender.sent % 100 == 0:
            others = tuple(n for n in self.view.active_nodes(self.origin, self.now) if n != sender.node)
            yield self._draft(sender, "heartbeat", others, seen, content=HeartbeatContent(()))
            return
        label = sender.labels[int.from_bytes(self.random(4), "big") % len(sender.labels)]
        to = self._audience(sender, label)
        held = sender.grants.get(to)
        if held is None or self.now > held[1] + 50 * MINUTE:
            yield self._grant(sender, to, seen)
        body = self._body()
        part = Part(digest=body, size=BODY, commit=self.random(32), media="application/msgpack")
        yield self._draft(sender, "message", to, seen, label=label, grant=sender.grants[to][0], parts=(part,))

    def _audience(self, sender: Sender, label: Label) -> tuple[str, ...]:
        found_nodes = sender.audiences.get(label)
        if found_nodes is None:
            channel = self.view.channel_facts(self.origin, self.now)
            facets = Facets(self.now, channel, names.member_of(sender.node), "threat", TYPE)
            view, bundle = self.view, self.view.bundle(self.now)
            found_nodes = sender.audiences[label] = tuple(
                node
                for node in view.active_nodes(self.origin, self.now)
                if node != sender.node
                and decide(bundle, label, view.subject(node, self.now), "receive", facets).permitted
            )
        return found_nodes

    def _grant(self, sender: Sender, to: tuple[str, ...], seen: Head) -> Draft:
        rows = []
        for node in to:
            prekey = self.view.prekey(node, self.now)
            assert prekey is not None
            rows.append((node, prekey.id, self._body()))
        draft = self._draft(sender, "grant", to, seen, content=GrantContent(tuple(rows), bytes(32)))
        sender.grants[to] = (draft.header.id, self.now)
        return draft

    def _body(self) -> bytes:
        data = self.random(BODY)
        digest = hashlib.sha256(data).digest()
        self.bodies[digest] = data
        return digest

    def _draft(
        self,
        sender: Sender,
        kind: str,
        to: Sequence[str],
        seen: Head,
        *,
        label: Label | None = None,
        grant: bytes | None = None,
        parts: tuple[Part, ...] = (),
        content: Content | None = None,
    ) -> Draft:
        openings, listed = {}, []
        for node in to:
            n = sender.counts[node] = sender.counts.get(node, 0) + 1
            opening = openings[node] = Opening(self.random(16), n)
            commitment = to_commitment(log=self.origin, sender=sender.node, node=node, n=n, salt=opening.salt)
            listed.append((node, commitment))
        sender.seq += 1
        header = Header(
            log=self.origin,
            kind=kind,
            type=TYPE if kind == "message" else None,
            id=names.uuid7(self.now, self.random(10)),
            sender=sender.node,
            seq=sender.seq,
            prev=sender.prev,
            expires_at=None,
            precedence="ROUTINE",
            purpose=None,
            document=None,
            refs=NO_REFS,
            label=label,
            to=tuple(listed),
            grant=grant,
            parts=parts,
            content=content,
            approvals=(),
            seen=seen,
            directory=self.directory_head,
        )
        packed = header.pack()
        sender.prev = header_hash(packed)
        return Draft(packed, header, openings)

    def _append(self, draft: Draft, block: bytes) -> None:
        began = time.perf_counter()
        signed = Signed.parse(draft.packed, block)
        stamp = Stamp(self.now, self.directory.size)
        admitted = admit(self.case(signed, stamp, draft.openings, len(self.entries)))
        self.admit_seconds += time.perf_counter() - began
        entry = UnverifiedEntry.stamped(signed, stamp)
        self.facts.update(admitted.effects)
        self.openings[len(self.entries)] = draft.openings
        self.entries.append(entry.raw)
        self.tree.append(entry.leaf)
        self.last = stamp

    def case(self, signed: Signed, stamp: Stamp, openings: dict[str, Opening], index: int) -> Case:
        """The entry as the relay sees it."""
        view = View(
            party=Party.RELAY,
            log=self.origin,
            directory=self.directory,
            directory_root=self.directory_tree.root,
            witnessed=self.directory.size,
            facts=self.facts,
            size=index,
            last=self.last,
            root_at=self.tree.root,
            signatures=self.cache,
        )
        sizes = {part.digest: len(self.bodies[part.digest]) for part in signed.header.parts}
        content = signed.header.content
        if isinstance(content, GrantContent):
            sizes.update((digest, len(self.bodies[digest])) for _, _, digest in content.nodes)
        return Case(view, signed, stamp, openings, sizes)

    # --- what leaves the relay

    def note(self, origin: str, tree: MemoryTree) -> bytes:
        """The newest checkpoint, signed by the log and cosigned by every state."""
        checkpoint, seconds = Checkpoint(origin, tree.size, tree.root()), self.now // 1000
        one, two = self.founded.log_keys
        lines = [sign_checkpoint(checkpoint, one), cosign_mldsa44(checkpoint, origin, two, seconds)]
        for party in self.founded.parties.values():
            for node in party.nodes:
                name = f"bench/{node.name}"
                lines.append(cosign_ed25519(checkpoint, name, node.witness, seconds))
                lines.append(cosign_mldsa44(checkpoint, name, node.witness_pq, seconds))
        return Note(checkpoint.text(), tuple(lines)).encode()

    def source(self) -> ExportSource:
        """Everything an auditor is given."""
        charter = self.founded.charter
        text, keys, signatures, bundle = self.permanent.values()
        logs = [
            LogSource(
                self.directory_origin,
                self.directory_entries,
                self.note(self.directory_origin, self.directory_tree),
                vkeys_of(self.directory, self.directory_origin),
            ),
            LogSource(
                self.origin,
                self.entries,
                self.note(self.origin, self.tree),
                vkeys_of(self.directory, self.origin),
                self.openings,
            ),
        ]
        charters = [CharterBodies(charter.version, text, keys, signatures, bundle)]
        return ExportSource(charter.digest, "bench", self.now, "bench", charters, logs, self.bodies)
