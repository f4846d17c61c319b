"""A relay as a process: opens everything or nothing, runs until it is told to stop, reloads all or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from rsc_share import collector, notify
from rsc_share.charter.model import Relay as Named
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.tls import read_certificate
from rsc_share.errors import LocalError, RscError
from rsc_share.relay.net.console.routes import Console
from rsc_share.relay.net.console.watch import Watch
from rsc_share.relay.net.disk import Disk
from rsc_share.relay.net.front import TimedStore
from rsc_share.relay.net.health import ClockGuard, Health
from rsc_share.relay.net.journal import Journal
from rsc_share.relay.net.listener import bind
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.news import News
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.server import RelayServer
from rsc_share.relay.net.settings import MEMORY, RELOADABLE, Settings
from rsc_share.relay.net.stores import opened_blobs, opened_heads, opened_store
from rsc_share.relay.net.tls import load_keys, server_context
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.room import enough
from rsc_share.relay.service import Relay

TICK_SECONDS = 1.0
Founding = tuple[bytes, Mapping[bytes, bytes]]
"""The directory object of charter version 1 and its bodies."""


@dataclass(slots=True)
class Running:
    """What a reload changes and a stop ends."""

    relay: Relay
    server: RelayServer
    health: Health
    context: ssl.SSLContext
    guard: ClockGuard
    watch: Watch


class Process:
    """`read` gives the settings as the file says now; `level` sets what is logged. `clock` gives ms UTC."""

    def __init__(
        self,
        read: Callable[[], Settings],
        keys: LogKeys,
        clock: Callable[[], int],
        journal: Journal,
        level: Callable[[str], None],
    ) -> None:
        self._read, self._keys, self._clock, self._journal, self._level = read, keys, clock, journal, level
        self._settings = read()
        self._stop = asyncio.Event()

    async def run(self, founding: Founding | None = None, *, restored: bool = False) -> None:
        """Until SIGTERM or SIGINT. `restored`: the store is a copy, and there are no outside heads.

        Raises what kept it from starting, or the `StorageError` that stopped a log.
        """
        async with self._running(founding, restored) as running:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop, number.name)
            loop.add_signal_handler(signal.SIGHUP, self.reload, running)
            self._journal.info(
                "serving",
                host=self._settings.host,
                port=running.server.port,
                logs={log: str(state) for log, state in running.relay.states().items()},
            )
            collector.freeze()
            async with notify.serving(lambda: running.relay.working):
                await self._tick(running)
            self._journal.info("draining", sessions=len(running.server.sessions))
        failure = running.relay.failure
        if failure is not None:
            self._journal.error("stopped", code=failure.code, what=failure.what)
            raise failure
        self._journal.info("stopped")

    def stop(self, why: str) -> None:
        self._stop.set()  # first: it stops also where the log takes no line any more
        self._journal.info("asked to stop", why=why)

    @asynccontextmanager
    async def _running(self, founding: Founding | None, restored: bool) -> AsyncIterator[Running]:
        settings, meters = self._settings, Meters()
        context = server_context(settings.tls_certificate, settings.tls_key)
        pin, end = read_certificate(_bytes(settings.tls_certificate))
        async with AsyncExitStack() as stack:
            listening = bind(settings.listen.address, settings.listen.port)
            stack.callback(listening.close)
            kept = await stack.enter_async_context(opened_store(settings, self._journal))
            disk = None if settings.store == MEMORY else Disk(Path(settings.store))
            store = TimedStore(kept, meters.committed)
            heads = await asyncio.to_thread(opened_heads, settings)
            if heads is not None:
                stack.callback(heads.close)
            relay = await Relay.open(
                store,
                host=settings.host,
                framework_id=settings.charter,
                keys=self._keys,
                clock=self._clock,
                blobs=await asyncio.to_thread(opened_blobs, settings, self._clock),
                outside=heads,
                restored=restored,
                room=enough if disk is None else disk.room,
            )
            await stack.enter_async_context(relay)
            if founding is not None:
                await relay.found(*founding)
            self._fits(relay, pin)
            guard = ClockGuard(self._clock)
            office = Office(meters, self._journal, lambda: not guard.off)
            server = RelayServer(relay, context, settings.limits, office)
            health = Health(relay, meters, guard, server.sessions, lambda: server.gate.connections, disk)
            health.certificate_end = end
            watch = Watch(relay, server, meters, health, guard, disk)
            await self._serve_health(stack, health, watch)
            await server.start(listening)
            stack.push_async_callback(server.drain)
            yield Running(relay, server, health, context, guard, watch)

    async def _serve_health(self, stack: AsyncExitStack, health: Health, watch: Watch) -> None:
        settings = self._settings
        if settings.health is None:
            return
        listening = bind(settings.health.address, settings.health.port)
        stack.callback(listening.close)
        app = web.Application()
        app.add_routes(health.routes())
        if settings.console != "off":
            everybody = settings.console == "health"
            app.add_routes(Console(watch.state, settings.health.address, everybody=everybody).routes())
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listening).start()
        self._journal.info("health", port=listening.getsockname()[1])

    def _fits(self, relay: Relay, pin: str) -> None:
        """The keys here are those the charter names. Others would sign what nobody believes, or serve nobody."""
        if not relay.directory.size:
            # Found again, a relay that mistook its folder would sign a second history of every log it has.
            advice = (
                "a relay that has served before is not founded again: correct `store`, or put the store back; "
                "a new one logs charter version 1 once: `relay run relay.toml --found PACKET`"
            )
            raise LocalError("this store has no charter yet", code="no-charter", advice=advice)
        view = relay.view
        named = _relay_of(view, relay.host)
        held = (self._keys.ed25519.public.fingerprint, self._keys.mldsa44.public.fingerprint)
        if named.log_keys != held:
            advice = "open the keystore that `relay init` made for this charter"
            raise LocalError("the charter names other log keys than the keystore holds", code="log-keys", advice=advice)
        _pinned(view, relay.host, pin)

    async def _tick(self, running: Running) -> None:
        """What time alone causes, once a second, until somebody says stop or a log's store has failed."""
        news = News(running.relay, running.guard, self._journal)
        while running.relay.failure is None:
            await running.relay.tick()
            news.look()
            running.watch.sample()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._stop.wait()
                    return

    def reload(self, running: Running) -> None:
        """SIGHUP: read the whole file; take all of what may change, or keep everything."""
        try:
            new = self._read()
            server_context(new.tls_certificate, new.tls_key)  # first into a context that nobody uses
            pin, end = read_certificate(_bytes(new.tls_certificate))
            _pinned(running.relay.view, running.relay.host, pin)
        except RscError as error:
            problems = list(getattr(error, "problems", ())) or [error.what]
            self._journal.error("not reloaded: everything stays as it was", problems=problems)
            return
        load_keys(running.context, new.tls_certificate, new.tls_key)
        running.health.certificate_end = end
        running.server.limit(new.limits)
        self._level(new.log_level)
        self._journal.info("reloaded", changed=list(RELOADABLE), needs_restart=self._settings.needs_restart(new))


def _relay_of(view: DirectoryView, host: str) -> Named:
    found = view.charter.relays.get(host)
    if found is None:
        raise LocalError(f"the charter names no relay {host}", code="host", advice="write `host` as the charter does")
    return found


def _pinned(view: DirectoryView, host: str, pin: str) -> None:
    pins = _relay_of(view, host).tls_pins
    if pins and pin not in pins:
        advice = "use the key the charter pins, or amend the charter first"
        raise LocalError(f"the charter does not pin this TLS key ({pin})", code="tls-pin", advice=advice)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror}", code="tls") from None
