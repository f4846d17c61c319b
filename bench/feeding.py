"""Nodes that cost little: real sessions and entries that the relay's rulebook admits, signed 64 at a time.

Bodies are random bytes under random commitments and sealed keys are nobody's: who holds no grant key, as a relay,
cannot tell. Witnesses cosign what they are offered without judging it. All the relay has to do is real.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from stage import Stage, read_directory

from rsc_share import names
from rsc_share.charter.prekey import Prekey, publish_prekey
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import to_commitment
from rsc_share.crypto.sealing import SEALED_SIZE
from rsc_share.crypto.sealing import Prekey as PrekeyPair
from rsc_share.envelope.contents import Content, GrantContent
from rsc_share.envelope.header import FIRST_PREV, Header, header_hash
from rsc_share.envelope.parts import NO_REFS, Head, Opening, Part
from rsc_share.envelope.signature import sign_batch
from rsc_share.errors import RemoteError, RscError
from rsc_share.labels.label import Label
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import Note
from rsc_share.node.identity import system_clock
from rsc_share.node.net.port import NetPort
from rsc_share.session.frames import Logged, Outcome, Submission
from rsc_share.testing.clock import Dice
from rsc_share.testing.people import NodeKeys

BATCH = 64
"""Entries under one signature, handed in with one call."""
BODY = 1_040
TYPE = "threat/assessment/1"
GRANT_MS = 50 * 60_000
COSIGN_SECONDS = 0.25
PQ_MS = 10 * 60_000
PATIENCE = 600


def head_of(note: bytes, origin: str) -> Head:
    """What a header shows of a checkpoint, taken as it is: it came from the relay that is measured."""
    parsed = Note.parse(note)
    checkpoint = Checkpoint.parse(parsed.text)
    line = next(line for line in parsed.signatures if line.name == origin and len(line.blob) == 64)
    return Head(checkpoint.size, checkpoint.root, line.blob)


@dataclass
class CheapNode:
    """One node: sends, reads and witnesses through one session. `read` is how many entries it was shown."""

    stage: Stage
    keys: NodeKeys
    port: NetPort
    random: Dice
    seq: int = 0
    prev: bytes = FIRST_PREV
    counts: dict[str, int] = field(default_factory=dict)
    grant: tuple[bytes, int] | None = None
    read: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    pq: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.keys.name

    @classmethod
    async def of(cls, stage: Stage, keys: NodeKeys) -> CheapNode:
        link = stage.link(keys)
        await link.begin()
        await link.opened()
        return cls(stage, keys, NetPort(link), Dice("bench", keys.name))

    async def publish_prekey(self) -> None:
        public = PrekeyPair.generate(seed=self.name.encode()).public
        prekey = Prekey(self.name, public, system_clock())
        await self._patient(self.port.submit_object, publish_prekey(prekey, self._framework, self.keys.signing), {})

    async def _patient(self, call: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """A directory takes objects once its witnesses have vouched for it."""
        for left in reversed(range(PATIENCE)):
            try:
                await call(*arguments)
            except RscError as error:
                if error.code != "not-ready" or not left:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    @property
    def _framework(self) -> bytes:
        return self.stage.founded.framework_id

    # --- reading and witnessing

    async def follow(self) -> None:
        """For ever: wait for news, read every entry there is, cosign what is offered, however much there is to read."""
        while True:
            await self.port.changed({self.stage.log: self.read})
            until = time.monotonic() + COSIGN_SECONDS
            while (tail := await self.port.read(self.stage.log, self.read, 512)) is not None and tail.items:
                self.read += len(tail.items)
                if time.monotonic() > until:
                    break
            await self.witness()
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def witness(self) -> None:
        for offer in await self.port.offers(self.heads):
            now = system_clock()
            checkpoint = Checkpoint.parse(Note.parse(offer.note).text)
            name = f"{self.stage.founded.plan.framework}/{self.name}"
            lines = [cosign_ed25519(checkpoint, name, self.keys.witness, now // 1000).line()]
            if now - self.pq.get(offer.log, 0) >= PQ_MS:
                self.pq[offer.log] = now
                lines.append(cosign_mldsa44(checkpoint, name, self.keys.witness_pq, now // 1000).line())
            try:
                await self.port.cosign(offer.log, checkpoint.size, lines)
            except RemoteError as error:
                if error.code != "unknown-witness":  # certified, and not yet in the directory that counts witnesses
                    raise
            else:
                self.heads[offer.log] = checkpoint.size

    # --- sending

    async def feed(self, ground: Ground, more: Callable[[], Awaitable[int]]) -> None:
        """Send batches, one call after the other, as long as `more()` gives a number of entries to send."""
        coming = self._batch(ground, await more())
        while coming:
            sent = asyncio.ensure_future(self.port.submit(self.stage.log, coming))
            await asyncio.sleep(0)  # it leaves; the next batch is made meanwhile
            coming = self._batch(ground, await more())
            ground.take(await sent)

    def _batch(self, ground: Ground, count: int) -> list[Submission]:
        if not count:
            return []
        now = system_clock()
        drafts, label = [], ground.label(names.member_of(self.name))
        if self.grant is None or now - self.grant[1] > GRANT_MS:
            drafts.append(self._grant(ground, now))
        assert self.grant is not None
        while len(drafts) < count:
            body = self.random(BODY)
            part = Part(
                digest=hashlib.sha256(body).digest(), size=BODY, commit=self.random(32), media="application/msgpack"
            )
            drafts.append(
                self._draft(ground, now, "message", label=label, grant=self.grant[0], parts=(part,), bodies=(body,))
            )
        blocks = sign_batch(self.keys.signing, self._framework, "operational", [packed for packed, _, _ in drafts])
        return [
            Submission(packed, block, openings, (), bodies)
            for (packed, openings, bodies), block in zip(drafts, blocks, strict=True)
        ]

    def _grant(self, ground: Ground, now: int) -> tuple[bytes, tuple[Opening, ...], tuple[bytes, ...]]:
        rows, bodies = [], []
        for node in ground.others(self.name):
            prekey = ground.view.prekey(node, now)
            assert prekey is not None
            bodies.append(self.random(SEALED_SIZE))
            rows.append((node, prekey.id, hashlib.sha256(bodies[-1]).digest()))
        made = self._draft(ground, now, "grant", content=GrantContent(tuple(rows), bytes(32)), bodies=tuple(bodies))
        self.grant = (Header.parse(made[0]).id, now)
        return made

    def _draft(
        self,
        ground: Ground,
        now: int,
        kind: str,
        *,
        label: Label | None = None,
        grant: bytes | None = None,
        parts: tuple[Part, ...] = (),
        content: Content | None = None,
        bodies: tuple[bytes, ...] = (),
    ) -> tuple[bytes, tuple[Opening, ...], tuple[bytes, ...]]:
        openings, to, log = [], [], self.stage.log
        for node in ground.others(self.name):
            n = self.counts[node] = self.counts.get(node, 0) + 1
            openings.append(Opening(self.random(16), n))
            to.append((node, to_commitment(log=log, sender=self.name, node=node, n=n, salt=openings[-1].salt)))
        self.seq += 1
        header = Header(
            log=log,
            kind=kind,
            type=TYPE if kind == "message" else None,
            id=names.uuid7(now, self.random(10)),
            sender=self.name,
            seq=self.seq,
            prev=self.prev,
            expires_at=None,
            precedence="ROUTINE",
            purpose=None,
            document=None,
            refs=NO_REFS,
            label=label,
            to=tuple(to),
            grant=grant,
            parts=parts,
            content=content,
            approvals=(),
            seen=ground.seen,
            directory=ground.directory,
        )
        packed = header.pack()
        self.prev = header_hash(packed)
        return packed, tuple(openings), bodies


@dataclass
class Ground:
    """What all senders know: the directory with everybody's prekey, and the newest checkpoint of the log."""

    view: DirectoryView
    log: str
    nodes: tuple[str, ...]
    directory: Head
    seen: Head
    logged: int = 0

    def label(self, member: str) -> Label:
        return Label.of("REGIONAL", "RESTRICTED", originators=[member], audience=("@members",))

    def others(self, node: str) -> tuple[str, ...]:
        return tuple(other for other in self.nodes if other != node)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Count what was logged. Anything else is not what was to be measured."""
        for outcome in outcomes:
            assert isinstance(outcome, Logged), f"the relay did not log an entry: {outcome}"
        self.logged += len(outcomes)
        found = head_of(outcomes[-1].note, self.log)
        if found.size > self.seen.size:
            self.seen = found


async def meet(stage: Stage) -> tuple[list[CheapNode], Ground]:
    """All nodes of the plan connected, prekeys logged and the directory witnessed with them."""
    every = [keys for party in stage.founded.parties.values() for keys in party.nodes]
    nodes = [await CheapNode.of(stage, keys) for keys in every]
    for node in nodes:
        await node.witness()
    for node in nodes:
        await node.publish_prekey()
    port = nodes[0].port
    directory = await read_directory(stage, port)
    while not await _witnessed(stage, nodes, directory.size):  # noqa: ASYNC110 - a benchmark's start
        await asyncio.sleep(0.3)
    note = await port.witnessed(stage.directory)
    assert note is not None
    first = await port.read(stage.log, 0, 1)
    empty = first.note if first is not None else await port.witnessed(stage.log)
    assert empty is not None, "nobody witnessed the empty log"
    view = directory.at(directory.size)
    ground = Ground(
        view, stage.log, tuple(n.name for n in nodes), head_of(note, stage.directory), head_of(empty, stage.log)
    )
    return nodes, ground


async def _witnessed(stage: Stage, nodes: list[CheapNode], size: int) -> bool:
    for node in nodes:
        await node.witness()
    notes = [await nodes[0].port.witnessed(log) for log in (stage.directory, stage.log)]
    return all(notes) and head_of(notes[0] or b"", stage.directory).size == size
