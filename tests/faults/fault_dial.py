"""Certified nodes that dial at once, in a process of their own: what they cost is the relay's and not the test's.

    fault_dial.py PORT HOST FRAMEWORK WIDTH ROUNDS NODE...

WIDTH sessions, round-robin over the nodes, each with a new instance: TLS, hello, token, welcome, one call. Where a node
has several, the newer fences the older, as after a cut. All stay until the last has got that far, then all hang up, and
dial again, ROUNDS times. Lines on stdout:

    answered        a session has had its call answered       fenced    it was let in, and a newer one of its node came
    refused CODE    it ended before that, for another reason  round N   all at once, N times
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import aiohttp

from rsc_share import codec
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import RscError
from rsc_share.node.net.pins import client_context
from rsc_share.session.node_side import Answered, NodeSide, Opened
from rsc_share.session.table import Error, Hello
from rsc_share.session.token import INSTANCE, Token

ELSEWHERE = ("127.0.0.2", 0)
"""Not where the other nodes are: what one address may hold is bounded apart."""
PATIENCE = 120.0
FENCED = "fenced"


def signing(node: str) -> PrivateKey:
    return PrivateKey.generate(Suite.ED25519, seed=f"{node} signing".encode())


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Crowd:
    def __init__(self, port: int, host: str, framework: bytes, width: int, nodes: Sequence[str]) -> None:
        self._url, self._host, self._framework = f"https://127.0.0.1:{port}/v1/session", host, framework
        keys = {node: signing(node) for node in nodes}
        self._seats = [(node, keys[node]) for node in (nodes[n % len(nodes)] for n in range(width))]

    async def run(self, rounds: int) -> None:
        for number in range(1, rounds + 1):
            connector = aiohttp.TCPConnector(ssl=client_context(), local_addr=ELSEWHERE, limit=0, force_close=True)
            async with aiohttp.ClientSession(connector=connector) as http:
                await asyncio.gather(*(self._sits(http, *seat) for seat in self._seats))
            tell("round", number)

    async def _sits(self, http: aiohttp.ClientSession, node: str, key: PrivateKey) -> None:
        """The socket stays open: it is closed with `http`."""
        try:
            async with asyncio.timeout(PATIENCE):
                socket = await http.ws_connect(self._url)
                await self._greeted(socket, node, key)
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            tell("refused", type(error).__name__)
        except RscError as error:
            tell("refused", error.code)

    async def _greeted(self, socket: aiohttp.ClientWebSocketResponse, node: str, key: PrivateKey) -> None:
        """Until the first call is answered, or a newer session of the node has come before that."""
        side = NodeSide()
        async for message in socket:
            event = side.receive(message.data)
            if isinstance(event, Hello):
                side.greet(self._token(node, key, event.nonce), {})
            elif isinstance(event, Opened):
                side.call("logs", codec.pack([]), "IMMEDIATE")
            elif isinstance(event, Error):
                tell(*([FENCED] if event.fault.code == FENCED else ["refused", event.fault.code]))
                return
            elif isinstance(event, Answered):
                tell("answered")
                return
            while (frame := side.next_frame()) is not None:
                await socket.send_bytes(frame)

    def _token(self, node: str, key: PrivateKey, nonce: bytes) -> str:
        expires = int(time.time()) + 30
        return Token(node, self._host, self._framework, os.urandom(INSTANCE), expires, nonce).signed(key)


async def main(port: str, host: str, framework: str, width: str, rounds: str, *nodes: str) -> None:
    await Crowd(int(port), host, bytes.fromhex(framework), int(width), nodes).run(int(rounds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
