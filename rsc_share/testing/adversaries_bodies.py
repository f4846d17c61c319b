"""Entries with more beside them than agreed: what a member and a relay in league could burden all disks with."""

from __future__ import annotations

from hashlib import sha256

from rsc_share.crypto.bodies import MAX_INLINE_PAYLOAD, seal_part
from rsc_share.envelope.parts import Part
from rsc_share.messages import Indicator, split
from rsc_share.node.attachments import MEDIA, Told, wrap
from rsc_share.testing.adversaries_entries import EntryAttack
from rsc_share.testing.adversaries_pen import EVERYBODY, Forged
from rsc_share.testing.framework import Framework
from rsc_share.value import replace


class OverlongBodies(EntryAttack):
    """Nine attachments that fit one by one and are too much together. Stopped by the sizes in the header (row 14)."""

    BREAKS = "what lies beside an entry is bounded"
    FILES = 9

    async def write(self) -> Forged:
        grant, message_id = await self.granted(), self.pen.new_id()
        said = Indicator(pattern="p", stix_id="i")
        told = [Told(f"{n}.bin", MEDIA, MAX_INLINE_PAYLOAD, bytes([n]) * 32) for n in range(1, self.FILES + 1)]
        first, body = self.pen.part(grant, message_id, wrap(0, split(said, EVERYBODY)[0].payload, told))
        files = [self._file(message_id, n, item.key) for n, item in enumerate(told, 1)]
        parts, bodies = (first, *(part for part, _ in files)), (body, *(data for _, data in files))
        written = self.pen.message(grant, id=message_id, parts=parts, body=said)
        return replace(written, submission=replace(written.submission, bodies=bodies))

    def _file(self, message_id: bytes, number: int, key: bytes) -> tuple[Part, bytes]:
        made = seal_part(
            key,
            framework_id=self.framework.founded.framework_id,
            log=self.pen.log,
            realm=self.pen.realm,
            sender=self.pen.node,
            id=message_id,
            part=number,
            salt=sha256(key).digest(),
            payload=bytes(MAX_INLINE_PAYLOAD),
        )
        return Part(digest=made.digest, size=made.size, commit=made.commit, media=MEDIA), made.body


class BodyAboveCharter(EntryAttack):
    """A body above the `body_bytes` of its channel. Stopped by the charter in force (row 14).

    Needs a framework with the channel `small`, which allows 2,048 bytes.
    """

    BREAKS = "a channel's limits hold for everybody"

    def __init__(self, framework: Framework, sender: str = "EST", channel: str = "small") -> None:
        super().__init__(framework, sender, channel)

    async def write(self) -> Forged:
        return self.pen.message(await self.granted(), body=Indicator(pattern="p" * 4_000, stix_id="i"))


class BodyOfAnotherSize(EntryAttack):
    """The header names a small body, and the digest of a large one. Stopped by whoever holds it (row 14)."""

    BREAKS = "a header says how large its bodies are"

    async def write(self) -> Forged:
        grant, message_id = await self.granted(), self.pen.new_id()
        said = Indicator(pattern="p" * 40_000, stix_id="i")
        part, body = self.pen.part(grant, message_id, wrap(0, split(said, EVERYBODY)[0].payload))
        lying = replace(part, size=1_040)
        written = self.pen.message(grant, id=message_id, parts=(lying,), body=said)
        return replace(written, submission=replace(written.submission, bodies=(body,)))
