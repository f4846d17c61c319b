"""A relay's blobs: who may bring one, how much, who may read it, and when it goes.

The bytes lie in a `BlobStore`, by member and digest. That an entry brought a blob stands in its log, as for any body:
a row without data. So a recall erases a blob as it erases a body, and an upload that no entry names within a day is
nobody's and goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.bodies import MAX_INLINE_PART
from rsc_share.envelope.header import Header
from rsc_share.errors import Refused, Unavailable
from rsc_share.relay.access import Access
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import blobs_for
from rsc_share.relay.fates import KEPT, ORDERED, fate_of, named
from rsc_share.relay.live import LiveLog
from rsc_share.relay.quota import channel_limits
from rsc_share.relay.room import LOW
from rsc_share.relay.store.blobs import BlobStore, Upload, WrongBlob
from rsc_share.relay.store.protocol import Body, Full
from rsc_share.rulebook.bodies import largest_body

NAMED_WITHIN = 24 * 3600.0
"""Seconds an upload may stand still, or a whole blob be named by no entry."""
MAX_COMING = 16
"""Uploads of one member that are not whole yet."""
SWEEP_EVERY = 600_000
"""ms between two sweeps."""
LEAST_FREE = LOW / 100
RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BlobLimits:
    """`member_bytes`: what one member may have here, all channels together. A channel's `blob_bytes` may be lower."""

    member_bytes: int = 64 << 30
    least_free: float = LEAST_FREE
    """The share of the disk below which nothing is taken."""


@dataclass(frozen=True, slots=True)
class Held:
    """Whole blobs, their bytes, and uploads that are not whole yet."""

    whole: int
    bytes: int
    coming: int


@dataclass(slots=True)
class _Claim:
    """Space that a member's blob takes, from its first chunk on. `touched`: seconds."""

    size: int
    touched: float
    whole: bool


