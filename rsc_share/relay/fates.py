"""What becomes of a blob when nobody fetches it any more: by the entries that brought it, if any did."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from rsc_share.envelope.header import Header
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import Line
from rsc_share.relay.live import LiveLog
from rsc_share.relay.store.protocol import Body, Full

ERASE_SECONDS = 5.0
KEPT, EXPIRED, UNNAMED, ORDERED = "kept", "expired", "unnamed", "ordered"
"""`ordered`: by a recall or an erasure."""


async def fate_of(logs: Mapping[str, LiveLog], owner: str, digest: bytes, now: int, *, stale: bool) -> str:
    """`kept`, or why it goes. The row of an expired one says so before the file goes: a crash in between leaves a
    file that no entry names, which a later sweep deletes."""
    named = await _named(logs, owner, digest)
    if not named:
        return UNNAMED if stale else KEPT
    if not all(_over(line.entry.header, log, now) for log, line in named):
        return KEPT
    for log, _ in named:
        with contextlib.suppress(Full, TimeoutError):  # it may wait for who reads the store; the file goes anyway
            async with asyncio.timeout(ERASE_SECONDS):
                await log.store.erase(log.origin, [digest], EXPIRED)
    return EXPIRED


def _over(header: Header, log: LiveLog, now: int) -> bool:
    """Expired, and the log's newest witnessed tree is later: an auditor must see that it may be gone."""
    quorum = log.witnessing.quorum
    return header.expires_at is not None and quorum is not None and header.expires_at <= min(quorum.time, now)


async def _named(logs: Mapping[str, LiveLog], owner: str, digest: bytes) -> list[tuple[LiveLog, Line]]:
    """The entries of its owner that brought it, one in a log at most, where nothing has erased it since."""
    found = []
    for origin, log in logs.items():
        if is_directory(origin):
            continue
        body = (await log.store.bodies(origin, [digest])).get(digest)
        line = await log.line(body.index) if isinstance(body, Body) else None
        if line is not None and line.entry.header.member == owner:
            found.append((log, line))
    return found
