"""What becomes of a blob when nobody fetches it any more: by the entries that brought it, if any did."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from rsc_share.envelope.header import Header
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import Line
from rsc_share.relay.live import LiveLog
from rsc_share.relay.store.protocol import Body, Full

ERASE_SECONDS = 5.0
KEPT, EXPIRED, UNNAMED, ORDERED = "kept", "expired", "unnamed", "ordered"
"""`ordered`: by a recall or an erasure."""


async def fate_of(logs: Mapping[str, LiveLog], owner: str, digest: bytes, now: int, *, stale: bool, lag: int) -> str:
    """`kept`, or why it goes. The row of an expired one says so before the file goes: a crash in between leaves a
    file that no entry names, which a later sweep deletes."""
    brought = await named(logs, owner, digest)
    if not brought:
        return UNNAMED if stale else KEPT
    directory = [log for origin, log in logs.items() if is_directory(origin)]
    if not all(_over(line.entry.header, [log, *directory], now, lag) for log, line in brought):
        return KEPT
    for log, _ in brought:
        with contextlib.suppress(Full, TimeoutError):  # it may wait for who reads the store; the file goes anyway
            async with asyncio.timeout(ERASE_SECONDS):
                await log.store.erase(log.origin, [digest], EXPIRED)
    return EXPIRED


def _over(header: Header, trees: Iterable[LiveLog], now: int, lag: int) -> bool:
    """Expired, and the newest witnessed tree of each log is later by LAG: an auditor must see that it may be gone.

    Also of the directory: an export reads a channel's checkpoint before its bodies, the directory's after them. LAG is
    at least twice SKEW: a tree that is cosigned after this by clocks that are behind shows that it is over, too.
    """
    times = [0 if (seen := log.witnessing.quorum) is None else min(seen.time, now) for log in trees]
    return header.expires_at is not None and header.expires_at + lag <= min(times)


async def named(logs: Mapping[str, LiveLog], owner: str, digest: bytes) -> list[tuple[LiveLog, Line]]:
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
