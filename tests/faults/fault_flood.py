"""What overloads a relay from outside: each attack goes on until it is cancelled, and counts what it did."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from fault_dial import ELSEWHERE
from fault_oracle import LOG

from rsc_share import Unlock
from rsc_share.envelope.header import Header
from rsc_share.envelope.signature import sign_batch
from rsc_share.node.home import Home
from rsc_share.node.identity import World as NodeWorld
from rsc_share.node.net.address import Address
from rsc_share.node.net.link import Link
from rsc_share.node.net.pins import client_context
from rsc_share.node.net.port import NetPort
from rsc_share.session.frames import Full, Submission, Turned
from rsc_share.session.table import MAX_FRAME
from rsc_share.value import replace

GONE = (OSError, aiohttp.ClientError, TimeoutError)


@dataclass
class Done:
    count: int = 0


async def slow_loris(port: int, done: Done, width: int) -> None:
    """Handshakes that never end: the first bytes of a ClientHello, one at a time."""

    async def one() -> None:
        while True:
            with contextlib.suppress(*GONE):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=ELSEWHERE)
                done.count += 1
                with contextlib.closing(writer):
                    for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03":
                        writer.write(bytes([byte]))
                        await asyncio.wait_for(reader.read(1), 0.5)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(one() for _ in range(width)))


async def large_frames(port: int, done: Done, width: int) -> None:
    """A session that begins with a frame above the bound."""
    connector = aiohttp.TCPConnector(ssl=client_context(), local_addr=ELSEWHERE, limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def one() -> None:
            while True:
                with contextlib.suppress(*GONE):
                    async with http.ws_connect(f"https://127.0.0.1:{port}/v1/session", max_msg_size=0) as socket:
                        await socket.receive()
                        await socket.send_bytes(bytes(8 * MAX_FRAME))
                        await socket.receive()
                done.count += 1

        await asyncio.gather(*(one() for _ in range(width)))


async def reconnects(port: int, done: Done, width: int) -> None:
    """So many TLS connections at once, each up to the relay's hello, then gone without a word; again and again."""

    async def one(http: aiohttp.ClientSession) -> None:
        with contextlib.suppress(*GONE):
            async with http.ws_connect(f"https://127.0.0.1:{port}/v1/session") as socket:
                await socket.receive()
                done.count += 1

    while True:
        connector = aiohttp.TCPConnector(ssl=client_context(), local_addr=ELSEWHERE, limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            await asyncio.gather(*(one(http) for _ in range(width)))


async def refusals(home: Home, port: int, done: Done) -> None:
    """A member's node that hands in, four runs at a time, what the rulebook forbids, over its good signature."""
    identity = home.identity()
    link = Link(at_address(home, port), identity, NodeWorld())
    await link.start()
    net = NetPort(link)
    try:
        tail = await net.read(LOG, 0, 256)
        assert tail is not None
        forbidden = _forbidden(identity, [item.entry for item in tail.items if isinstance(item, Full)])

        async def one() -> None:
            while True:
                outcomes = await net.submit(LOG, forbidden)
                done.count += sum(isinstance(outcome, Turned) for outcome in outcomes)

        await asyncio.gather(*(one() for _ in range(4)))
    finally:
        await net.aclose()


def at_address(home: Home, port: int) -> Address:
    """Where that node's relay listens now."""
    ((host, address),) = home.settings.relays.items()
    return Address.parse(host, f"wss://127.0.0.1:{port}#{address.partition('#')[2]}")


def _forbidden(identity, entries: Sequence[bytes]) -> list[Submission]:  # type: ignore[no-untyped-def]
    """A heartbeat of this node again, under another number and id."""
    from rsc_share.envelope.entry import UnverifiedEntry

    mine = next(e.header for e in map(UnverifiedEntry.parse, entries) if e.header.sender == identity.node)
    false: Header = replace(mine, seq=mine.seq + 1000, id=mine.id[:6] + os.urandom(10))
    packed = false.pack()
    (block,) = sign_batch(identity.signer, identity.charter_digest, "operational", [packed])
    return [Submission(packed, block, (), (), ())]


def unlocked(world, code: str) -> Home:  # type: ignore[no-untyped-def]
    return Home.open(world.homes[code], Unlock.file(world.founders.secret))
