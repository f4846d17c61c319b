"""A `RelayPort` over a link: values to bytes, one call each, and questions cut to what an answer can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rsc_share import codec
from rsc_share.envelope.header import PRECEDENCES, Header
from rsc_share.errors import RemoteError, RscError
from rsc_share.node.connect import Pins
from rsc_share.node.net.blobs import BlobClient
from rsc_share.node.net.link import Link
from rsc_share.session.calls import CALLS, Own, pairs, read_answer
from rsc_share.session.frames import NOT_TRIED, Logged, News, Offer, Outcome, Submission, Tail
from rsc_share.session.port import NOTHING, NOWHERE, ONE_CALL, Shown
from rsc_share.session.urgency import urgency

RUN_BYTES = 2 * ONE_CALL
"""Bytes of a run in one call; a longer run goes in several, one after the other."""
WHOLE_BYTES = 15 << 20
"""Of one that a relay takes for the sake of its last entry: cut in two, its first half would be refused."""


class NetPort:
    """What a node calls. Raises `Unavailable` while there is no session; nothing is kept for later here: the outbox
    sends the same bytes again."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._told = 0
        """The session in which the relay was told what this node has been shown: once in each."""
        self._blobs = BlobClient(link.address, link.token, link.trusted)

    # --- the connection

    def trust(self, pins: Pins) -> None:
        self._link.trust(pins)

    async def aclose(self) -> None:
        await self._blobs.aclose()
        await self._link.aclose()

    @property
    def failure(self) -> RscError | None:
        return self._link.failure

    @property
    def own(self) -> Mapping[str, Own]:
        """`seq`, header hash and index of this node's newest entry by log, as the session's welcome said."""
        return self._link.own

    async def _call(self, name: str, *arguments: Any, rank: str | None = None) -> Any:
        body = await self._link.call(name, codec.pack(list(arguments)), rank or CALLS[name].rank)
        return read_answer(name, body)

    # --- the port

    async def logs(self) -> Mapping[str, int]:
        found: dict[str, int] = await self._call("logs")
        return found

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for run in _runs(entries):
            if outcomes and not isinstance(outcomes[-1], Logged):
                return outcomes + [NOT_TRIED] * (len(entries) - len(outcomes))
            answered: list[Outcome] = await self._call("submit", log, [item.wire() for item in run], rank=rank(run))
            if len(answered) != len(run):
                raise RemoteError("the relay answered another number of entries than were sent")
            outcomes += answered
        return outcomes

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        index: int = await self._call("submit_object", found, pairs(bodies))
        return index

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        try:
            tail: Tail | None = await self._call("read", log, start, limit)
        except RemoteError as error:
            if error.code != "too-large" or limit == 1:
                raise
            return await self.read(log, start, limit // 2)
        return tail

    async def witnessed(self, log: str) -> bytes | None:
        note: bytes | None = await self._call("witnessed", log)
        return note

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        if not digests:
            return {}
        try:
            found: dict[bytes, bytes] = await self._call("bodies", log, list(digests))
        except RemoteError as error:
            if error.code != "too-large" or len(digests) == 1:
                raise
            half = len(digests) // 2
            return {**await self.bodies(log, digests[:half]), **await self.bodies(log, digests[half:])}
        return found

    async def blob_held(self, log: str, digest: bytes, size: int) -> int:
        return await self._blobs.held(log, digest, size)

    async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        return await self._blobs.put(log, digest, size, index, chunk)

    async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        return await self._blobs.read(log, digest, start, stop)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        self._link.heads = dict(heads)
        session = self._link.sessions
        said = {} if session == self._told else {log: head.wire() for log, head in shown.items()}
        found: list[Offer] = await self._call("offers", dict(heads), said)
        if session == self._link.sessions:
            self._told = session
        return found

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        await self._call("cosign", log, size, list(lines))

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        """While there is no session: return when there is one again, which is news, too.

        Whatever ended it: who asks again at once would ask for ever.
        """
        self._link.heads = dict(heads)
        try:
            news: News | None = await self._call("changed", dict(known), dict(heads))
        except RscError:
            if self._link.is_open:
                raise
            await self._link.opened()
            return None
        return news


def _runs(entries: Sequence[Submission]) -> list[list[Submission]]:
    first, last = _ends(entries)
    most = WHOLE_BYTES if urgency(*last) < urgency(*first) else RUN_BYTES
    runs: list[list[Submission]] = []
    room = 0
    for entry in entries:
        if not runs or entry.weight > room:
            runs.append([])
            room = most
        runs[-1].append(entry)
        room -= entry.weight
    return runs


def rank(run: Sequence[Submission]) -> str:
    """The queue a run waits in."""
    return min((precedence for _, precedence in _ends(run)), key=PRECEDENCES.index)


def _ends(run: Sequence[Submission]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Kind and precedence of the first entry that is no grant, and of the last: within a batch the most urgent comes
    first, and a batch that follows another one is more urgent than that."""
    first = next((found for found in map(_kind, run) if found[0] != "grant"), _kind(run[-1]))
    return first, _kind(run[-1])


def _kind(entry: Submission) -> tuple[str, str]:
    """ROUTINE for a header that does not parse: the relay says what is wrong with it."""
    try:
        found = Header.parse(entry.header)
    except RemoteError:
        return "message", PRECEDENCES[-1]
    return found.kind, found.precedence
