"""What one session reads: tails, bodies, and the newest witnessed note.

A tail is made for every reader of every entry. So what goes out is put together in the form it has on the wire, and
nothing in it is made into a value first; `session.frames` has the values, for whoever reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsc_share.errors import RemoteError
from rsc_share.relay.access import Access
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import Line, bodies_for, row
from rsc_share.relay.live import CHUNK, LiveLog
from rsc_share.relay.store.protocol import Body
from rsc_share.relay.witnessing import Quorum
from rsc_share.session.calls import MAX_DIGESTS
from rsc_share.session.frames import MAX_ITEMS, Offer


@dataclass(frozen=True, slots=True)
class Passage:
    """A `Tail` on its way out: rows as `fanout.row` makes them."""

    log: str
    start: int
    rows: list[list[Any]]
    note: bytes
    proof: list[bytes]
    weight: int
    """Bytes of it, about."""

    def wire(self) -> list[Any]:
        return [self.log, self.start, self.rows, self.note, self.proof]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """`News` on their way out."""

    passages: list[Passage]
    notes: list[tuple[str, bytes]]
    offers: list[Offer]
    more: list[str]

    def wire(self) -> list[Any]:
        passages, offers = [item.wire() for item in self.passages], [offer.wire() for offer in self.offers]
        return [passages, self.notes, offers, self.more]


class Reading:
    """What one session reads of the logs it may read. It remembers which note of a quorum it has shown, so that each is
    shown once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._shown: dict[str, tuple[int, Quorum | None]] = {}

    async def tail(self, log: LiveLog, start: int, limit: int) -> Passage | None:
        size, quorum = log.size, log.witnessing.quorum
        if start > size:
            raise RemoteError(f"asked for entries from {start} of a log of {size}", code="out-of-range")
        if start == size:
            return self._better_note(log)
        # With a witnessed note where the reader is behind it: only such a note confirms what it covers.
        end = quorum.size if quorum is not None and start < quorum.size else size
        note = log.note(end)
        rows, weight = await self._rows(log, start, min(end, start + max(1, min(limit, MAX_ITEMS))))
        stop, proof = start + len(rows), list[bytes]()
        if stop == end:
            self._shown[log.origin] = (end, quorum if quorum is not None and quorum.size == end else None)
        else:
            proof = await log.tree.consistency(stop, end)
        return Passage(log.origin, start, rows, note, proof, weight + len(note))

    def _better_note(self, log: LiveLog) -> Passage | None:
        """No new entries; the note alone, once k members have cosigned it, and again when they have done so again."""
        quorum = log.witnessing.quorum
        if quorum is None or quorum.size != log.size or self._shown.get(log.origin) == (log.size, quorum):
            return None
        self._shown[log.origin] = (log.size, quorum)
        note = log.note()
        return Passage(log.origin, log.size, [], note, [], len(note))

    async def _rows(self, log: LiveLog, start: int, stop: int) -> tuple[list[list[Any]], int]:
        """The entries from `start` as this node may see them, and about how many bytes they are."""
        if is_directory(log.origin):
            found = [item.entry async for item in log.store.read(log.origin, start, stop, max_bytes=CHUNK)]
            return [[entry, None, [], []] for entry in found], sum(map(len, found))
        node = self._access.node
        lines, weight = fitting(await log.lines(start, stop), node)
        wanted = [line.travelling(node) for line in lines]
        bodies = await self._bodies(log, {digest: None for digests in wanted for digest in digests})
        return [
            row(line, node, [bodies[digest] for digest in digests if digest in bodies])
            for line, digests in zip(lines, wanted, strict=True)
        ], weight

    async def _bodies(self, log: LiveLog, digests: Collection[bytes]) -> dict[bytes, bytes]:
        """All at once: a tail of old entries costs one trip to the disk and not one for each."""
        found = await log.store.bodies(log.origin, digests) if digests else {}
        return {digest: body.data for digest, body in found.items() if isinstance(body, Body)}

    def witnessed(self, log: LiveLog) -> bytes | None:
        quorum = log.witnessing.quorum
        return None if quorum is None else log.note(quorum.size)

    async def bodies(self, origin: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        log = self._access.log(origin)
        if len(digests) > MAX_DIGESTS:
            raise RemoteError(f"{len(digests)} digests in one call; at most {MAX_DIGESTS}")
        found = await log.store.bodies(origin, digests)
        return {
            digest: body.data
            for digest, body in found.items()
            if isinstance(body, Body) and body.data and await self._entitled(log, body.index, digest)
        }

    async def _entitled(self, log: LiveLog, index: int, digest: bytes) -> bool:
        if is_directory(log.origin):
            return True
        line = await log.line(index)
        return line is not None and digest in bodies_for(line.entry.header, self._access.node)


def fitting(lines: Sequence[Line], node: str) -> tuple[Sequence[Line], int]:
    """As many lines as one tail holds, at least one; and about how many bytes `node` is shown of them."""
    weight = 0
    for count, line in enumerate(lines):
        if weight >= CHUNK:
            return lines[:count], weight
        weight += line.weight(node)
    return lines, weight
