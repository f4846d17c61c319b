"""What a relay said is new, in the place of the questions it answers: what it did not mention is not asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsc_share.node.connect import failure_of
from rsc_share.session.frames import News, Offer, Tail
from rsc_share.session.port import NOTHING as NONE_SHOWN
from rsc_share.session.port import Feed, Shown

NOTHING = News()


class Told:
    """A `Feed` for one turn. Every part of the news is given once, and only to who stands where it begins; anybody
    else asks the relay. It saves questions, and decides nothing: what it gives is verified like every answer."""

    def __init__(self, port: Feed, news: News) -> None:
        self._port, self._offers = port, list(news.offers)
        self._tails = {tail.log: tail for tail in news.tails}
        self._notes = dict(news.notes)
        self._more = set(news.more)

    @property
    def offered(self) -> bool:
        """Whether there is something to cosign that was not asked about yet."""
        return bool(self._offers)

    def _there(self) -> None:
        """Raise why there is no session: silence is no answer."""
        failure = failure_of(self._port)
        if failure is not None:
            raise failure

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        self._there()
        tail = self._tails.pop(log, None)
        if tail is None:
            return await self._port.read(log, start, limit) if log in self._more else None
        if tail.start != start:
            self._more.add(log)
            return await self._port.read(log, start, limit)
        if tail.start + len(tail.items) < _size(tail.note):
            self._more.add(log)
        return tail

    async def witnessed(self, log: str) -> bytes | None:
        note = self._notes.pop(log, None)
        return await self._port.witnessed(log) if note is None and log in self._more else note

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return await self._port.bodies(log, digests)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NONE_SHOWN) -> list[Offer]:
        offers, self._offers = self._offers, []
        if any(offer.old != heads.get(offer.log, 0) for offer in offers):
            return await self._port.offers(heads, shown)  # something was cosigned since the relay was asked
        return offers


def _size(note: bytes) -> int:
    """What a note says its tree's size is, before anybody has verified it; 0 for what is no note."""
    line = note.split(b"\n", 2)[1:2]
    return int(line[0]) if line and line[0].isdigit() and len(line[0]) < 20 else 0
