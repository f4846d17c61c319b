"""What one session reads: tails, bodies, and the newest witnessed note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsc_share.errors import RemoteError
from rsc_share.relay.access import Access
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import Line, bodies_for, item
from rsc_share.relay.live import CHUNK, LiveLog
from rsc_share.relay.store.protocol import Body
from rsc_share.relay.witnessing import Quorum
from rsc_share.session.calls import MAX_DIGESTS
from rsc_share.session.frames import MAX_ITEMS, Full, Item, Tail


class Reading:
    """Reads of one session. It remembers which note of a quorum it has shown, so that each is shown once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._shown: dict[str, tuple[int, Quorum | None]] = {}

    async def read(self, origin: str, start: int, limit: int) -> Tail | None:
        log = self._access.log(origin)
        size, quorum = log.size, log.witnessing.quorum
        if start > size:
            raise RemoteError(f"asked for entries from {start} of a log of {size}", code="out-of-range")
        if start == size:
            return self._better_note(log)
        # With a witnessed note where the reader is behind it: only such a note confirms what it covers.
        end = quorum.size if quorum is not None and start < quorum.size else size
        note = log.note(end)
        items = await self._items(log, start, min(end, start + max(1, min(limit, MAX_ITEMS))))
        if start + len(items) == end:
            self._shown[origin] = (end, quorum if quorum is not None and quorum.size == end else None)
        return Tail(origin, start, tuple(items), note)

    def _better_note(self, log: LiveLog) -> Tail | None:
        """No new entries; the note alone, once k members have cosigned it, and again when they have done so again."""
        quorum = log.witnessing.quorum
        if quorum is None or quorum.size != log.size or self._shown.get(log.origin) == (log.size, quorum):
            return None
        self._shown[log.origin] = (log.size, quorum)
        return Tail(log.origin, log.size, (), log.note())

    async def _items(self, log: LiveLog, start: int, stop: int) -> list[Item]:
        if is_directory(log.origin):
            found = log.store.read(log.origin, start, stop, max_bytes=CHUNK)
            return [Full(stored.entry, None, (), ()) async for stored in found]
        items: list[Item] = []
        weight = 0
        for line in await log.lines(start, stop):
            if weight >= CHUNK:
                break
            items.append(item(line, self._access.node, await self._travelling(log, line)))
            weight += items[-1].weight
        return items

    async def _travelling(self, log: LiveLog, line: Line) -> dict[bytes, bytes]:
        header, node = line.entry.header, self._access.node
        digests = bodies_for(header, node) if node != header.sender else ()
        found = await log.store.bodies(log.origin, digests) if digests else {}
        return {digest: body.data for digest, body in found.items() if isinstance(body, Body)}

    async def witnessed(self, origin: str) -> bytes | None:
        log = self._access.log(origin)
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
