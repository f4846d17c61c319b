"""One node's session: what it may ask, within which limits. Values in and out; `MemoryPort` adds the encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.errors import Refused, RemoteError, Unavailable
from rsc_share.relay.access import Access
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.commit import is_directory
from rsc_share.relay.cosigning import Cosigning
from rsc_share.relay.house import House
from rsc_share.relay.intake import take
from rsc_share.relay.live import LiveLog
from rsc_share.relay.queue import Submitted
from rsc_share.relay.quota import BUSY, Quotas, Taken, channel_limits
from rsc_share.relay.reading import Bulletin, Passage, Reading
from rsc_share.relay.sequencer import kind_of
from rsc_share.relay.store.blobs import Upload, WrongBlob, WrongChunk
from rsc_share.relay.witnessing import Quorum
from rsc_share.rulebook.facts import NO_HEAD, HeadFact, head_key
from rsc_share.session.calls import MAX_RUN
from rsc_share.session.frames import NOT_TRIED, Offer, Outcome, Submission, Weather
from rsc_share.session.port import NOTHING, NOWHERE, Shown
from rsc_share.session.urgency import FLASH, most_urgent

IN_FLIGHT = 512
"""Entries of one session that may wait for their outcome."""
NEWS_BYTES = 1 << 20
"""Of tails in one answer: what more there is has to be asked for."""


class Desk(House, Protocol):
    """A house that takes runs for its logs."""

    quotas: Quotas

    @property
    def blobs(self) -> Blobs | None: ...

    async def submit(self, origin: str, submitted: Submitted) -> None: ...


class Session:
    """What the relay knows of one connected node. Made by `Relay.connect`."""

    def __init__(self, relay: Desk, node: str) -> None:
        self.access = Access(relay, node)
        self._relay = relay
        self._reading, self._cosigning = Reading(self.access), Cosigning(self.access)
        self._in_flight = 0
        self._introduced = False
        self._told: dict[str, tuple[int, Quorum | None]] = {}

    async def greeted(self, heads: Mapping[str, int]) -> Mapping[str, HeadFact]:
        """Take the witness heads the node named in its hello; its own newest entry in every channel it may read."""
        own = {}
        for origin, log in self.access.visible().items():
            if self.access.witnesses(log):
                log.witnessing.heard(self.access.node, heads.get(origin, 0), log.size)
            if not is_directory(origin):
                own[origin] = await self._head(log)
        return own

    async def _head(self, log: LiveLog) -> HeadFact:
        key = head_key(self.access.node)
        found = (await log.store.lookup(log.origin, [key])).get(key)
        return found if isinstance(found, HeadFact) else NO_HEAD

    async def logs(self) -> Mapping[str, int]:
        return {origin: log.size for origin, log in self.access.visible().items()}

    # --- writing

    async def submit(self, origin: str, entries: Sequence[Submission]) -> Sequence[Outcome]:
        log = self.access.log(origin)
        if is_directory(origin):
            raise Refused("unknown-log", "the directory takes objects, not entries", row=2, log=origin)
        if not 0 < len(entries) <= MAX_RUN:
            raise RemoteError(f"{len(entries)} entries in one call; at most {MAX_RUN}")
        if self._in_flight + len(entries) > IN_FLIGHT:
            return [BUSY] + [NOT_TRIED] * (len(entries) - 1)
        run = [take(submission, self.access.node) for submission in entries]
        limits = channel_limits(self._relay.view, origin)
        urgent = most_urgent(map(kind_of, run)) == FLASH
        taken = self._relay.quotas.take(self.access.member, origin, limits, entries, urgent=urgent)
        if isinstance(taken, Weather):
            return [taken] + [NOT_TRIED] * (len(run) - 1)
        submitted = Submitted(self.access, run)
        self._in_flight += len(run)
        submitted.outcomes.add_done_callback(lambda _: self._landed(len(run), taken))
        await self._relay.submit(log.origin, submitted)
        return submitted.outcomes.result()

    def _landed(self, count: int, taken: Taken) -> None:
        self._in_flight -= count
        taken.done()

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        self.access.enter()
        late = self._relay.quotas.objects(self.access.member, sum(map(len, bodies.values()))) if bodies else None
        if late is not None:
            after = (late.retry_after or 0) / 1000
            raise Unavailable("objects with bodies come too fast", code=late.code, retry_after=after)
        return await self._relay.submit_object(found, bodies)

    # --- reading and cosigning

    async def read(self, origin: str, start: int, limit: int) -> Passage | None:
        return await self._reading.tail(self.access.log(origin), start, limit)

    async def witnessed(self, origin: str) -> bytes | None:
        return self._reading.witnessed(self.access.log(origin))

    async def bodies(self, origin: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return await self._reading.bodies(origin, digests)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        self._introduced = True
        return await self._cosigning.offers(heads, shown)

    async def cosign(self, origin: str, size: int, lines: Sequence[bytes]) -> None:
        await self._cosigning.cosign(origin, size, lines)

    # --- blobs

    async def blob_held(self, origin: str, digest: bytes, size: int) -> int:
        upload = Upload(self.access.member, digest, size)
        return await blobs_of(self._relay).held(self.access, origin, upload)

    async def blob_put(self, origin: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        upload = Upload(self.access.member, digest, size)
        try:
            return await blobs_of(self._relay).put(self.access, origin, upload, index, chunk)
        except (WrongChunk, WrongBlob) as wrong:  # the relay's own word for it; to the node it is an answer
            raise RemoteError(wrong.what, code=wrong.code) from None

    async def blob_read(self, origin: str, digest: bytes, start: int, stop: int) -> bytes:
        if not 0 <= start < stop <= start + SEALED_CHUNK:
            raise RemoteError("a range of a blob is 1 byte to one sealed chunk", code="out-of-range")
        blobs = blobs_of(self._relay)
        owner, size = await blobs.size(self.access, origin, digest)
        return b"".join([piece async for piece in blobs.read(owner, digest, start, min(stop, size))])

    # --- waiting

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> Bulletin:
        while True:
            bell = self._relay.bell.next()
            if changed := self._changed(known):
                return await self._news(changed, known, heads)
            await bell.wait()

    def _changed(self, known: Mapping[str, int]) -> list[LiveLog]:
        """Logs that are longer than known, better witnessed than this session was told, or to be cosigned."""
        now, found = self._relay.now(), []
        for origin, log in self.access.visible().items():
            state, told = (log.size, log.witnessing.quorum), self._told.get(origin, (-1, None))
            longer = log.size > told[0] if origin not in known else log.has_news(known[origin], self.access.node, now)
            if longer or state[1] != told[1] or self._cosigning.waiting(log, now):
                self._told[origin] = state
                found.append(log)
        return found

    async def _news(self, changed: Sequence[LiveLog], known: Mapping[str, int], heads: Mapping[str, int]) -> Bulletin:
        """What the node would ask for now. The directory comes first: what else there is may need it."""
        passages, notes, more, weight = [], [], [], 0
        for log in changed:
            self.access.log(log.origin)
            start = known.get(log.origin, log.size)
            passage = None
            if start < log.size and weight < NEWS_BYTES:
                passage = await self._reading.tail(log, start, MAX_RUN)
            elif start < log.size:
                more.append(log.origin)
            if passage is not None:
                passages.append(passage)
                weight += passage.weight
            note = self._reading.witnessed(log)
            if note is not None:
                notes.append((log.origin, note))
        # A node says in its first `offers` what it was shown; before that, silence about it would say something.
        offers = await self.offers(heads) if self._introduced else []
        return Bulletin(passages, notes, offers, more)


def blobs_of(relay: Desk) -> Blobs:
    """Raises `Unavailable` (`no-blobs`) for a relay that takes none."""
    if relay.blobs is None:
        raise Unavailable("this relay takes no large attachments", code="no-blobs")
    return relay.blobs
