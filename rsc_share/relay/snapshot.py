"""Everything of one log at one moment, for an export: what an auditor needs, and nothing that decrypts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.relay.commit import is_directory
from rsc_share.relay.directory_log import body_digests
from rsc_share.relay.fanout import Line, all_bodies
from rsc_share.relay.live import LiveLog
from rsc_share.relay.notes import whole
from rsc_share.relay.store.protocol import Body, Erased, Stored


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One log as its newest signed checkpoint covers it: entries with openings and statements, every body there is.

    `note` is that checkpoint with every line kept for it; `witnessed` the newest one that k members cosigned (the same
    bytes once they have). `erased` names bodies that were here, and why they are not; `apart` the blobs, whose bytes
    are files of their own.
    """

    origin: str
    entries: tuple[Stored, ...]
    bodies: Mapping[bytes, bytes]
    erased: Mapping[bytes, str]
    note: bytes
    witnessed: bytes | None
    apart: frozenset[bytes] = frozenset()


async def take_snapshot(log: LiveLog) -> Snapshot:
    size, quorum = log.size, log.witnessing.quorum
    note = whole(log.origin, log.notes[size])
    witnessed = None if quorum is None else whole(log.origin, log.notes[quorum.size])
    entries = [stored async for stored in log.store.read(log.origin, 0, size, max_bytes=1 << 62)]
    digests: list[bytes] = []
    for stored in entries:
        digests += await _digests(log, stored)
    found = await log.store.bodies(log.origin, digests)
    return Snapshot(
        log.origin,
        tuple(entries),
        {digest: body.data for digest, body in found.items() if isinstance(body, Body) and body.data},
        {digest: body.reason for digest, body in found.items() if isinstance(body, Erased)},
        note,
        witnessed,
        frozenset(digest for digest, body in found.items() if isinstance(body, Body) and not body.data),
    )


async def _digests(log: LiveLog, stored: Stored) -> list[bytes]:
    if is_directory(log.origin):
        return await body_digests(log.store, log.origin, DirectoryEntry.parse(stored.entry).object)
    return list(all_bodies(Line.of(stored).entry.header))