class Blobs:
    """The blobs of one relay. `clock` gives ms UTC, `free` the free share of their disk."""

    def __init__(
        self, store: BlobStore, clock: Callable[[], int], free: Callable[[], float], limits: BlobLimits | None = None
    ) -> None:
        self.store, self.limits = store, limits or BlobLimits()
        self._clock, self._free = clock, free
        self.naming = asyncio.Lock()
        """Held while an entry that names blobs is committed, and while a sweep looks whether one is named."""
        self.told: Callable[[str, int], None] = lambda _why, _size: None
        """Hears why a blob went, and its bytes."""
        self._claims: dict[tuple[str, bytes], _Claim] | None = None
        self._swept: int | None = None

    # --- uploads

    async def held(self, access: Access, origin: str, upload: Upload) -> int:
        """Chunks of an upload that are durable. Raises `Refused`, `Unavailable` where it may not be sent at all."""
        claim = await self.may(access, origin, upload)
        held = await self.store.upload(upload)
        # Who sent the last chunk may have gone before it was written: nobody took down then that the blob is whole.
        claim.whole = held == upload.chunks
        return held

    async def put(self, access: Access, origin: str, upload: Upload, index: int, chunk: bytes) -> int:
        """Take the next chunk. Raises `Refused`, `Unavailable` (`no-space`), `WrongChunk`, `WrongBlob`."""
        claim = await self.may(access, origin, upload)
        self.room()
        try:
            held = await self.store.put(upload, index, chunk)
        except Full:
            raise Unavailable("the relay has no space for blobs", code="no-space", retry_after=RETRY_SECONDS) from None
        except WrongBlob:
            self._forget(upload.owner, upload.digest)
            raise
        claim.whole = held == upload.chunks
        return held

    def room(self) -> None:
        """Raises `Unavailable` (`no-space`) where the disk's reserve is reached."""
        if self._free() < self.limits.least_free:
            raise Unavailable("the relay's disk is nearly full", code="no-space", retry_after=RETRY_SECONDS)

    def _forget(self, owner: str, digest: bytes) -> None:
        if self._claims is not None:
            self._claims.pop((owner, digest), None)

    async def may(self, access: Access, origin: str, upload: Upload) -> _Claim:
        """Whether this node may hand this in. Raises `Refused`, `Unavailable` (`blob-quota`)."""
        log = access.log(origin)
        if is_directory(origin):
            raise Refused("unknown-log", "the directory takes objects, not blobs", row=2, log=origin)
        view, now = access.relay.view, access.relay.now()
        view.sender(access.node, now, origin, "message")
        claims = await self._known()
        others = {key: claim for key, claim in claims.items() if key[0] == upload.owner and key[1] != upload.digest}
        if sum(not claim.whole for claim in others.values()) >= MAX_COMING:
            what = f"{MAX_COMING} uploads of {upload.owner} are not finished"
            raise Unavailable(what, code="blob-quota", retry_after=RETRY_SECONDS)
        most = self._most(view, log, now)
        largest = largest_body(view, origin)
        if upload.size > most or (largest is not None and upload.size > largest):
            most = most if largest is None else min(most, largest)
            what = f"a blob of {upload.size} bytes; {most} are allowed"
            raise Refused("too-large", what, row=14, most=most)
        if upload.size + sum(claim.size for claim in others.values()) > most:
            what = f"{upload.owner} would have more than the {most} bytes of blobs it may have"
            raise Unavailable(what, code="blob-quota", retry_after=RETRY_SECONDS)
        # Asking costs a file too, so that it counts from the first question on.
        claim = claims.setdefault((upload.owner, upload.digest), _Claim(upload.size, 0.0, False))
        claim.touched = self._clock() / 1000
        return claim

    def _most(self, view: DirectoryView, log: LiveLog, now: int) -> int:
        return min(
            self.limits.member_bytes, channel_limits(view, log.origin).get("blob_bytes", self.limits.member_bytes)
        )

    async def _known(self) -> dict[tuple[str, bytes], _Claim]:
        if self._claims is None:
            found = await self.store.sweep(0.0)
            if self._claims is None:
                self._claims = {key: _Claim(whole.size, whole.since, True) for key, whole in found.items()}
        return self._claims

    # --- admission and erasure

    async def brought(self, header: Header, log: LiveLog, logs: Mapping[str, LiveLog]) -> dict[bytes, int]:
        """Sizes of the sender's own whole blobs that `header` names, and that no entry of its log, or of its member in
        another one, has brought: there is one file, and the first recall takes it away."""
        digests = [part.digest for part in header.parts if part.size > MAX_INLINE_PART]
        if not digests:
            return {}
        claims = await self._known()
        digests = [digest for digest in digests if (claim := claims.get((header.member, digest))) and claim.whole]
        taken = await log.store.bodies(log.origin, digests) if digests else {}
        sizes = {
            digest: await self.store.size(header.member, digest)
            for digest in digests
            if not isinstance(taken.get(digest), Body) and not await named(logs, header.member, digest)
        }
        return {digest: size for digest, size in sizes.items() if size is not None}

    def held_now(self) -> Held:
        """What lies here, as far as this process has counted."""
        claims = (self._claims or {}).values()
        whole = [claim.size for claim in claims if claim.whole]
        return Held(len(whole), sum(whole), sum(not claim.whole for claim in claims))

    async def obey(self, owner: str, digests: Iterable[bytes]) -> None:
        """A recall or an erasure orders them away."""
        for digest in digests:
            size = await self.store.size(owner, digest)
            await self.delete(owner, [digest])
            if size is not None:
                self.told(ORDERED, size)

    async def delete(self, owner: str, digests: Iterable[bytes]) -> None:
        """They are erased. Repeating it is fine, and a crash before it is what `sweep` finds."""
        for digest in digests:
            await self.store.delete(owner, digest)
            self._forget(owner, digest)

    async def sweep(self, logs: Mapping[str, LiveLog], lag: int, *, at_once: bool = False) -> int:
        """Forget what stands still, delete what expired and what no entry names; how many whole blobs went.

        Every ten minutes, and never while an entry that names blobs is committed. `lag`: LAG (ms).
        """
        now = self._clock()
        if not at_once and self._swept is not None and now - self._swept < SWEEP_EVERY:
            return 0
        self._swept = now
        before = now / 1000 - NAMED_WITHIN
        found = await self.store.sweep(before)
        claims = await self._known()
        for key in [key for key, claim in claims.items() if not claim.whole and claim.touched < before]:
            del claims[key]
        gone = 0
        for (owner, digest), whole in found.items():
            async with self.naming:
                fate = await fate_of(logs, owner, digest, self._clock(), stale=whole.since < before, lag=lag)
                if fate != KEPT:
                    await self.delete(owner, [digest])
                    self.told(fate, whole.size)
                    gone += 1
        return gone

    # --- reading

    async def size(self, access: Access, origin: str, digest: bytes) -> tuple[str, int]:
        """Owner and bytes of a blob that this node may read. Raises `Refused`: `not-yours`, `body-missing`."""
        log = access.log(origin)
        found = (await log.store.bodies(origin, [digest])).get(digest)
        line = None if found is None else await log.line(found.index)
        if found is None or line is None or digest not in blobs_for(line.entry.header, access.node):
            raise Refused("not-yours", "no entry for this node names such a blob", row=14, digest=digest)
        header = line.entry.header
        over = header.expires_at is not None and header.expires_at <= access.relay.now()
        size = None if over or not isinstance(found, Body) else await self.store.size(header.member, digest)
        if size is None:
            why = "its message has expired" if over else "it was recalled or erased"
            raise Refused("body-missing", f"the blob is not here any more: {why}", row=14, digest=digest)
        return header.member, size

    def read(self, owner: str, digest: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
        return self.store.read(owner, digest, start, stop)

    def limit(self, limits: BlobLimits) -> None:
        """New limits, for what comes from now on."""
        self.limits = replace(limits)
