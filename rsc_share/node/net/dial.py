"""One WebSocket to a relay: over TLS, to a key that is pinned, and to nowhere else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from rsc_share.errors import RemoteError
from rsc_share.node.net.pins import PinCheck, client_context
from rsc_share.session.table import MAX_FRAME

DIAL_SECONDS = 15.0
"""From the first packet to a WebSocket, and from there to an open session."""
HEARTBEAT_SECONDS = 20.0
CLOSE_SECONDS = 2.0


def why(error: Exception) -> str:
    """Why nobody answered, for people. What aiohttp says of a dial has the address of an object of ours in it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        said = os.strerror(number) if number is not None and number > 0 else error.os_error.strerror
        return f"{error.host}:{error.port}: {said or error.os_error}"
    return str(error) or type(error).__name__


@asynccontextmanager
async def dialled(url: str, pins: tuple[str, ...]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Raises what aiohttp does, `TimeoutError`, and `RemoteError` (`wrong-pin`, `wrong-host`)."""
    connector = aiohttp.TCPConnector(ssl=PinCheck(pins), force_close=True)
    watch = aiohttp.TraceConfig()
    watch.on_request_redirect.append(_stays)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trace_configs=[watch]) as http:
        async with asyncio.timeout(DIAL_SECONDS):
            socket = await http.ws_connect(
                url,
                ssl=client_context(),
                max_msg_size=MAX_FRAME + 1,
                heartbeat=HEARTBEAT_SECONDS,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            )
        async with socket:
            yield socket


async def _stays(*_: object) -> None:
    """aiohttp would follow a redirect, to another machine and out of TLS."""
    raise RemoteError("the relay sends this node elsewhere; it is where its address says", code="wrong-host")
