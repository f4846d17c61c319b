"""A node that says what it likes: a bare WebSocket, frames by hand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from rsc_share import codec
from rsc_share.crypto.signing import PrivateKey
from rsc_share.errors import RscError
from rsc_share.node.net.pins import client_context
from rsc_share.session.calls import NAMES
from rsc_share.session.table import MIN_WINDOW, Answer, Call, Error, Frame, Greeting, Hello, encode, read_frame
from rsc_share.session.token import Token
from rsc_share.testing.founding import HOST
from rsc_share.testing.loopback import LoopbackFramework

KINDS = ("hello", "token", "call", "answer", "more", "fault", "cancel", "credit", "goaway", "error")
PATIENCE = 30.0


def context() -> ssl.SSLContext:
    return client_context()


class Raw:
    """`frame` reads the next one; the end is `Gone` with the WebSocket's close code."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: Any = None

    async def frame(self) -> Frame:
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise Gone(self.socket.close_code)
        return read_frame(message.data, KINDS, NAMES)

    async def send(self, frame: Frame | bytes) -> None:
        await self.socket.send_bytes(frame if isinstance(frame, bytes) else encode(frame))

    async def ends(self, code: str) -> RscError:
        """The session ends with one error frame of this code, and nothing comes after it."""
        while not isinstance(frame := await self.frame(), Error):
            pass
        assert frame.fault.code == code, frame
        try:
            await self.frame()
        except Gone:
            return frame.fault.error()
        raise AssertionError("a frame after the last one")

    async def call(self, id: int, name: str, *arguments: Any, rank: str = "ROUTINE") -> None:
        body = codec.pack(list(arguments))
        await self.send(Call(id, name, rank, len(body), body))

    async def answer(self) -> Frame:
        """The next answer or fault."""
        while isinstance(frame := await self.frame(), Hello):
            pass
        return frame


class Gone(Exception):
    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


@asynccontextmanager
async def dialled(fw: LoopbackFramework) -> AsyncIterator[Raw]:
    """Connected; the hello has been read."""
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{fw.server.port}/v1/session"
        async with http.ws_connect(url, ssl=context(), max_msg_size=0) as socket:
            raw = Raw(socket)
            raw.hello = await raw.frame()
            assert isinstance(raw.hello, Hello)
            yield raw


def token(fw: LoopbackFramework, raw: Raw, node: str = "EST/mod-1", **more: Any) -> Token:
    usual: dict[str, Any] = {
        "node": node,
        "host": HOST,
        "framework_id": fw.founded.framework_id,
        "instance": b"i" * 16,
        "expires": fw.clock.now // 1000 + 30,
        "nonce": raw.hello.nonce,
    }
    return Token(**{**usual, **more})


def key_of(fw: LoopbackFramework, node: str = "EST/mod-1") -> PrivateKey:
    party = fw.party(node.partition("/")[0])
    return next(keys.signing for keys in party.nodes if keys.name == node)


async def prove(fw: LoopbackFramework, raw: Raw, node: str = "EST/mod-1", **more: Any) -> None:
    """Send a token; `welcome` has not been read."""
    text = token(fw, raw, node, **more).signed(key_of(fw, node))
    await raw.send(Greeting(text, MIN_WINDOW, {}))


@asynccontextmanager
async def session(fw: LoopbackFramework, node: str = "EST/mod-1", **more: Any) -> AsyncIterator[Raw]:
    """An open session, in the place of the framework's own node of that name: both at once would be a clone."""
    await fw.node(node).engine.aclose()
    async with dialled(fw) as raw:
        await prove(fw, raw, node, **more)
        welcome = await raw.frame()
        assert isinstance(welcome, Answer), welcome
        assert welcome.id == 0
        yield raw


async def refuses(fw: LoopbackFramework, code: str, node: str = "EST/mod-1", **more: Any) -> RscError:
    """What a relay says to such a token."""
    async with dialled(fw) as raw:
        await prove(fw, raw, node, **more)
        return await raw.ends(code)
