"""A small framework with real logs: four states, an observer that runs the relay, a channel, and hands to cheat with.

`World` plays the relay with the rulebook; `forced` entries are logged whatever the rulebook says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rsc_share import names
from rsc_share.audit.export import vkeys_of
from rsc_share.audit.source import CharterBodies, ExportSource, LogSource
from rsc_share.charter.amendment import charter_object
from rsc_share.charter.certificate import NodeCertificate, OfficerCertificate, certify
from rsc_share.charter.compose import channel, compose, new_charter, next_charter, node_spec
from rsc_share.charter.directory import Directory
from rsc_share.charter.keyring import KeyRing, expected_suites
from rsc_share.charter.model import Closed, Fraction, Member, MemberEntitlement, Relay
from rsc_share.charter.prekey import Prekey, publish_prekey
from rsc_share.charter.quorum import pack_signatures, sign_charter
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.charter.text import parse_charter
from rsc_share.crypto.bodies import commitment, received_commitment, to_commitment
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.approval import approve
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import DirectoryEntry, Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import FIRST_PREV, Header
from rsc_share.envelope.parts import NO_REFS, Head, Opening, Part, Ref
from rsc_share.envelope.signature import sign_batch
from rsc_share.labels.label import Label
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import Note
from rsc_share.log.tree import MemoryTree
from rsc_share.policy.bundle import pack_bundle
from rsc_share.rulebook.admit import Void, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import head_of
from rsc_share.rulebook.view import Party, Source, View
from rsc_share.session.frames import Statement
from rsc_share.value import replace

ROOT = Path(__file__).parents[2]
DAY, HOUR, MINUTE, SECOND = 86_400_000, 3_600_000, 60_000, 1_000
BEGIN = 20_454 * DAY  # 2026-01-01
END = BEGIN + 1096 * DAY
T0 = BEGIN + 10 * DAY
STATES = ("EST", "FIN", "LTU", "LVA")
RELAY = "relay.example:8443"
DIRECTORY, CT = f"{RELAY}/regional/directory", f"{RELAY}/regional/ct"
EVERYBODY = "REGIONAL RESTRICTED REL TO @members"

AGREEMENTS = b"""
[[agreement]]
id = "no-ltu-plans"
effect = "deny"
from = ["EST"]
to = ["LTU"]
families = ["finance"]
basis = "MoU 12/2026 art. 4"
"""


@cache
def key(name: str, suite: int = Suite.ED25519, seed: str = "") -> PrivateKey:
    return PrivateKey.generate(suite, seed=(seed + name).encode())


@cache
def bundle() -> bytes:
    files = {
        "policy.toml": b'policy = "regional"\nversion = 1\nvalid = [2026-01-01, 2028-12-31]\n',
        "schemes/regional.toml": (ROOT / "policies/schemes/regional.toml").read_bytes(),
        "agreements/mou.toml": AGREEMENTS,
    }
    return pack_bundle(files)


def label(level: str = "RESTRICTED", to: tuple[str, ...] = ("@members",), by: str = "EST") -> Label:
    return Label.of("REGIONAL", level, originators=[by], audience=to)


@dataclass
class Log:
    """One log as its relay holds it."""

    origin: str
    entries: list[bytes] = field(default_factory=list)
    tree: MemoryTree = field(default_factory=MemoryTree)
    openings: dict[int, dict[str, Opening]] = field(default_factory=dict)
    statements: dict[int, dict[str, Statement]] = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    last: Stamp | None = None
    sources: dict[int, Source] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)


class World:
    """`seed` gives every party other keys."""

    def __init__(self, seed: str = "", states: tuple[str, ...] = STATES, channels: tuple[str, ...] = ("ct",)) -> None:
        self.seed, self.states, self.now = seed, states, T0
        self.channels = channels
        self.logs = {origin: Log(origin) for origin in (DIRECTORY, *(f"{RELAY}/regional/{name}" for name in channels))}
        self.bodies: dict[bytes, bytes] = {}
        self.permanent: dict[bytes, bytes] = {}
        self.cache = VerifyCache()
        self.charters: list[CharterBodies] = []
        self.charter, data = self._found()
        self.id = self.charter.digest
        self.directory = Directory.begin(self.id)
        self.log_object(data)
        for code in (*states, "HUB"):
            self.now += SECOND
            public = hashlib.shake_256(f"{code} prekey".encode()).digest(1216)
            self.log_object(
                publish_prekey(Prekey(f"{code}/mod-1", public, self.now), self.id, self.signing(f"{code}/mod-1"))
            )
        self.now += HOUR

    # keys

    def authority(self, code: str) -> PrivateKey:
        return key(f"{code} authority", Suite.HYBRID, self.seed)

    def duty(self, code: str) -> PrivateKey:
        return key(f"{code} duty", Suite.ED25519, self.seed)

    def signing(self, node: str) -> PrivateKey:
        return key(f"{node} signing", Suite.ED25519, self.seed)

    def witness(self, node: str) -> tuple[PrivateKey, PrivateKey]:
        return key(f"{node} witness", Suite.ED25519, self.seed), key(f"{node} witness", Suite.ML_DSA_44, self.seed)

    def log_keys(self) -> tuple[PrivateKey, PrivateKey]:
        return key("log", Suite.ED25519, self.seed), key("log", Suite.ML_DSA_44, self.seed)

    # charter

    def _member(self, code: str) -> Member:
        node = f"{code}/mod-1"
        one, two = self.witness(node)
        spec = node_spec(
            node, self.signing(node).public, (one.public, two.public), accreditation={"REGIONAL": "SECRET"}
        )
        levels = frozenset({"RESTRICTED", "CONFIDENTIAL", "SECRET"})
        held = {} if code == "HUB" else {"REGIONAL": MemberEntitlement(levels, {})}
        role = "observer" if code == "HUB" else "member"
        fingerprint = self.authority(code).public.fingerprint
        duty = self.duty(code).public.fingerprint
        return Member(code, role, fingerprint, duty, entitlements=held, nodes={node: spec})

    def _found(self):
        one, two = self.log_keys()
        values = new_charter(
            "regional",
            valid=(BEGIN, END),
            members=[self._member(code) for code in (*self.states, "HUB")],
            relays=[Relay(RELAY, "HUB", (one.public.fingerprint, two.public.fingerprint), ("ab" * 32,))],
            channels=[
                channel(name, RELAY, self.states, ceiling={"REGIONAL": "SECRET"}, families=["terrorism", "finance"])
                for name in self.channels
            ],
            directory_relay=RELAY,
            policy=hashlib.sha256(bundle()).digest(),
            witness_quorum=len(self.states) // 2 + 1,
            quorum=Fraction(2, 3),
            erasure=["EST/duty-1"],
            quorum_remove=Fraction(3, 4),
        )
        return self._signed(parse_charter(compose(values)), None)

    def _signed(self, charter, framework_id):
        """The charter object; its bodies go to where bodies are."""
        everybody = [*self.log_keys()]
        for code in (*self.states, "HUB"):
            everybody += [
                self.authority(code),
                self.duty(code),
                self.signing(f"{code}/mod-1"),
                *self.witness(f"{code}/mod-1"),
            ]
        known = {item.public.fingerprint: item.public for item in everybody}
        ring = KeyRing.of(known[fingerprint] for fingerprint in expected_suites(charter)).pack()
        signers = [self.authority(code) for code in charter.members]
        signatures = pack_signatures({s.public.key_id: sign_charter(charter.text, framework_id, s) for s in signers})
        self.charters = [*self.charters, CharterBodies(charter.version, charter.text, ring, signatures, bundle())]
        for item in (charter.text, ring, signatures, bundle()):
            self.permanent[hashlib.sha256(item).digest()] = item
        return charter, charter_object(charter, ring, signatures)

    def close_channel(self, size: int, root: bytes) -> None:
        """Charter version 2: the channel `ct` ended at `size` and `root`, `ct-2` follows it."""
        follow = channel("ct-2", RELAY, self.states, ceiling={"REGIONAL": "SECRET"}, families=["terrorism"])
        values = next_charter(self.charter, channels={"ct-2": follow}, closed=(Closed(CT, size, root),))
        self.charter, data = self._signed(parse_charter(compose(values)), self.id)
        self.log_object(data)

    def log_object(self, data: bytes, *, forced: bool = False) -> None:
        log = self.logs[DIRECTORY]
        entry = DirectoryEntry.stamped(data, Stamp(self.now, self.directory.size))
        if forced:
            self.directory.void(self.now, "forced")
        else:
            self.directory.apply(data, self.now, self.permanent)
        log.entries.append(entry.raw)
        log.tree.append(entry.leaf)

    def revoke(self, node: str, *, by_duty: bool = False) -> None:
        found = Revocation(node, "node", "stolen", self.now)
        code = node.partition("/")[0]
        self.log_object(revoke(found, self.id, self.duty(code) if by_duty else self.authority(code)))

    def certify_node(self, name: str) -> None:
        one, two = self.witness(name)
        valid, realms = (BEGIN, END), frozenset({"operational"})
        made = NodeCertificate(
            name,
            self.signing(name).public,
            (one.public, two.public),
            realms,
            {"REGIONAL": "SECRET"},
            "full",
            valid,
            self.now,
        )
        self.log_object(certify(made, self.id, self.authority(made.member)))

    def officer(self, name: str) -> PrivateKey:
        made = OfficerCertificate(
            name, key(name).public, frozenset({"acknowledge", "approve", "judge", "release"}), (BEGIN, END), self.now
        )
        nodes = self.signing(f"{made.member}/mod-1")
        self.log_object(certify(made, self.id, self.authority(made.member), nodes))
        return key(name)

    # entries

    def head(self, origin: str, size: int | None = None) -> Head:
        tree = self.logs[origin].tree
        at = tree.size if size is None else size
        checkpoint = Checkpoint(origin, at, tree.root(at))
        return Head(at, checkpoint.root, self.log_keys()[0].sign(checkpoint.text()))

    def header(self, sender: str, kind: str, to: tuple[str, ...], origin: str = CT, **changes) -> tuple[Header, dict]:
        log = self.logs[origin]
        fact = head_of(log.facts, sender)
        openings = {
            node: Opening(
                hashlib.sha256(f"{sender}{node}{fact.seq}".encode()).digest()[:16],
                log.counts.get((sender, node), 0) + 1,
            )
            for node in sorted(to)
        }
        c = [(n, to_commitment(log=origin, sender=sender, node=n, n=o.n, salt=o.salt)) for n, o in openings.items()]
        random = hashlib.sha256(f"{sender}{fact.seq}{self.now}{kind}".encode()).digest()[:10]
        header = Header(
            log=origin, kind=kind, type=None, id=names.uuid7(self.now, random), sender=sender, seq=fact.seq + 1,
            prev=fact.header_hash if fact.seq else FIRST_PREV, expires_at=None, precedence="ROUTINE", purpose=None,
            document=None, refs=NO_REFS, label=None, to=tuple(c), grant=None, parts=(), content=None, approvals=(),
            seen=self.head(origin), directory=self.head(DIRECTORY),
        )  # fmt: skip
        return replace(header, **changes), openings

    def submit(
        self,
        header: Header,
        openings: dict,
        *,
        forced: bool = False,
        signer: PrivateKey | None = None,
        stamp: Stamp | None = None,
        statements: dict | None = None,
    ) -> int:
        """Log it: what the rulebook refuses raises, unless forced."""
        log = self.logs[header.log]
        packed = header.pack()
        block = sign_batch(signer or self.signing(header.sender), self.id, "operational", [packed])[0]
        signed = Signed.parse(packed, block)
        stamp = stamp or Stamp(self.now, self.directory.size)
        verdict = judge(self.case(log, signed, stamp, openings))
        if isinstance(verdict, Void) and not forced:
            raise verdict.refused
        index = len(log.entries)
        log.facts.update(verdict.effects)
        if verdict.effects:
            for node in header.nodes:
                log.counts[header.sender, node] = log.counts.get((header.sender, node), 0) + 1
        if not isinstance(verdict, Void):
            log.sources[index] = Source.of(index, signed)
        entry = UnverifiedEntry.stamped(signed, stamp)
        log.entries.append(entry.raw)
        log.tree.append(entry.leaf)
        log.openings[index] = dict(openings)
        if statements:
            log.statements[index] = statements
        log.last = stamp
        self.now += SECOND
        return index

    def case(self, log: Log, signed: Signed, stamp: Stamp, openings: dict) -> Case:
        view = View(
            party=Party.RELAY, log=log.origin, directory=self.directory, directory_root=self.logs[DIRECTORY].tree.root,
            witnessed=self.directory.size, facts=log.facts, size=len(log.entries), last=log.last, root_at=log.tree.root,
            signatures=self.cache, known=self.known,
        )  # fmt: skip
        return Case(view, signed, stamp, openings, {d: len(b) for d, b in self.bodies.items()})

    def known(self, ref: Ref) -> Source | None:
        found = self.logs[ref.log].sources.get(ref.index) if ref.log in self.logs else None
        return found if found is not None and found.ref == ref else None

    def others(self, sender: str) -> tuple[str, ...]:
        active = self.directory.at(self.directory.size).active_nodes(CT, self.now)
        return tuple(node for node in active if node != sender)

    def body(self, text: str) -> bytes:
        data = hashlib.shake_256(text.encode()).digest(1040)
        self.bodies[hashlib.sha256(data).digest()] = data
        return hashlib.sha256(data).digest()

    def grant(self, sender: str, to: tuple[str, ...] | None = None, *, forced: bool = False, origin: str = CT) -> bytes:
        to = tuple(sorted(to if to is not None else self.others(sender)))
        view = self.directory.at(self.directory.size)
        rows = tuple((n, view.prekey(n, self.now).id, self.body(f"sealed {sender} {n} {self.now}")) for n in to)
        header, openings = self.header(sender, "grant", to, origin, content=GrantContent(rows, bytes(32)))
        self.submit(header, openings, forced=forced)
        return header.id

    def message(
        self,
        sender: str,
        grant: bytes,
        to: tuple[str, ...] | None = None,
        *,
        said: Label | None = None,
        payload: bytes = b"text",
        forced: bool = False,
        kind: str = "terrorism/incident/1",
        origin: str = CT,
        **changes,
    ) -> int:
        to = tuple(sorted(to if to is not None else self.others(sender)))
        header, openings = self.header(sender, "message", to, origin, type=kind, grant=grant, **changes)
        header = replace(header, label=said or label(by=names.member_of(sender)))
        commit = commitment(log=origin, sender=sender, id=header.id, part=0, salt=bytes(32), payload=payload)
        digest = self.body(f"{sender} {header.seq} {self.now}")
        header = replace(header, parts=(Part(digest=digest, size=1040, commit=commit, media="text/plain"),))
        return self.submit(header, openings, forced=forced)

    def quiet(
        self,
        sender: str,
        kind: str,
        to: tuple[str, ...],
        *,
        officer: PrivateKey | None = None,
        forced: bool = False,
        **changes,
    ) -> int:
        header, openings = self.header(sender, kind, to, **changes)
        if officer is not None:
            header = replace(header, approvals=(approve(officer, self.id, header),))
        return self.submit(header, openings, forced=forced)

    def heartbeat(self, node: str, received: dict[str, tuple[bytes, str]]) -> int:
        """`received`: by sending node the header hash of the newest held, and the state."""
        salt = bytes(16)
        rows = [
            (
                sender,
                received_commitment(log=CT, receiver=node, sender=sender, header_hash=digest, state=state, salt=salt),
            )
            for sender, (digest, state) in sorted(received.items())
        ]
        header, openings = self.header(node, "heartbeat", self.others(node), content=HeartbeatContent(tuple(rows)))
        said = {sender: Statement(salt, digest, state) for sender, (digest, state) in received.items()}
        return self.submit(header, openings, statements=said)

    def ref(self, index: int, origin: str = CT) -> Ref:
        return self.logs[origin].sources[index].ref

    # what leaves the relay

    def note(
        self, origin: str, size: int | None = None, *, at: int | None = None, witnesses: tuple[str, ...] | None = None
    ) -> bytes:
        tree = self.logs[origin].tree
        checkpoint = Checkpoint(origin, tree.size if size is None else size, tree.root(size))
        one, two = self.log_keys()
        seconds = (at or self.now) // 1000
        lines = [sign_checkpoint(checkpoint, one), cosign_mldsa44(checkpoint, origin, two, seconds)]
        for code in self.states if witnesses is None else witnesses:
            ed25519, mldsa44 = self.witness(f"{code}/mod-1")
            name = f"regional/{code}/mod-1"
            lines += [
                cosign_ed25519(checkpoint, name, ed25519, seconds),
                cosign_mldsa44(checkpoint, name, mldsa44, seconds),
            ]
        return Note(checkpoint.text(), tuple(lines)).encode()

    def source(self, **changes) -> ExportSource:
        logs = [
            LogSource(
                log.origin,
                log.entries,
                self.note(log.origin),
                vkeys_of(self.directory, log.origin),
                log.openings,
                log.statements,
            )
            for log in self.logs.values()
        ]
        made = ExportSource(
            self.id, "HUB relay", self.now, "test 1", self.charters, logs, dict(self.bodies), {},
        )  # fmt: skip
        return replace(made, **changes)


def small_world() -> World:
    """A hand-out, two messages, a heartbeat with a statement."""
    world = World()
    grant = world.grant("EST/mod-1")
    first = world.message("EST/mod-1", grant)
    world.message("EST/mod-1", grant, payload=b"second")
    world.heartbeat("FIN/mod-1", {"EST/mod-1": (world.ref(first).header_hash, "stored")})
    return world
