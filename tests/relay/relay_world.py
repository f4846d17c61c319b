"""Three states and the member that runs the relay, in memory: keys, charter, senders and witnesses for relay tests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rsc_share import names
from rsc_share.charter.amendment import charter_object
from rsc_share.charter.compose import channel, compose, new_charter, node_spec
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Member, MemberEntitlement
from rsc_share.charter.model import Relay as RelaySpec
from rsc_share.charter.prekey import Prekey as PublishedPrekey
from rsc_share.charter.prekey import publish_prekey
from rsc_share.charter.quorum import pack_signatures, sign_charter
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.bodies import received_commitment, seal_part, to_commitment
from rsc_share.crypto.sealing import Prekey, grant_check, grant_info, seal_key
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import FIRST_PREV, Header, header_hash
from rsc_share.envelope.parts import NO_REFS, Head, Opening, Part, Ref, Refs
from rsc_share.envelope.signature import sign_batch
from rsc_share.labels.label import Label
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import cosign_ed25519
from rsc_share.log.merkle import EMPTY_ROOT
from rsc_share.log.note import Note
from rsc_share.log.proofs import verify_extension, verify_inclusion
from rsc_share.policy.bundle import pack_bundle
from rsc_share.relay.heads import OutsideHeads
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.protocol import Batch, LogStore
from rsc_share.session.frames import Logged, Offer, Statement, Submission

ROOT = Path(__file__).parents[2]
DAY = 86_400_000
MINUTE = 60_000
BEGIN = 20_454 * DAY  # 2026-01-01
T0 = BEGIN + 10 * DAY
HOST = "relay.example:8443"
DIRECTORY = f"{HOST}/regional/directory"
CT = f"{HOST}/regional/ct"
OPS = f"{HOST}/regional/ops"
STATES = ("EST", "FIN", "LVA")
NODES = tuple(f"{code}/mod-1" for code in STATES)
EST, FIN, LVA = NODES
HUB = "HUB/relay-1"
GK = bytes(range(32))


@cache
def key(name: str, suite: int = Suite.ED25519) -> PrivateKey:
    return PrivateKey.generate(suite, seed=name.encode())


@cache
def prekey(node: str, number: int = 1) -> Prekey:
    return Prekey.generate(seed=hashlib.sha256(f"{node} {number}".encode()).digest())


def witness_keys(node: str) -> tuple[PrivateKey, PrivateKey]:
    return key(f"{node} witness"), key(f"{node} witness", Suite.ML_DSA_44)


@cache
def bundle() -> bytes:
    return pack_bundle(
        {
            "policy.toml": b'policy = "regional"\nversion = 1\nvalid = [2026-01-01, 2028-12-31]\n',
            "schemes/regional.toml": (ROOT / "policies/schemes/regional.toml").read_bytes(),
        }
    )


def _spec(node: str):
    one, two = witness_keys(node)
    signing = key(f"{node} signing").public
    return node_spec(node, signing, (one.public, two.public), accreditation={"REGIONAL": "SECRET"})


def _member(code: str, node: str, role: str = "member") -> Member:
    return Member(
        code=code,
        role=role,
        authority=key(f"{code} authority", Suite.HYBRID).public.fingerprint,
        duty=key(f"{code} duty").public.fingerprint,
        entitlements={"REGIONAL": MemberEntitlement(frozenset({"RESTRICTED", "SECRET"}), {})},
        nodes={node: _spec(node)},
    )


def log_keys() -> LogKeys:
    return LogKeys(key("log"), key("log", Suite.ML_DSA_44))


@cache
def founding() -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """Framework id, charter object, bodies."""
    parties = [_member(code, f"{code}/mod-1") for code in STATES] + [_member("HUB", HUB, "observer")]
    keys = log_keys()
    prints = (keys.ed25519.public.fingerprint, keys.mldsa44.public.fingerprint)
    channels = [
        channel(name, HOST, STATES, ceiling={"REGIONAL": "SECRET"}, families=["threat"]) for name in ("ct", "ops")
    ]
    charter = parse_charter(
        compose(
            new_charter(
                "regional",
                valid=(BEGIN, BEGIN + 1096 * DAY),
                members=parties,
                relays=[RelaySpec(HOST, "HUB", prints, ())],
                channels=channels,
                directory_relay=HOST,
                policy=hashlib.sha256(bundle()).digest(),
                witness_quorum=2,
                erasure=["EST/duty-1"],
            )
        )
    )
    codes = (*STATES, "HUB")
    found = [*_all_keys(codes), keys.ed25519, keys.mldsa44]
    known = {item.public.fingerprint: item.public for item in found}
    ring = KeyRing.of(known[fingerprint] for fingerprint in expected_suites(charter)).pack()
    signers = [key(f"{code} authority", Suite.HYBRID) for code in codes]
    signatures = pack_signatures({s.public.key_id: sign_charter(charter.text, None, s) for s in signers})
    bodies = {hashlib.sha256(item).digest(): item for item in (charter.text, ring, signatures, bundle())}
    return charter.digest, charter_object(charter, ring, signatures), bodies


def _all_keys(codes):
    for code in codes:
        yield key(f"{code} authority", Suite.HYBRID)
        yield key(f"{code} duty")
        node = HUB if code == "HUB" else f"{code}/mod-1"
        yield key(f"{node} signing")
        yield from witness_keys(node)


def head_of(note: bytes) -> Head:
    found = Note.parse(note)
    checkpoint = Checkpoint.parse(found.text)
    line = next(line for line in found.signatures if line.name == checkpoint.origin and len(line.blob) == 64)
    return Head(checkpoint.size, checkpoint.root, line.blob)


class Witness:
    """A node that cosigns whatever extends what it has seen, and checks that it does."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.shown: dict[str, Head] = {}
        """What it was shown beyond its heads."""

    async def answer(self, port, clock, *, only: str | None = None) -> list[Offer]:
        offers = await port.offers({log: size for log, (size, _) in self.heads.items()}, self.shown)
        for offer in offers:
            if only is None or offer.log == only:
                await self.cosign(port, offer, clock.now)
        return offers

    async def cosign(self, port, offer: Offer, now: int) -> None:
        checkpoint = Checkpoint.parse(Note.parse(offer.note).text)
        old, root = self.heads.get(offer.log, (0, EMPTY_ROOT))
        assert old == offer.old
        verify_extension(old, checkpoint.size, root, checkpoint.root, offer.proof)
        self.heads[offer.log] = (checkpoint.size, checkpoint.root)
        line = cosign_ed25519(checkpoint, f"regional/{self.node}", witness_keys(self.node)[0], now // 1000)
        await port.cosign(offer.log, checkpoint.size, [line.line()])


@dataclass
class Clock:
    now: int = T0

    def __call__(self) -> int:
        return self.now


@dataclass
class Pen:
    """Writes entries of one node in one log and counts like an honest sender."""

    world: World
    node: str
    log: str = CT
    seq: int = 0
    prev: bytes = FIRST_PREV
    counts: dict[str, int] = field(default_factory=dict)
    grants: int = 0
    made: int = 0

    def message(
        self, *to: str, text: bytes = b"a sighting", level: str = "SECRET", grant: bytes | None = None, blobs=(), **more
    ):
        """A message to these nodes, with the grant given or the pen's newest."""
        message_id = self.new_id()
        part = seal_part(
            GK,
            framework_id=self.world.id,
            log=self.log,
            realm="operational",
            sender=self.node,
            id=message_id,
            part=0,
            salt=hashlib.sha256(message_id).digest(),
            payload=text,
        )
        members = sorted({names.member_of(node) for node in to})
        mine = names.member_of(self.node)
        label = Label("REGIONAL", level, (), (mine,), tuple(members), None, None, None)
        fields = {
            "type": "threat/assessment/1",
            "label": label,
            "parts": (
                Part(digest=part.digest, size=part.size, commit=part.commit, media="application/msgpack"),
                *blobs,
            ),
            "grant": grant or self.last_grant,
            "id": message_id,
            **more,
        }
        return self.entry("message", to, bodies=(part.body,), **fields)

    def grant(self, *to: str):
        grant_id = self.last_grant = self.new_id()
        check, rows, sealed = grant_check(GK), [], []
        for node in sorted(to):
            record = prekey(node)
            info = grant_info(
                framework_id=self.world.id,
                log=self.log,
                realm="operational",
                sender=self.node,
                grant_id=grant_id,
                node=node,
                prekey_id=record.id,
                check=check,
            )
            sealed.append(seal_key(record.public, GK, info))
            rows.append((node, record.id, hashlib.sha256(sealed[-1]).digest()))
        return self.entry("grant", to, content=GrantContent(tuple(rows), check), bodies=tuple(sealed), id=grant_id)

    def heartbeat(self, *received: tuple[str, bytes, str]):
        rows, statements = [], []
        for sender, digest, state in sorted(received):
            salt = hashlib.sha256(f"{sender}{self.made}".encode()).digest()[:16]
            place = {"log": self.log, "receiver": self.node, "sender": sender}
            rows.append((sender, received_commitment(**place, header_hash=digest, state=state, salt=salt)))
            statements.append(Statement(salt, digest, state))
        others = [node for node in NODES if node != self.node]
        return self.entry("heartbeat", others, content=HeartbeatContent(tuple(rows)), statements=tuple(statements))

    def refer(self, kind: str, to, ref: Ref, content, **more):
        return self.entry(kind, to, content=content, refs=Refs(target=ref), **more)

    def new_id(self) -> bytes:
        self.made += 1
        return names.uuid7(self.world.clock.now, hashlib.sha256(f"{self.node}{self.log}{self.made}".encode()).digest())

    def entry(self, kind: str, to, *, bodies=(), statements=(), advance: bool = True, **fields) -> Submission:
        nodes = sorted(node for node in to if node != self.node)
        openings = {n: Opening(hashlib.sha256(f"{n}{self.made}".encode()).digest()[:16], self.count(n)) for n in nodes}
        values = {
            "log": self.log,
            "kind": kind,
            "type": None,
            "id": fields.pop("id", None) or self.new_id(),
            "sender": self.node,
            "seq": self.seq + 1,
            "prev": self.prev,
            "expires_at": None,
            "precedence": "ROUTINE",
            "purpose": None,
            "document": None,
            "refs": NO_REFS,
            "label": None,
            "to": tuple((n, self.commit(n, openings[n])) for n in nodes),
            "grant": None,
            "parts": (),
            "content": None,
            "approvals": (),
            "seen": self.world.seen(self.log),
            "directory": self.world.directory_head(),
        }
        header = Header(**{**values, **fields}).pack()
        (block,) = sign_batch(key(f"{self.node} signing"), self.world.id, "operational", [header])
        if advance:
            self.seq, self.prev = self.seq + 1, header_hash(header)
            for node in nodes:
                self.counts[node] = self.counts.get(node, 0) + 1
        return Submission(header, block, tuple(openings.values()), tuple(statements), tuple(bodies))

    def count(self, node: str) -> int:
        return self.counts.get(node, 0) + 1

    def commit(self, node: str, opening: Opening) -> bytes:
        return to_commitment(log=self.log, sender=self.node, node=node, n=opening.n, salt=opening.salt)


class World:
    """A founded relay with three witnesses that answer, and prekeys in the directory."""

    def __init__(self, store: LogStore | None = None) -> None:
        self.id, self.charter, self.bodies = founding()
        self.store = store or MemoryStore()
        self.outside: OutsideHeads | None = None
        self.clock = Clock()
        self.ports = {}
        self.witnesses = {node: Witness(node) for node in NODES}

    async def start(self, *, restored: bool = False) -> None:
        self.relay = await Relay.open(
            self.store,
            host=HOST,
            framework_id=self.id,
            keys=log_keys(),
            clock=self.clock,
            outside=self.outside,
            restored=restored,
        )

    def connect(self) -> None:
        self.ports = {node: self.relay.connect(node) for node in (*NODES, HUB)}

    async def found(self) -> None:
        await self.relay.found(self.charter, self.bodies)
        self.connect()

    async def witness(self, *nodes: str) -> None:
        """Every witness (or those named) answers what is offered to it."""
        for node in nodes or NODES:
            await self.witnesses[node].answer(self.ports[node], self.clock)

    async def publish_prekeys(self) -> None:
        for node in NODES:
            published = PublishedPrekey(node, prekey(node).public, self.clock.now)
            await self.ports[node].submit_object(publish_prekey(published, self.id, key(f"{node} signing")), {})

    async def ready(self) -> World:
        """Founded, witnessed, with prekeys, and the directory witnessed with them in it."""
        await self.start()
        await self.found()
        await self.witness()
        await self.publish_prekeys()
        self.clock.now += 2_000
        await self.witness()
        return self

    async def restart(self) -> None:
        await self.relay.aclose()
        await self.start()
        self.connect()

    def pen(self, node: str, log: str = CT) -> Pen:
        return Pen(self, node, log)

    def seen(self, log: str) -> Head:
        return head_of(self.relay.logs[log].note())

    def directory_head(self) -> Head:
        live = self.relay.logs[DIRECTORY]
        return head_of(live.note(live.witnessing.quorum.size))

    async def submit(self, node: str, *entries: Submission, log: str = CT):
        return await self.ports[node].submit(log, entries)


async def copied(store) -> MemoryStore:
    """The same logs in another store, as a backup of the disk would have them."""
    copy = MemoryStore()
    for log, head in (await store.logs()).items():
        writer = await copy.acquire(log)
        entries = [item async for item in store.read(log, 0, head.size, max_bytes=1 << 30)]
        inner = store._log(log)
        if entries:
            await copy.append(writer, Batch(tuple(entries), dict(inner.bodies), dict(inner.facts), head))
    return copy


def rebuilt(submission: Submission, outcome: Logged) -> bytes:
    """The entry as its sender rebuilds it from its own bytes and the stamp, proved by the receipt."""
    signed = Signed.parse(submission.header, submission.block)
    entry = UnverifiedEntry.stamped(signed, Stamp(outcome.stamp.logged_at, outcome.stamp.directory))
    checkpoint = Checkpoint.parse(Note.parse(outcome.note).text)
    verify_inclusion(outcome.index, checkpoint.size, entry.leaf, outcome.proof, checkpoint.root)
    return entry.raw
