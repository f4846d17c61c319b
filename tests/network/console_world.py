"""A relay with its console on a port of its own: four nodes over TLS, time in the test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web

from rsc_share.relay.net.console.routes import Console
from rsc_share.relay.net.console.state import CodeRow, DiskRow, LogRow, SessionRow, State
from rsc_share.relay.net.console.watch import Watch
from rsc_share.relay.net.disk import Disk
from rsc_share.relay.net.health import ClockGuard, Health
from rsc_share.relay.net.listener import bind
from rsc_share.relay.room import Room
from rsc_share.testing.clock import START, Clock
from rsc_share.testing.founding import HOST, ChannelPlan, Plan
from rsc_share.testing.loopback import LoopbackFramework

MEMBERS = ("EST", "FIN", "LVA", "SWE")
CHANNELS = ("counter-terrorism", "cyber", "disasters")
DAYS = 86_400_000
GIB = 1 << 30
ROW = LogRow("relay.example/f/cyber", "ready", False, 12_345, 12_300, 2_000, 3.5, ((1.0, 2.0), (0.0, 5.0)), 9, 2.0, 5.0)
DIRECTORY = replace(ROW, log="relay.example/f/directory", directory=True)
GOOD = State(
    at=START,
    host="relay.example",
    logs=(DIRECTORY, ROW),
    witness_age_most=225_000,
    sessions=(SessionRow("EST", "EST/mod-1", START - 90_000, 2_048),),
    refused=(CodeRow("stale-head", 7, 2),),
    turned_away=(),
    ended=(),
    connections=1,
    durable=True,
    disk=DiskRow(50 * GIB, 100 * GIB, 50.0, GIB, 4_096, Room.ENOUGH),
    clock_step=0.001,
    clock_off=False,
    certificate_days=365.0,
    kept_seconds=300.0,
)


def log(channel: str) -> str:
    return f"{HOST}/test-framework/{channel}"


@dataclass
class World:
    """`steady` is what the relay takes for its monotonic clock; `skew` seconds the wall clock has moved of its own."""

    fw: LoopbackFramework
    watch: Watch
    health: Health
    clock: Clock
    port: int
    skew: list[float]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/console"

    async def second(self, entries: int = 0, channel: str = "cyber") -> None:
        """A second passes in which so many entries are logged."""
        from rsc_share.messages import Indicator

        node = self.fw.node("EST").channel(channel)
        sent = [
            await node.publish(
                Indicator(pattern=f"{self.clock.now} {n}", stix_id="i"), label="TLP:GREEN REL TO @members"
            )
            for n in range(entries)
        ]
        for number, each in enumerate(sent):
            await each.receipt()
            self.fw.meters.committed(log(channel), 0.0015 + 0.0002 * number)  # the framework's store is not timed
        self.clock.advance(seconds=1)
        self.watch.sample()


@asynccontextmanager
async def world(folder: Path | None, *, everybody: bool = False) -> AsyncIterator[World]:
    """`folder` None: a store in memory. The framework's own store is in memory whatever is said here."""
    plan = Plan(members=MEMBERS, channels=tuple(map(ChannelPlan, CHANNELS)), seed=3)
    skew = [0.0]
    async with LoopbackFramework.of(plan) as fw:
        clock, relay, server = fw.clock, fw.relay_service, fw.server

        def steady() -> float:
            return clock.now / 1000 - skew[0]

        guard, disk = ClockGuard(clock, steady), None if folder is None else Disk(folder)
        health = Health(relay, fw.meters, guard, server.sessions, lambda: server.gate.connections, disk)
        health.certificate_end = clock.now + 365 * DAYS
        watch = Watch(relay, server, fw.meters, health, guard, disk, steady)
        app = web.Application()
        app.add_routes(Console(watch.state, "relay-admin.example", everybody=everybody).routes())
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        listening = bind("127.0.0.1", 0)
        try:
            await web.SockSite(runner, listening).start()
            watch.sample()
            yield World(fw, watch, health, clock, listening.getsockname()[1], skew)
        finally:
            await runner.cleanup()
            listening.close()
