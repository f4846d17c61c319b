"""The roles of the empty path, each a process of its own.

    python bench/floor_roles.py relay WAY FOLDER
    python bench/floor_roles.py reader WAY PORT
    python bench/floor_roles.py publisher WAY PORT FOLDER RATE SECONDS

For each message: one Ed25519 signature, one synced commit before it is sent, one frame of a WebSocket over TLS 1.3
(aiohttp's); at the relay one verification, one synced commit, one signature over the tree, one frame to the reader and
one back; at the reader two verifications. Paced as `latency.py` is, and timed from when a message is due. No forms,
rules, encryption, trees, turns or memory; a commit under way is followed by one for all who came meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import aiohttp
from aiohttp import web
from sampling import Pace, flushing

from rsc_share.crypto.ed25519 import SIGNATURE, expand, sign, verifies
from rsc_share.node.net.pins import client_context
from rsc_share.relay.net.tls import server_context

BODY = 2_400
"""Bytes of header, signature block, body and opening of a message of 1 KiB to one reader."""
STATE = 300
"""Bytes of a receipt, or of a checkpoint."""
WARM = 100
"""Messages before those that count: connections, caches, pages of files."""
DUE = 8


class Disk:
    """What is kept is durable when `keep` returns. Who comes while a commit is under way shares the next one."""

    def __init__(self, path: Path, *, in_loop: bool) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, data BLOB)")
        self._thread = None if in_loop else ThreadPoolExecutor(1)
        self._one, self._staged = asyncio.Lock(), list[bytes]()
        self._made = self._durable = 0

    async def keep(self, data: bytes) -> None:
        self._staged.append(data)
        self._made = wanted = self._made + 1
        async with self._one:
            if self._durable >= wanted:
                return
            leaving, self._staged, upto = self._staged, [], self._made
            if self._thread is None:
                self._commit(leaving)
            else:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, leaving)
            self._durable = upto

    def _commit(self, rows: list[bytes]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO kept (data) VALUES (?)", [(row,) for row in rows])
        self._db.execute("COMMIT")

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        self._db.close()


class Key:
    """Of a role: every process makes it from its name."""

    def __init__(self, role: str) -> None:
        self._public, self._secret = expand(sha256(role.encode()).digest())

    def signed(self, data: bytes) -> bytes:
        return sign(self._secret, data) + data

    def opened(self, data: bytes) -> bytes:
        """Raises `ValueError`."""
        if not verifies(self._public, data[SIGNATURE:], data[:SIGNATURE]):
            raise ValueError("not signed by its sender")
        return data[SIGNATURE:]


class Relay:
    def __init__(self, folder: Path, *, in_loop: bool) -> None:
        self._disk = Disk(folder / "relay", in_loop=in_loop)
        self._key, self._sender = Key("relay"), Key("publisher")
        self._reader: web.WebSocketResponse | None = None

    async def session(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async with asyncio.TaskGroup() as group:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._reader = socket
                    await socket.send_str("ready")
                else:
                    group.create_task(self._pass_on(message.data, socket))
        return socket

    async def _pass_on(self, data: bytes, sender: web.WebSocketResponse) -> None:
        entry = self._sender.opened(data)
        await self._disk.keep(data)
        note = self._key.signed(sha256(entry).digest() + bytes(STATE))
        assert self._reader is not None
        await self._reader.send_bytes(note + data)
        await sender.send_bytes(note)


async def relay(way: str, folder: Path) -> None:
    app = web.Application()
    app.router.add_get("/", Relay(folder, in_loop=way.endswith("loop")).session)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(
        runner, "127.0.0.1", 0, ssl_context=server_context(folder / "tls.crt", folder / "tls.key")
    ).start()
    print("port", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def reader(port: int) -> None:
    log, sender, note = Key("relay"), Key("publisher"), SIGNATURE + 32 + STATE
    async with aiohttp.ClientSession() as http, http.ws_connect(_url(port), ssl=client_context()) as socket:
        await socket.send_str("reader")
        await socket.receive_str()
        print("ready", flush=True)
        async for message in socket:
            root = log.opened(message.data[:note])[:32]
            entry = sender.opened(message.data[note:])
            if sha256(entry).digest() != root:
                raise ValueError("not the entry that the log signed")
            print("got", (time.monotonic_ns() - int.from_bytes(entry[:DUE], "big")) / 1e6)


async def publisher(way: str, port: int, folder: Path, rate: float, seconds: float) -> None:
    key, disk = Key("publisher"), Disk(folder / "publisher", in_loop=way.endswith("loop"))
    async with aiohttp.ClientSession() as http, http.ws_connect(_url(port), ssl=client_context()) as socket:

        async def send(due: int) -> None:
            data = key.signed(due.to_bytes(DUE, "big") + os.urandom(BODY))
            await disk.keep(data)
            await socket.send_bytes(data)

        print("ready", flush=True)
        pace, began = Pace(), time.monotonic_ns()
        async with asyncio.TaskGroup() as group:
            receipts = asyncio.create_task(_drained(socket))
            for number in range(1, WARM + int(rate * seconds) + 1):
                due = began + int(number * 1e9 / rate)
                await pace.until(due)
                group.create_task(send(due))
        print("sent", flush=True)
        await receipts


async def _drained(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


def _url(port: int) -> str:
    return f"wss://127.0.0.1:{port}/"


async def _play(role: str, way: str, *more: str) -> None:
    """Until it is killed."""
    gc.collect()
    gc.freeze()
    gc.disable()
    async with asyncio.TaskGroup() as group:
        group.create_task(flushing())
        if role == "relay":
            group.create_task(relay(way, Path(more[0])))
        elif role == "reader":
            group.create_task(reader(int(more[0])))
        else:
            group.create_task(publisher(way, int(more[0]), Path(more[1]), float(more[2]), float(more[3])))


if __name__ == "__main__":
    asked = _play(*sys.argv[1:])
    if sys.argv[2].startswith("uvloop"):
        import uvloop

        uvloop.run(asked)
    else:
        asyncio.run(asked)
