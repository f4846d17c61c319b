"""A relay in a process of its own for the benchmarks: TLS 1.3 on loopback, SQLite with every commit synced.

    python bench/served_relay.py FOLDER MEMBERS MILLISECONDS

FOLDER holds `tls.key` and `tls.crt`. The framework is founded from MEMBERS (codes, by commas) at MILLISECONDS (UTC), so
that its keys are those the benchmark makes for itself. Prints the port, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from rsc_share import collector
from rsc_share.crypto.tls import read_certificate
from rsc_share.node.identity import system_clock
from rsc_share.relay.net.journal import Silent
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.listener import bind
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.server import RelayServer
from rsc_share.relay.net.tls import server_context
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.testing.founding import HOST, Founded, Plan, found


def framework(members: tuple[str, ...], pin: str, now: int) -> Founded:
    return found(Plan(framework="bench", members=members, tls_pins=(pin,)), now)


async def serve(folder: Path, members: tuple[str, ...], now: int) -> None:
    pin = read_certificate((folder / "tls.crt").read_bytes())[0]
    founded = framework(members, pin, now)
    store = await asyncio.to_thread(SqliteStore.open, folder / "store")
    relay = await Relay.open(
        store,
        host=HOST,
        framework_id=founded.framework_id,
        keys=LogKeys(*founded.log_keys),
        clock=system_clock,
    )
    async with relay:
        await relay.found(*founded.genesis())
        context = server_context(folder / "tls.crt", folder / "tls.key")
        server = RelayServer(relay, context, Limits(), Office(Meters(), Silent()))
        await server.start(bind("127.0.0.1", 0))
        collector.freeze()  # as the process of an operator does
        print(server.port, flush=True)
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        while not ended.done():
            await relay.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), 1.0)
        await server.drain()
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), tuple(sys.argv[2].split(",")), int(sys.argv[3])))
