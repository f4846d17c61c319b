"""The port of a relay in the same process. Everything crosses it as bytes, so that a network can take its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.envelope.parts import HASH, Head
from rsc_share.relay.session import Session
from rsc_share.session.calls import CALLS, read_answer
from rsc_share.session.frames import MAX_ITEMS, News, Offer, Outcome, Submission, Tail, read_outcome
from rsc_share.session.port import NOTHING, NOWHERE, Shown

MAX_FRAME = 16 << 20
"""Bytes of one encoded argument or answer; a network splits them into smaller frames."""


def _across(value: Any) -> Any:
    """What the other side reads of what this side wrote."""
    return codec.unpack(codec.pack(value), max_size=MAX_FRAME)


def _answer(name: str, found: Any) -> Any:
    """The same of what the relay writes in one step."""
    return read_answer(name, CALLS[name].answer(found))


class MemoryPort:
    """A `RelayPort`: arguments and answers are packed, unpacked and parsed, both ways."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said: Shown | None = None

    async def logs(self) -> Mapping[str, int]:
        return _sizes(_across(dict(await self._session.logs())))

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        sent = [Submission.from_wire(_across(entry.wire())) for entry in entries]
        return [read_outcome(_across(outcome.wire())) for outcome in await self._session.submit(log, sent)]

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        pairs = _across([[digest, body] for digest, body in bodies.items()])
        return await self._session.submit_object(_across(found), dict(pairs))

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        found = await self._session.read(log, shape.integer(start, "start"), shape.integer(limit, "limit", low=1))
        tail: Tail | None = _answer("read", found)
        return tail

    async def witnessed(self, log: str) -> bytes | None:
        return await self._session.witnessed(log)

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        asked = shape.each(shape.blob, _across(list(digests)), "digests", size=HASH)
        return dict(await self._session.bodies(log, asked))

    async def blob_held(self, log: str, digest: bytes, size: int) -> int:
        return await self._session.blob_held(log, digest, shape.integer(size, "size"))

    async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        sent = bytes(_across(chunk))
        return await self._session.blob_put(log, digest, size, shape.integer(index, "chunk"), sent)

    async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        return bytes(_across(await self._session.blob_read(log, digest, start, stop)))

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        said = NOTHING if self._said is not None else _shown(shown)
        found = await self._session.offers(_sizes(_across(dict(heads))), said)
        self._said = shown
        return [Offer.from_wire(_across(offer.wire())) for offer in found]

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        sent = shape.each(shape.blob, _across(list(lines)), "lines")
        await self._session.cosign(log, shape.integer(size, "size"), sent)

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        found = await self._session.changed(_sizes(_across(dict(known))), _sizes(_across(dict(heads))))
        news: News | None = _answer("changed", found)
        return news


def _shown(heads: Shown) -> Shown:
    packed = _across({log: head.wire() for log, head in heads.items()})
    return {names.origin(log, "shown"): Head.from_wire(head, "shown") for log, head in packed.items()}


def _sizes(value: Any) -> dict[str, int]:
    if type(value) is not dict or len(value) > MAX_ITEMS:
        raise shape.wrong("heads", "needs a map of logs to sizes")
    return {names.origin(log, "heads"): shape.integer(size, "heads") for log, size in value.items()}
