"""Blobs over HTTP: connections of their own beside the session, one chunk in memory at a time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from yarl import URL

from rsc_share import shape
from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.errors import Refused, RemoteError, Unavailable
from rsc_share.node.net.address import Address
from rsc_share.node.net.dial import why
from rsc_share.node.net.pins import PinCheck, client_context
from rsc_share.session.token import Use

CONNECTIONS = 2
SECONDS = 60.0
"""For one request: a chunk up or down. A line that moves less than 17 KiB/s is as good as cut."""
MAX_ANSWER = 4_096
_REFUSED = 403


class BlobClient:
    """`token` signs one for reading or writing, `pins` whose key may answer. Nothing is dialled before it is needed."""

    def __init__(self, address: Address, token: Callable[[Use], str], pins: Callable[[], tuple[str, ...]]) -> None:
        self._address, self._token, self._pins = address, token, pins
        self._context = client_context()
        """One: aiohttp keeps connections open by it."""
        self._http: aiohttp.ClientSession | None = None
        self._pinned: tuple[str, ...] = ()
        self._closed = False

    async def aclose(self) -> None:
        self._closed = True
        await self._hang_up()

    async def _hang_up(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def held(self, log: str, digest: bytes, size: int) -> int:
        return _durable(await self._ask("GET", digest, "/upload", "write", {"log": log, "size": str(size)}))

    async def put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        query = {"log": log, "size": str(size), "chunk": str(index)}
        return _durable(await self._ask("PUT", digest, "", "write", query, data=io.BytesIO(chunk)))

    async def read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        """Exactly these bytes. Raises `RemoteError` where the relay gives fewer."""
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        data = await self._ask("GET", digest, "", "read", {"log": log}, headers=headers, most=stop - start)
        if len(data) != stop - start:
            raise RemoteError(f"{len(data)} bytes of a blob where {stop - start} were asked for", code="bad-part")
        return data

    async def _ask(
        self,
        method: str,
        digest: bytes,
        tail: str,
        use: Use,
        query: Mapping[str, str],
        *,
        data: io.BytesIO | None = None,
        headers: Mapping[str, str] | None = None,
        most: int = MAX_ANSWER,
    ) -> bytes:
        http = await self._session()
        url = URL(self._address.url).with_path(f"/v1/blob/{digest.hex()}{tail}").with_query(query)
        sent = {"Authorization": f"Bearer {self._token(use)}", **(headers or {})}
        try:
            async with http.request(
                method, url, data=data, headers=sent, ssl=self._context, allow_redirects=False
            ) as answer:
                found = await _bounded(answer, most if answer.status in (200, 206) else MAX_ANSWER)
                if answer.status not in (200, 206):
                    error = _error(answer, found)
                    error.told = True
                    raise error
                return found
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            what = f"{self._address.host} does not answer: {why(error)}"
            raise Unavailable(what[:1000], code="cut-off") from None

    async def _session(self) -> aiohttp.ClientSession:
        """One for the pins that count now: a charter may have named other keys since."""
        if self._closed:
            raise Unavailable("the node is closed", code="cut-off")
        pins = self._pins()
        if self._http is None or pins != self._pinned:
            await self._hang_up()
            connector = aiohttp.TCPConnector(ssl=PinCheck(pins), limit=CONNECTIONS)
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            self._http = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, auto_decompress=False
            )
            self._pinned = pins
        return self._http


async def _bounded(answer: aiohttp.ClientResponse, most: int) -> bytes:
    if most > SEALED_CHUNK:
        raise RemoteError("more than one chunk at a time", code="out-of-range")
    found = bytearray()
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > most:
            raise RemoteError("the relay's answer is longer than what was asked for", code="malformed")
    return bytes(found)


def _durable(data: bytes) -> int:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise RemoteError("the relay's answer is no JSON", code="malformed") from None
    return shape.integer(shape.closed(value, "answer", ("durable",))["durable"], "durable", high=1 << 21)


def _error(answer: aiohttp.ClientResponse, data: bytes) -> RemoteError | Unavailable | Refused:
    """What the relay said as `code: what`; its word, not a proof."""
    text = "".join(c if c.isprintable() else " " for c in data.decode("utf-8", "replace"))[:1000].strip()
    code, _, what = text.partition(": ")
    if not what or len(code) > 40:
        code, what = "remote", text or f"status {answer.status}"
    if answer.status == 503:
        return Unavailable(what, code=code, retry_after=_number(answer.headers.get("Retry-After", ""), 3))
    if answer.status == _REFUSED:
        return Refused(code, what, row=_number(answer.headers.get("Rsc-Row", ""), 2) or 0)
    return RemoteError(what, code=code)


def _number(text: str, digits: int) -> int | None:
    """None for what is none. There are digits that no number is made of (`²`): a header may hold any character."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
