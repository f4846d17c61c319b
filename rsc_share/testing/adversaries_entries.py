"""Entries that lie, one class for each lie. In its strongest form: everything but the lie is right.

attack = OverGrant(framework, "EST")
await attack.prepare()
await attack.submit()        # an honest relay refuses it
await attack.force()         # a relay in league with its sender logs it: nodes and auditors must notice
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import ClassVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rsc_share import codec
from rsc_share.charter.certificate import NodeCertificate, certify
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.parameters import DAY
from rsc_share.crypto.bodies import padded_size, part_key
from rsc_share.crypto.signing import SIGNATURE_SIZE, Suite
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Head, Opening
from rsc_share.errors import LocalError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import EMPTY_ROOT
from rsc_share.messages import Indicator, split
from rsc_share.node.attachments import wrap
from rsc_share.session.frames import Logged, Outcome
from rsc_share.testing.adversaries_pen import EVERYBODY, Forged, Pen
from rsc_share.testing.adversaries_relay import CheatingRelay
from rsc_share.testing.framework import Framework
from rsc_share.testing.people import NodeKeys
from rsc_share.value import replace


class EntryAttack(ABC):
    """A member that cheats, alone or with the relay. `sender` is a member; `prepare` must come first."""

    BREAKS: ClassVar[str]
    """The promise it would break."""

    def __init__(self, framework: Framework, sender: str = "EST", channel: str = "main") -> None:
        self.framework, self.sender, self.channel = framework, sender, channel
        self.pen = Pen(framework, sender, channel)
        self.relay = CheatingRelay(framework, channel)
        self._forged: Forged | None = None

    @property
    def forged(self) -> Forged:
        if self._forged is None:
            raise LocalError("the attack is not prepared", advice="await attack.prepare()")
        return self._forged

    async def prepare(self) -> Forged:
        """Do honestly what has to stand in the log before, and write the entry that lies."""
        await self.pen.sync()
        self._forged = await self.write()
        return self._forged

    @abstractmethod
    async def write(self) -> Forged:
        """The entry that lies."""

    async def submit(self) -> Outcome:
        """Hand the entry to the honest relay."""
        return (await self.pen.submit(self.forged))[0]

    async def force(self) -> int:
        """Let the relay log it all the same; its index."""
        return await self.relay.log(self.forged)

    async def granted(self, *to: str) -> Forged:
        """An honest key hand-out, logged."""
        grant = self.pen.grant(to or None)
        await self.logged(grant)
        return grant

    async def logged(self, entry: Forged) -> int:
        (outcome,) = await self.pen.submit(entry)
        if not isinstance(outcome, Logged):
            raise LocalError(f"an honest entry was not logged: {outcome}")
        await self.framework.settle()
        return outcome.index


class Tamper(EntryAttack):
    """Whoever carries an entry changes a field: ROUTINE becomes FLASH. Stopped by the signature (row 4)."""

    BREAKS = "what a sender signed is what everybody reads"

    async def write(self) -> Forged:
        return self.pen.message(await self.granted()).altered(precedence="FLASH")


class SwapAudience(EntryAttack):
    """Whoever carries an entry for one member addresses it to another.

    Stopped by the signature (row 4), by policy (row 10), by the grant's nodes and by who was left out (row 11).
    """

    BREAKS = "the sender alone says who may read"

    async def write(self) -> Forged:
        honest, other = self.framework.node("FIN").name, self.framework.node("LVA").name
        message = self.pen.message(await self.granted(honest), label="TLP:GREEN REL TO FIN")
        openings = {other: Opening(bytes(16), self.pen.counters[other] + 1)}
        swapped = message.altered(to=self.pen.audience(openings))
        return replace(swapped, submission=replace(swapped.submission, openings=tuple(openings.values())))


class CrossRealm(EntryAttack):
    """An entry signed for an exercise is logged as operational. Stopped by the realm in the signed bytes (row 4)."""

    BREAKS = "an exercise is never mistaken for the real thing"

    async def write(self) -> Forged:
        message = self.pen.message(await self.granted())
        self.pen.realm = "exercise"
        return self.pen.sign(message.header, message.submission.openings, message.submission.bodies)


class CrossLog(EntryAttack):
    """An entry written for the log of another channel is logged here. Stopped by the log in the header (row 2).

    Needs a framework with the channel `second`.
    """

    BREAKS = "what was said in one channel was not said in another"

    async def write(self) -> Forged:
        grant = await self.granted()
        other = Pen(self.framework, self.sender, "second")
        other.keys = self.pen.keys
        empty = Checkpoint(other.log, 0, EMPTY_ROOT)
        head = Head(0, EMPTY_ROOT, self.framework.founded.log_keys[0].sign(empty.text()))
        message_id = self.pen.new_id()
        payload = wrap(0, split(Indicator(pattern="p", stix_id="i"), EVERYBODY)[0].payload)
        part, body = other.part(grant, message_id, payload)
        written = self.pen.message(grant, log=other.log, seen=head, id=message_id, parts=(part,))
        return replace(written, submission=replace(written.submission, bodies=(body,)))


class CrossFramework(EntryAttack):
    """An entry of a staging copy with the same names and keys. Stopped by the framework id in the signed bytes."""

    BREAKS = "names can be copied, a framework cannot"

    async def write(self) -> Forged:
        message = self.pen.message(await self.granted())
        self.pen.framework_id = sha256(b"the staging copy's charter").digest()
        return self.pen.sign(message.header, message.submission.openings, message.submission.bodies)


class ForgedPrev(EntryAttack):
    """The next number on another past. Stopped by `prev` (row 7)."""

    BREAKS = "a sender has one history"

    async def write(self) -> Forged:
        return self.pen.message(await self.granted(), prev=sha256(b"another past").digest())


class ReusedId(EntryAttack):
    """Two messages under one id. Stopped by the ids already used (row 6)."""

    BREAKS = "an id names one message"

    async def write(self) -> Forged:
        grant = await self.granted()
        first = self.pen.message(grant)
        await self.logged(first)
        return self.pen.message(grant, id=first.header.id, body=Indicator(pattern="other", stix_id="i"))


class RevokedKey(EntryAttack):
    """A node goes on sending after its revocation. Stopped by row 3, wherever the sender's certificate is asked for."""

    BREAKS = "a stolen key is worth nothing once it is revoked"

    async def write(self) -> Forged:
        message = self.pen.message(await self.granted())
        await self.framework.revoke(self.pen.node)
        return message


