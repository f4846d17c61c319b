"""`/livez`, `/readyz`, `/metrics`, on an address of their own: they ask for no token, and tell strangers too much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from rsc_share.errors import RscError
from rsc_share.relay.commit import is_directory
from rsc_share.relay.live import LiveLog, State
from rsc_share.relay.net.disk import Disk
from rsc_share.relay.net.meters import Gauges, Meters
from rsc_share.relay.service import Relay
from rsc_share.rulebook.witnesses import fresh

ANSWER_SECONDS = 5.0
CLOCK_STEP = 2_000
"""ms that the wall clock may move against the monotonic one before the relay says `clock`."""
DAY = 86_400_000


class Crowd(Protocol):
    """How many there are."""

    def __len__(self) -> int: ...


class ClockGuard:
    """Compares wall and monotonic clock since it was made. `logged_at` decides certificates: a step is no small thing.

    `step` heals by itself when the clock comes back; a start takes the wall clock as it is.
    """

    def __init__(self, wall: Callable[[], int], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset = wall() - monotonic() * 1000

    @property
    def step(self) -> float:
        """Seconds that the wall clock has moved of its own."""
        return (self._wall() - self._monotonic() * 1000 - self._offset) / 1000

    @property
    def off(self) -> bool:
        return abs(self.step) * 1000 > CLOCK_STEP


class Health:
    """What a relay says about itself."""

    def __init__(
        self,
        relay: Relay,
        meters: Meters,
        guard: ClockGuard,
        sessions: Crowd,
        connections: Callable[[], int],
        disk: Disk | None = None,
    ) -> None:
        """`disk` is None for a store in memory."""
        self._relay, self._meters, self._guard = relay, meters, guard
        self._sessions, self._connections, self._disk = sessions, connections, disk
        self.certificate_end = 0
        """ms UTC at which the TLS certificate ends."""
        meters.registry.register(Gauges(self._gauges))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ]

    async def _livez(self, _: web.Request) -> web.Response:
        """The loop answers, and so do the committing tasks and the store. Never about peers or disk space: a restart
        heals neither."""
        if not self._relay.working:
            return web.Response(status=503, text="a committing task has ended\n")
        try:
            await asyncio.wait_for(self._relay.store.logs(), ANSWER_SECONDS)
        except (RscError, TimeoutError) as error:
            return web.Response(status=503, text=f"the store does not answer: {error}\n")
        return web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        states = self.states()
        ready = bool(states) and all(state == State.READY for state in states.values())
        return web.json_response({"ready": ready, "logs": states}, status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._meters.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def states(self) -> Mapping[str, str]:
        """Every log: its state, and where that is `ready` perhaps `clock`, `directory-stale` or `no-space`."""
        return {origin: self._state(log) for origin, log in self._relay.logs.items()}

    def _state(self, log: LiveLog) -> str:
        if log.state is not State.READY:
            return str(log.state)
        if self._guard.off:
            return "clock"
        quorum = self._relay.witnessed
        if quorum is None or not fresh(self._relay.view, quorum.time, self._relay.now()):
            return "directory-stale"
        if self._relay.room().refuses and not is_directory(log.origin):
            return "no-space"
        return str(State.READY)

    def _gauges(self) -> Iterable[tuple[str, str, str, Iterable[tuple[str, float]]]]:
        now, logs = self._relay.now(), self._relay.logs.items()
        witnessed = [(origin, log.witnessing.quorum) for origin, log in logs]
        ages = [(origin, (now - quorum.time) / 1000) for origin, quorum in witnessed if quorum is not None]
        sizes = [(origin, float(quorum.size)) for origin, quorum in witnessed if quorum is not None]
        days = (self.certificate_end - now) / DAY
        yield "rsc_log_size", "Entries that are shown.", "log", [(origin, float(log.size)) for origin, log in logs]
        yield "rsc_witnessed_size", "Entries in the newest tree that k members cosigned.", "log", sizes
        yield "rsc_witness_age_seconds", "Age of that quorum.", "log", ages
        states = self.states().items()
        yield "rsc_log_ready", "1 where entries are taken.", "log", [(log, float(s == "ready")) for log, s in states]
        yield "rsc_sessions", "Open sessions.", "", [("", float(len(self._sessions)))]
        yield "rsc_connections", "Open connections.", "", [("", float(self._connections()))]
        yield "rsc_clock_step_seconds", "What the wall clock moved of its own.", "", [("", self._guard.step)]
        space = None if self._disk is None else self._disk.look()
        if space is not None:
            yield "rsc_free_bytes", "Free on the store's file system.", "", [("", float(space.free))]
            yield "rsc_wal_bytes", "Size of the write-ahead file.", "", [("", float(space.wal))]
            yield "rsc_ballast_bytes", "What can be given away on a full disk.", "", [("", float(space.ballast))]
        if self._relay.blobs is not None:
            held = self._relay.blobs.held_now()
            yield "rsc_blobs", "Attachments that are whole here.", "", [("", float(held.whole))]
            yield "rsc_blobs_held_bytes", "Their bytes.", "", [("", float(held.bytes))]
            yield "rsc_blobs_coming", "Uploads that are not whole yet.", "", [("", float(held.coming))]
        yield "rsc_certificate_days", "Days until the TLS certificate ends.", "", [("", days)]
