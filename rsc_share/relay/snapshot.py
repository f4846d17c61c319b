"""Everything of one log at one moment, for an export: what an auditor needs, and nothing that decrypts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.relay.commit import is_directory
from rsc_share.relay.directory_log import body_digests
from rsc_share.relay.fanout import Line
from rsc_share.relay.live import LiveLog
from rsc_share.relay.notes import whole
from rsc_share.relay.store.protocol import Body, Erased, Stored


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One log up to the tree of `note`: all entries with openings and statements, and every body there is.

    `note` is the newest checkpoint that k members cosigned, or the newest signed one where none is (`witnessed`
    False), with every line kept. `erased` names bodies that were here, and why they are not.
    """

    origin: str
    entries: tuple[Stored, ...]
    bodies: Mapping[bytes, bytes]
    erased: Mapping[bytes, str]
    note: bytes
    witnessed: bool


async def take_snapshot(log: LiveLog) -> Snapshot:
    """The log up to its witnessed size; all of it where nothing is witnessed yet."""
    quorum = log.witnessing.quorum
    size = quorum.size if quorum is not None else log.size
    note = whole(log.origin, log.notes[size])
    entries = [stored async for stored in log.store.read(log.origin, 0, size, max_bytes=1 << 62)]
    digests: list[bytes] = []
    for stored in entries:
        digests += await _digests(log, stored)
    found = await log.store.bodies(log.origin, digests)
    return Snapshot(
        log.origin,
        tuple(entries),
        {digest: body.data for digest, body in found.items() if isinstance(body, Body)},
        {digest: body.reason for digest, body in found.items() if isinstance(body, Erased)},
        note,
        quorum is not None,
    )


async def _digests(log: LiveLog, stored: Stored) -> list[bytes]:
    if is_directory(log.origin):
        return await body_digests(log.store, log.origin, DirectoryEntry.parse(stored.entry).object)
    header = Line.of(stored).entry.header
    sealed = header.content.nodes if isinstance(header.content, GrantContent) else ()
    return [*(part.digest for part in header.parts), *(digest for _, _, digest in sealed)]
