"""How long a message takes through what somebody would use instead: one publisher here, one reader in its own process.

    python bench/peers_latency.py nats|sealedbox|redis KEYS       the reader; says `ready`, then `got DUE MS`

As in `latency.py`: sent when it is due, timed from then until the reader has it (for `sealedbox`: opened and verified).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey
from peers import PAYLOAD, eventually, nats_installed, redis_installed, running, stream, unheard
from sampling import Pace, flushing
from stage import Child

NATS, REDIS = "nats://127.0.0.1:14222", 16399
Send = Callable[[bytes], Awaitable[object]]


async def measured(rate: float, seconds: float) -> dict[str, list[float]]:
    """ms of each message, by what carried it."""
    plays = (
        ("NATS JetStream, sync always", nats_installed(), _nats_sender, "nats"),
        ("  and signed, SealedBox by hand", nats_installed(), _sealed_sender, "sealedbox"),
        ("Redis Streams, fsync always", redis_installed(), _redis_sender, "redis"),
    )
    found = {}
    for name, installed, sender, role in plays:
        if installed:
            async with sender() as (send, keys):
                found[name] = await _timed(send, role, keys, rate, seconds)
    return found


async def _timed(send: Send, role: str, keys: str, rate: float, seconds: float) -> list[float]:
    took: list[float] = []
    reader = await Child.of(__file__, role, keys, hear=lambda line: _hear(line, took))
    try:
        await reader.says("ready")
        began, count, pace = time.monotonic_ns(), int(rate * seconds), Pace()
        async with asyncio.TaskGroup() as group:
            for number in range(1, count + 1):
                due = began + int(number * 1e9 / rate)
                await pace.until(due)
                group.create_task(send(due.to_bytes(8, "big") + PAYLOAD))  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while len(took) < count:  # noqa: ASYNC110 - after the measurement
                await asyncio.sleep(0.05)
    finally:
        await reader.kill()
    return took


def _hear(line: str, took: list[float]) -> None:
    word, *rest = line.split()
    if word == "got":
        took.append(float(rest[1]))


# --- publishers


@asynccontextmanager
async def _nats_sender() -> AsyncIterator[tuple[Send, str]]:
    async with stream() as (client, subject):
        js = client.jetstream()
        yield (lambda data: js.publish(subject, data)), "-"


@asynccontextmanager
async def _sealed_sender() -> AsyncIterator[tuple[Send, str]]:
    signer, key = SigningKey.generate(), PrivateKey.generate()
    box = SealedBox(PublicKey(bytes(key.public_key)))
    async with stream() as (client, subject):
        js = client.jetstream()
        keys = bytes(key).hex() + bytes(signer.verify_key).hex()
        yield (lambda data: js.publish(subject, box.encrypt(bytes(signer.sign(data))))), keys


@asynccontextmanager
async def _redis_sender() -> AsyncIterator[tuple[Send, str]]:
    import redis.asyncio as redis

    with TemporaryDirectory(prefix="redis-") as folder:
        command = ["redis-server", "--port", str(REDIS), "--dir", folder, "--appendonly", "yes", "--save", ""]
        async with running(*command, "--appendfsync", "always"):
            client = redis.Redis(port=REDIS)
            await eventually(client.ping)
            try:
                yield (lambda data: client.xadd("bench", {b"d": data})), "-"
            finally:
                await client.aclose()


# --- readers


def _tell(data: bytes) -> None:
    due = int.from_bytes(data[:8], "big")
    print("got", due, (time.monotonic_ns() - due) / 1e6)


async def _read_nats(take: Callable[[bytes], bytes]) -> None:
    import nats

    client = await eventually(lambda: nats.connect(NATS, error_cb=unheard))
    reader = await client.jetstream().subscribe("bench", durable="reader")
    print("ready", flush=True)
    async for message in reader.messages:
        _tell(take(message.data))
        await message.ack()


async def _read_redis() -> None:
    import redis.asyncio as redis

    client: Any = redis.Redis(port=REDIS)
    print("ready", flush=True)
    last = b"0"
    for _ in itertools.count():
        for _, entries in await client.xread({"bench": last}, count=64, block=10_000):
            for _, fields in entries:
                _tell(fields[b"d"])
            last = entries[-1][0]


async def _read(role: str, secret: str) -> None:
    """Until it is killed."""
    take = bytes if role in ("nats", "redis") else _opener(secret)
    async with asyncio.TaskGroup() as group:
        group.create_task(flushing())
        group.create_task(_read_redis() if role == "redis" else _read_nats(take))


def _opener(keys: str) -> Callable[[bytes], bytes]:
    box, signer = SealedBox(PrivateKey(bytes.fromhex(keys[:64]))), VerifyKey(bytes.fromhex(keys[64:]))
    return lambda data: signer.verify(box.decrypt(data))


if __name__ == "__main__":
    role, secret = sys.argv[1:3]
    asyncio.run(_read(role, secret))