class OverGrant(EntryAttack):
    """The key goes to more nodes than the audience. Stopped by the grant's nodes (row 11)."""

    BREAKS = "only the audience can read"

    async def write(self) -> Forged:
        grant = await self.granted()
        return self.pen.message(grant, [self.framework.node("LVA").name], label="TLP:GREEN REL TO LVA")


class UnderGrant(EntryAttack):
    """A member that is entitled is left out. Stopped by who was owed the entry (row 11)."""

    BREAKS = "who is entitled gets it"

    async def write(self) -> Forged:
        return self.pen.message(await self.granted(self.framework.node("LVA").name))


class TwoPlaintexts(EntryAttack):
    """The header commits to one text and the body holds another. Stopped by the commitment, computed again by every
    recipient and by an auditor to whom somebody shows text and salt."""

    BREAKS = "what was said can be proved"
    COMMITTED, SEALED = Indicator(pattern="concur", stix_id="i"), Indicator(pattern="dissent", stix_id="i")
    salt = bytes(range(32))

    def payload(self, body: Indicator) -> bytes:
        return wrap(0, split(body, EVERYBODY)[0].payload)

    async def write(self) -> Forged:
        grant, message_id = await self.granted(), self.pen.new_id()
        part, _ = self.pen.part(grant, message_id, self.payload(self.COMMITTED), self.salt)
        key = part_key(self.pen.keys[grant.header.id], id=message_id, part=0, commit=part.commit)
        framework_id, place = self.framework.founded.framework_id, [self.pen.log, self.pen.realm, self.pen.node]
        content = codec.pack([self.salt, self.payload(self.SEALED)])
        plain = len(content).to_bytes(4, "big") + content
        aad = codec.pack([framework_id, *place, message_id, 0])
        body = AESGCM(key).encrypt(bytes(12), plain.ljust(padded_size(len(plain)), b"\0"), aad)
        lying = replace(part, digest=sha256(body).digest(), size=len(body))
        written = self.pen.message(grant, id=message_id, parts=(lying,), body=self.COMMITTED)
        return replace(written, submission=replace(written.submission, bodies=(body,)))


class OldDirectoryStamp(EntryAttack):
    """The relay judges under a directory from before a revocation, LAG and longer after it. Stopped by row 15.

    The node of LVA is revoked; the sender still writes to it and the relay stamps the old size.
    """

    BREAKS = "a revocation bites within LAG"
    REVOKED = "LVA"

    async def write(self) -> Forged:
        grant = await self.granted()
        old = self.pen.engine.trust.head
        if old is None:
            raise LocalError("no directory yet")
        self.old = old.size
        await self.framework.revoke(self.framework.node(self.REVOKED).name)
        self.framework.clock.advance(seconds=self.pen.engine.trust.view.parameters.lag // 1000 + 60)
        await self.framework.settle()
        await self.pen.sync()
        return self.pen.message(grant, directory=old)

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.framework.clock.now, self.old)

    async def force(self) -> int:
        return await self.relay.log(self.forged, stamp=self.stamp)


class StrippedHybrid:
    """A certificate with only the Ed25519 half of its authority's signature: what a quantum computer could make.

    Stopped by the ML-DSA-65 half: a hybrid key never verifies by one of its halves.
    """

    BREAKS = "authority keys outlive Ed25519"

    def __init__(self, framework: Framework, member: str = "EST") -> None:
        self.framework, self.relay = framework, CheatingRelay(framework)
        self.name = f"{member}/mod-2"
        party, now = framework.party(member), framework.clock.now
        keys = NodeKeys.of(self.name, "stripped")
        made = NodeCertificate(
            name=self.name,
            signing=keys.signing.public,
            witness=(keys.witness.public, keys.witness_pq.public),
            realms=frozenset({"operational"}),
            accreditation={},
            role="full",
            valid=(now, now + 30 * DAY),
            issued=now,
        )
        whole = certify(made, framework.founded.framework_id, party.authority, party.nodes[0].signing)
        self.found = self._strip(whole, party.authority.public.key_id)

    @staticmethod
    def _strip(data: bytes, authority: bytes) -> bytes:
        found = UnverifiedObject.parse(data)
        half = found.signatures[authority][: SIGNATURE_SIZE[Suite.ED25519]]
        broken = half.ljust(SIGNATURE_SIZE[Suite.HYBRID], b"\0")
        return replace(found, signatures={**found.signatures, authority: broken}).pack()

    async def submit(self) -> int:
        """Hand it to the honest relay."""
        return await self.relay.service.submit_object(self.found, {})

    async def force(self) -> int:
        """Let the relay log it all the same; its index in the directory."""
        return await self.relay.log_object(self.found)
