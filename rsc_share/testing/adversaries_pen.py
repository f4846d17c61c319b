"""A member's node that writes what it is told to: right in everything but what the caller makes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from rsc_share import names
from rsc_share.crypto.bodies import seal_part, to_commitment
from rsc_share.crypto.sealing import grant_check, grant_info, seal_key
from rsc_share.crypto.signing import Signer
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import Signed
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.parts import NO_REFS, Opening, Part
from rsc_share.envelope.signature import sign_batch
from rsc_share.errors import LocalError
from rsc_share.labels.text import parse_label
from rsc_share.messages import Body, Indicator, split
from rsc_share.node.attachments import wrap
from rsc_share.node.dispatch import MEDIA
from rsc_share.rulebook.facts import NO_HEAD, HeadFact, count_key, count_of, head_key, head_of
from rsc_share.session.frames import Outcome, Submission
from rsc_share.testing.clock import Dice
from rsc_share.testing.founding import HOST
from rsc_share.testing.framework import Framework
from rsc_share.value import replace

EVERYBODY = "TLP:GREEN REL TO @members"


@dataclass(frozen=True, slots=True)
class Forged:
    """An entry ready to be handed in: to an honest relay, or to one that cheats, too."""

    submission: Submission
    header: Header

    @classmethod
    def read(cls, submission: Submission) -> Forged:
        """What somebody else has handed in."""
        return cls(submission, Header.parse(submission.header))

    @property
    def signed(self) -> Signed:
        return Signed.parse(self.submission.header, self.submission.block)

    @property
    def openings(self) -> dict[str, Opening]:
        return dict(zip(self.header.nodes, self.submission.openings, strict=True))

    def altered(self, **fields: Any) -> Forged:
        """The same signature over a header that says something else."""
        header = replace(self.header, **fields)
        return Forged(replace(self.submission, header=header.pack()), header)


class Pen:
    """Signs entries as the node of `member`. Call `sync` first: numbers and counters come from the log.

    `realm` and `framework_id` are what the signature says; `signer` whose it is. Everything else of an entry can be
    made wrong with the keywords of `entry`.
    """

    def __init__(self, framework: Framework, member: str, channel: str = "main") -> None:
        self.framework, self.node = framework, framework.node(member).name
        self.member = names.member_of(self.node)
        self.engine = framework.node(member).engine
        self.line = self.engine.line(channel)
        self.log = self.line.log
        self.framework_id: bytes = framework.founded.framework_id
        self.realm = self.engine.trust.view.channel_facts(self.log, framework.clock.now).realm
        self.signer: Signer = self.engine.identity.signer
        self.head: HeadFact = NO_HEAD
        self.counters: dict[str, int] = {}
        self.keys: dict[bytes, bytes] = {}
        """Grant keys by grant id."""
        self._random = Dice("pen", framework.founded.plan.seed, self.node, self.log)

    async def sync(self) -> Pen:
        """Take numbers and counters from the log as it stands."""
        nodes = [node.name for node in self.framework.nodes]
        keys = {head_key(self.node), *(count_key(self.node, node) for node in nodes)}
        facts = await self.framework.store.lookup(self.log, keys)
        self.head = head_of(facts, self.node)
        self.counters = {node: count_of(facts, self.node, node) for node in nodes}
        return self

    @property
    def others(self) -> tuple[str, ...]:
        """The active nodes of the channel but this one."""
        active = self.engine.trust.view.active_nodes(self.log, self.framework.clock.now)
        return tuple(node for node in active if node != self.node)

    def new_id(self) -> bytes:
        return names.uuid7(self.framework.clock.now, self._random(10))

    # --- entries

    def heartbeat(self, **fields: Any) -> Forged:
        return self.entry("heartbeat", self.others, content=HeartbeatContent(()), **fields)

    def grant(self, to: Iterable[str] | None = None, *, gk: bytes | None = None, **fields: Any) -> Forged:
        """A key hand-out to `to` (default: all others). The key is kept in `keys`."""
        nodes = tuple(sorted(self.others if to is None else to))
        made = self._random(32) if gk is None else gk
        grant_id = fields.pop("id", None) or self.new_id()
        self.keys[grant_id] = made
        rows, sealed = [], []
        for node in nodes:
            row, body = self._sealed(node, grant_id, made)
            rows.append(row)
            sealed.append(body)
        content = GrantContent(tuple(rows), grant_check(made))
        return self.entry("grant", nodes, bodies=tuple(sealed), id=grant_id, content=content, **fields)

    def _sealed(self, node: str, grant_id: bytes, gk: bytes) -> tuple[tuple[str, bytes, bytes], bytes]:
        prekey = self.engine.trust.view.prekey(node, self.framework.clock.now)
        if prekey is None:
            raise LocalError(f"{node} has no prekey")
        info = grant_info(
            framework_id=self.framework.founded.framework_id,
            log=self.log,
            realm=self.realm,
            sender=self.node,
            grant_id=grant_id,
            node=node,
            prekey_id=prekey.id,
            check=grant_check(gk),
        )
        body = seal_key(prekey.public, gk, info)
        return (node, prekey.id, sha256(body).digest()), body

    def message(
        self,
        grant: Forged,
        to: Iterable[str] | None = None,
        *,
        label: str = EVERYBODY,
        body: Body | None = None,
        **fields: Any,
    ) -> Forged:
        """A message to `to` (default: the nodes of the grant) under the key of `grant`."""
        said = body or Indicator(pattern="p", stix_id="i")
        message_id = fields.pop("id", None) or self.new_id()
        part, sealed = self.part(grant, message_id, wrap(0, split(said, label)[0].payload))
        schemes = self.engine.trust.view.bundle(self.framework.clock.now).schemes
        values = {
            "type": said.TYPE,
            "label": parse_label(label, schemes, originators=(self.member,)),
            "grant": grant.header.id,
            "parts": (part,),
            **fields,
        }
        nodes = grant.header.nodes if to is None else tuple(sorted(to))
        return self.entry("message", nodes, bodies=(sealed,), id=message_id, **values)

    def part(self, grant: Forged, message_id: bytes, payload: bytes, salt: bytes | None = None) -> tuple[Part, bytes]:
        """A sealed body of message `message_id`, and its place in the header."""
        made = seal_part(
            self.keys[grant.header.id],
            framework_id=self.framework.founded.framework_id,
            log=self.log,
            realm=self.realm,
            sender=self.node,
            id=message_id,
            part=0,
            salt=salt or self._random(32),
            payload=payload,
        )
        return Part(digest=made.digest, size=made.size, commit=made.commit, media=MEDIA), made.body

    def entry(self, kind: str, to: Iterable[str], *, bodies: tuple[bytes, ...] = (), **fields: Any) -> Forged:
        """Any entry, numbered and signed; `fields` replace what the header would say."""
        nodes = sorted(to)
        openings = {node: Opening(self._random(16), self.counters.get(node, 0) + 1) for node in nodes}
        head, directory = self.line.follower.head, self.engine.trust.head
        values: dict[str, Any] = {
            "log": self.log,
            "kind": kind,
            "type": None,
            "id": None,
            "sender": self.node,
            "seq": self.head.seq + 1,
            "prev": self.head.header_hash,
            "expires_at": None,
            "precedence": "ROUTINE",
            "purpose": None,
            "document": None,
            "refs": NO_REFS,
            "label": None,
            "grant": None,
            "parts": (),
            "content": None,
            "approvals": (),
            "seen": head,
            "directory": directory,
            **fields,
        }
        values["id"] = values["id"] or self.new_id()
        values.setdefault("to", self.audience(openings, values["log"]))
        return self.sign(Header(**values), tuple(openings.values()), bodies)

    def audience(self, openings: Mapping[str, Opening], log: str | None = None) -> tuple[tuple[str, bytes], ...]:
        """`to` for these openings."""
        place = {"log": log or self.log, "sender": self.node}
        return tuple((node, to_commitment(**place, node=node, n=o.n, salt=o.salt)) for node, o in openings.items())

    def sign(self, header: Header, openings: tuple[Opening, ...] = (), bodies: tuple[bytes, ...] = ()) -> Forged:
        """Sign a header as it is; the next entry continues it."""
        packed = header.pack()
        (block,) = sign_batch(self.signer, self.framework_id, self.realm, [packed])
        self.head = HeadFact(header.seq, header_hash(packed), -1)
        self.counters.update(zip(header.nodes, (o.n for o in openings), strict=False))
        return Forged(Submission(packed, block, openings, (), bodies), header)

    # --- handing in

    async def submit(self, *entries: Forged) -> list[Outcome]:
        """To the relay, through the session of this very node."""
        return await self.engine.ports[HOST].submit(self.log, [entry.submission for entry in entries])
