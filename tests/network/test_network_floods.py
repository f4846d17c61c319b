"""Attacks on a relay by time and numbers: slow, greedy and many. Whoever behaves is served meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
from raw import Gone, context, dialled, session

from rsc_share import codec
from rsc_share.errors import Unavailable
from rsc_share.messages import Indicator
from rsc_share.relay.net import serving
from rsc_share.relay.net.limits import Limits
from rsc_share.session.table import Answer, Cancel, Failed
from rsc_share.testing.founding import HOST, Plan
from rsc_share.testing.loopback import LoopbackFramework

GREEN = "TLP:GREEN REL TO @members"
MAIN = f"{HOST}/test-framework/main"


def small(**limits: float) -> type[LoopbackFramework]:
    """A framework whose relay has these limits."""

    class Small(LoopbackFramework):
        pass

    Small.limits = replace(Limits(), **limits)
    return Small


def turned_away(fw: LoopbackFramework, code: str) -> float:
    return fw.meters.registry.get_sample_value("rsc_turned_away_total", {"code": code}) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    """Let the other side act until something holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)


async def test_attack_slow_loris_handshake() -> None:
    """Headers that never end, a WebSocket that never says who it is, TLS that never begins: none lives long."""
    async with small(greeting_seconds=0.3).create("EST", "LVA", "FIN", seed=7) as fw:
        reader, writer = await asyncio.open_connection("127.0.0.1", fw.server.port, ssl=context())
        writer.write(b"GET /v1/session HTTP/1.1\r\nHost: x\r\nX-")
        async with asyncio.timeout(30):
            assert await read_to_end(reader) == b""
        writer.close()
        plain, plain_writer = await asyncio.open_connection("127.0.0.1", fw.server.port)
        async with asyncio.timeout(30):
            assert await read_to_end(plain) == b""
        plain_writer.close()
        async with dialled(fw) as raw:
            with pytest.raises(Gone):
                await raw.frame()
        assert turned_away(fw, "greeting-timeout") == 2
        assert turned_away(fw, "tls-handshake") == 1
        assert fw.server.gate.waiting.total() == 0
        await fw.node("EST").engine.port(MAIN).logs()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except (ConnectionError, ssl.SSLError):
        return b""


async def test_attack_more_strangers_than_one_address_may_have_waiting() -> None:
    async with small(waiting_per_address=3).create("EST", "LVA", "FIN", seed=7) as fw:
        waiting = [await asyncio.open_connection("127.0.0.1", fw.server.port) for _ in range(3)]
        await until(lambda: fw.server.gate.waiting.total() == 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", fw.server.port)
        assert await read_to_end(reader) == b""
        assert turned_away(fw, "waiting-per-address") == 1
        for _, other in (*waiting, (reader, writer)):
            other.close()
        await until(lambda: fw.server.gate.waiting.total() == 0)
        assert not fw.server.gate.waiting, "an address that is gone is not remembered"
        assert fw.server.gate.connections == 3


async def test_attack_more_connections_than_there_are(fw: LoopbackFramework) -> None:
    fw.server.limit(replace(Limits(), connections=fw.server.gate.connections))
    reader, writer = await asyncio.open_connection("127.0.0.1", fw.server.port)
    assert await read_to_end(reader) == b""
    writer.close()
    assert turned_away(fw, "connections") == 1


async def test_attack_consumer_that_takes_nothing() -> None:
    """No credit for `stall_seconds`: cut off. It resumes by index: nothing was queued for it but one window."""
    async with small(stall_seconds=0.3).create("EST", "LVA", "FIN", seed=7) as fw:
        directory = fw.founded.charter.directory
        async with session(fw) as raw:
            for id in range(1, 33):
                await raw.call(id, "read", directory, 0, 512)
            error = await raw.ends("slow")
        assert isinstance(error, Unavailable)


async def test_attack_consumer_that_takes_nothing_and_goes_on_asking() -> None:
    """Faults need no credit and go out; they do not buy the answers before them more time."""
    async with small(stall_seconds=0.3).create("EST", "LVA", "FIN", seed=7) as fw:
        directory = fw.founded.charter.directory
        async with session(fw) as raw:
            for id in range(1, 25):
                await raw.call(id, "read", directory, 0, 512)

            async def ask() -> None:
                for id in itertools.count(100):
                    await raw.call(id, "read", "no origin", 0, 1)
                    await raw.send(Cancel(id))
                    await asyncio.sleep(0)

            asking = asyncio.create_task(ask())
            try:
                async with asyncio.timeout(15):
                    await raw.ends("slow")
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)


async def test_a_consumer_that_takes_its_answers_gets_all_of_them(
    fw: LoopbackFramework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the backlog allows at once: calls wait for room, and are not forgotten."""
    monkeypatch.setattr(serving, "BACKLOG", 1)
    directory = fw.founded.charter.directory
    async with session(fw) as raw:
        for id in range(1, 33):
            await raw.call(id, "read", directory, 0, 512)
        answered = set()
        while len(answered) < 32:
            frame = await raw.frame()
            data = codec.pack(frame.wire())
            if isinstance(frame, Answer):
                answered.add(frame.id)
            await raw.send(codec.pack(["credit", len(data)]))
        assert answered == set(range(1, 33))


async def test_attack_flood_of_refusals_keeps_other_sessions_served(fw: LoopbackFramework) -> None:
    """One node hands in rubbish as fast as it can; the others are answered meanwhile."""
    stop = asyncio.Event()

    async def flood() -> int:
        async with session(fw, "FIN/mod-1") as raw:
            entry = [b"rubbish" * 1_000, b"block", [], [], []]
            for id in range(1, 9):
                await raw.call(id, "submit", MAIN, [entry])
            count = 8
            while not stop.is_set() or count <= 20:
                answer = await raw.answer()
                if isinstance(answer, Answer):
                    count += 1
                    await raw.call(count, "submit", MAIN, [entry])
                    await raw.send(codec.pack(["credit", len(codec.pack(answer.wire()))]))
            return count

    flooding = asyncio.create_task(flood())
    try:
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        async with asyncio.timeout(30):
            await sent.receipt()
            await fw.node("LVA").engine.port(MAIN).logs()
    finally:
        stop.set()
    assert await flooding > 20
    refused = fw.meters.registry.get_sample_value("rsc_entries_total", {"log": MAIN, "code": "malformed"})
    assert refused is not None
    assert refused > 10


async def test_attack_cancel_storm(fw: LoopbackFramework) -> None:
    """Calls cancelled as soon as they are made leave nothing behind."""
    async with session(fw) as raw:
        for id in range(1, 500):
            await raw.call(id, "changed", {MAIN: 1 << 40}, {})
            await raw.send(Cancel(id))
            frame = await raw.answer()
            assert isinstance(frame, Answer | Failed)
        await raw.call(500, "logs")
        assert isinstance(await raw.answer(), Answer)


async def test_a_member_has_a_number_of_sessions() -> None:
    plan = Plan(members=("EST", "LVA", "FIN"), nodes={"EST": ("mod-1", "mod-2", "mod-3")}, seed=7)
    with pytest.raises(Unavailable) as found:
        async with small(sessions_per_member=2).of(plan):
            pass
    assert found.value.code == "sessions"
    assert found.value.retry_after == 60.0
