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
from rsc_share.relay.store.protocol import Body, Erased, Readable, Stored


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One log as its newest signed checkpoint covers it: entries with openings and statements, every body there is.

    `note` is that checkpoint with every line kept for it; `witnessed` the newest one that k members cosigned (the same
    bytes once they have). `erased` names bodies that were here, and why they are not; `apart` the blobs, whose bytes
    are files of their own. `tail`: the entries behind `note`, up to the newest checkpoint, `tail_note`.
    """

    origin: str
    entries: tuple[Stored, ...]
    bodies: Mapping[bytes, bytes]
    erased: Mapping[bytes, str]
    note: bytes
    witnessed: bytes | None
    apart: frozenset[bytes] = frozenset()
    tail: tuple[bytes, ...] = ()
    tail_note: bytes = b""


async def take_snapshot(log: LiveLog) -> Snapshot:
    size, quorum = log.size, log.witnessing.quorum
    note = whole(log.origin, log.notes[size])
    witnessed = None if quorum is None else whole(log.origin, log.notes[quorum.size])
    return await snapshot_of(log.store, log.origin, size, note, witnessed)


async def snapshot_of(store: Readable, origin: str, size: int, note: bytes, witnessed: bytes | None) -> Snapshot:
    """The first `size` entries of a log and all that belongs to them, under the `note` of that size."""
    entries = [stored async for stored in store.read(origin, 0, size, max_bytes=1 << 62)]
    digests: list[bytes] = []
    for stored in entries:
        digests += await _digests(store, origin, stored)
    found = await store.bodies(origin, digests)
    return Snapshot(
        origin,
        tuple(entries),
        {digest: body.data for digest, body in found.items() if isinstance(body, Body) and body.data},
        {digest: body.reason for digest, body in found.items() if isinstance(body, Erased)},
        note,
        witnessed,
        frozenset(digest for digest, body in found.items() if isinstance(body, Body) and not body.data),
    )


async def _digests(store: Readable, origin: str, stored: Stored) -> list[bytes]:
    if is_directory(origin):
        return await body_digests(store, origin, DirectoryEntry.parse(stored.entry).object)
    return list(all_bodies(Line.of(stored).entry.header))
