"""Blobs over HTTP, on connections of their own: a session never carries one.

    GET /v1/blob/<digest>/upload?log=ORIGIN&size=N            {"durable": chunks}
    PUT /v1/blob/<digest>?log=ORIGIN&size=N&chunk=I           the sealed chunk; {"durable": chunks}
    GET /v1/blob/<digest>?log=ORIGIN                          with `Range: bytes=A-B`, 206; without, 200 and all of it

Uploads need a token to `write`, downloads one to `read`. What one request holds in memory is one chunk at most.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from aiohttp import web

from rsc_share import names
from rsc_share.crypto.blobs import CHUNK, MAX_BLOB, SEALED_CHUNK
from rsc_share.errors import RemoteError, Unavailable
from rsc_share.relay.access import Access
from rsc_share.relay.net.bucket import Bucket
from rsc_share.relay.net.reads import bearer
from rsc_share.relay.net.who import prove
from rsc_share.relay.service import Relay
from rsc_share.relay.session import blobs_of
from rsc_share.relay.store.blobs import Upload, WrongBlob, WrongChunk
from rsc_share.session.token import Use

PATH = "/v1/blob/{digest}"
MAX_TRANSFERS = 32
"""Requests that move bytes at once; each holds at most one chunk."""
MAX_OF_NODE = 4
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_RANGE = re.compile(r"bytes=(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})?")
Moved = Callable[[str, int], None]
"""Hears the direction, `in` or `out`, and how many bytes went."""
Alive = Callable[[], None]
"""Called when a transfer has moved: its connection has a little longer."""


class BlobDoor:
    """The handlers. Every error is raised as it is; the server turns it into an answer."""

    def __init__(self, relay: Relay, bucket: Bucket, moved: Moved) -> None:
        self._relay, self.bucket, self._moved = relay, bucket, moved
        self._busy: dict[str, int] = {}

    async def held(self, request: web.Request, alive: Alive) -> web.StreamResponse:
        access, origin = self._asked(request, "write")
        alive()
        return _durable(await blobs_of(self._relay).held(access, origin, _upload(request, access)))

    async def put(self, request: web.Request, alive: Alive) -> web.StreamResponse:
        access, origin = self._asked(request, "write")
        upload, index = _upload(request, access), _number(request, "chunk", MAX_BLOB // CHUNK)
        length = request.content_length
        if length is None or not 0 < length <= SEALED_CHUNK:
            raise RemoteError(f"a chunk has 1 to {SEALED_CHUNK} bytes and says how many", code="wrong-chunk")
        with self._transfer(access.node):
            alive()
            blobs = blobs_of(self._relay)
            await blobs.may(access, origin, upload)  # before its bytes are read: whoever may not send costs none
            blobs.room()
            await self.bucket.take(length)
            chunk = await _body(request, length)
            self._moved("in", length)
            alive()
            try:
                return _durable(await blobs.put(access, origin, upload, index, chunk))
            except (WrongChunk, WrongBlob) as wrong:
                raise RemoteError(wrong.what, code=wrong.code) from None

    async def get(self, request: web.Request, alive: Alive) -> web.StreamResponse:
        access, origin = self._asked(request, "read")
        digest, blobs = _digest(request), blobs_of(self._relay)
        with self._transfer(access.node):
            alive()
            owner, size = await blobs.size(access, origin, digest)
            start, stop, status = _range(request, size)
            response = web.StreamResponse(status=status)
            response.content_type = "application/octet-stream"
            response.content_length = stop - start
            response.headers["Cache-Control"] = "no-store"
            if status == 206:
                response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            await response.prepare(request)
            async for piece in blobs.read(owner, digest, start, stop):
                await self.bucket.take(len(piece))
                await response.write(piece)
                self._moved("out", len(piece))
                alive()
            await response.write_eof()
            return response

    def _asked(self, request: web.Request, use: Use) -> tuple[Access, str]:
        token, _ = prove(self._relay, bearer(request), use, None)
        return Access(self._relay, token.node), names.origin(_one(request, "log"))

    def _transfer(self, node: str) -> _Slot:
        if sum(self._busy.values()) >= MAX_TRANSFERS or self._busy.get(node, 0) >= MAX_OF_NODE:
            raise Unavailable("too many files are under way", code="overloaded", retry_after=1.0)
        return _Slot(self._busy, node)


class _Slot:
    """One transfer of one node."""

    def __init__(self, busy: dict[str, int], node: str) -> None:
        self._busy, self._node = busy, node

    def __enter__(self) -> None:
        self._busy[self._node] = self._busy.get(self._node, 0) + 1

    def __exit__(self, *_: object) -> None:
        self._busy[self._node] -= 1
        if not self._busy[self._node]:
            del self._busy[self._node]


def _durable(chunks: int) -> web.Response:
    return web.json_response({"durable": chunks})


async def _body(request: web.Request, length: int) -> bytes:
    try:
        return await request.content.readexactly(length)
    except asyncio.IncompleteReadError:
        raise RemoteError("the chunk broke off", code="wrong-chunk") from None


def _upload(request: web.Request, access: Access) -> Upload:
    return Upload(access.member, _digest(request), _number(request, "size", MAX_BLOB))


def _digest(request: web.Request) -> bytes:
    text = request.match_info["digest"]
    if not _DIGEST.fullmatch(text):
        raise RemoteError("a blob is named by 64 lower-case hexadecimal digits", code="malformed")
    return bytes.fromhex(text)


def _number(request: web.Request, key: str, high: int) -> int:
    text = _one(request, key)
    if not _NUMBER.fullmatch(text) or int(text) > high:
        raise RemoteError(f"{key} needs a whole number up to {high}", code="malformed")
    return int(text)


def _one(request: web.Request, key: str) -> str:
    found = request.query.getall(key, [])
    if len(found) != 1:
        raise RemoteError(f"the address needs {key}=... once", code="malformed")
    return str(found[0])


def _range(request: web.Request, size: int) -> tuple[int, int, int]:
    """Start, stop and status. One range of bytes and nothing else."""
    text = request.headers.get("Range")
    if text is None:
        return 0, size, 200
    found = _RANGE.fullmatch(text)
    start = int(found[1]) if found else size
    stop = min(size, int(found[2]) + 1) if found and found[2] is not None else size
    if start >= stop:
        raise RemoteError(f"{text!r} is no range of {size} bytes", code="out-of-range")
    return start, stop, 206
