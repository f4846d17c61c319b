"""The relay's public face: sessions and reads on one TLS port.

server = RelayServer(relay, context, Limits(), Office(meters, journal))
await server.start(bind("0.0.0.0", 8443))
...
await server.drain()
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from rsc_share.errors import RemoteError, RscError, StorageError, Unavailable
from rsc_share.relay.blobs import BlobLimits
from rsc_share.relay.live import LiveLog
from rsc_share.relay.net import blobs, reads
from rsc_share.relay.net.blobs import Alive, BlobDoor
from rsc_share.relay.net.bucket import Bucket
from rsc_share.relay.net.gate import Gate, Guard
from rsc_share.relay.net.journal import Throttle
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.listener import Listener
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.serving import Serving
from rsc_share.relay.net.sessions import Opened, Sessions
from rsc_share.relay.net.who import prove
from rsc_share.relay.service import Relay
from rsc_share.session.fault import Fault
from rsc_share.session.relay_side import RelaySide
from rsc_share.session.table import MAX_FRAME, Greeting, Hello
from rsc_share.session.token import NONCE

Serve = Callable[[web.Request, Alive], Awaitable[web.StreamResponse]]
PATH = "/v1/session"
MAX_LINE, MAX_FIELD, MAX_HEADERS = 2_048, 4_096, 32
"""Characters of a request's first line and of one header, and how many headers: all that a stranger gets."""
KEEPALIVE_SECONDS = 30.0
CLEANUP_SECONDS = 5.0
SWEEP = 60_000
"""ms between two looks at who may still be here."""


class RelayServer:
    """Serves `relay` until `drain`. It does not own the relay."""

    def __init__(self, relay: Relay, context: ssl.SSLContext, limits: Limits, office: Office) -> None:
        self._relay, self._context, self._office = relay, context, office
        self._meters, self._journal = office.meters, office.journal
        self._refusals = Throttle()
        self.gate, self.sessions = Gate(limits), Sessions(relay, limits)
        relay.quotas.rates, relay.quotas.told = limits.rates, office.meters.limited
        if relay.blobs is not None:
            relay.blobs.told = office.meters.gone
        self._draining = False
        self._listener: Listener | None = None
        self._watch: asyncio.Task[None] | None = None
        app = web.Application()
        app.router.add_get(PATH, self._session)
        self._blobs = BlobDoor(relay, Bucket(limits.blob_bytes_per_second), office.meters.moved)
        app.router.add_put(blobs.PATH, self._blob_put)
        app.router.add_get(blobs.PATH, self._blob_get)
        app.router.add_get(f"{blobs.PATH}/upload", self._blob_held)
        app.router.add_get("/{framework}/{channel}/checkpoint", self._checkpoint)
        app.router.add_get("/{framework}/{channel}/tile/{path:.+}", self._tile)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=CLEANUP_SECONDS,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
        )

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return 0 if self._listener is None else self._listener.port

    def limit(self, limits: Limits) -> None:
        """New limits: for whoever comes from now on."""
        self.gate.limits = self.sessions.limits = limits
        self._blobs.bucket.rate = limits.blob_bytes_per_second
        self._relay.quotas.rates = limits.rates
        if self._relay.blobs is not None:
            self._relay.blobs.limit(BlobLimits(limits.blob_bytes_per_member))

    async def start(self, listening: socket.socket) -> None:
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise RuntimeError("aiohttp made no server")
        self._listener = Listener(listening, self._context, self.gate, server, self._meters.turned_away)
        self._watch = asyncio.create_task(self._sweep(), name="sweep sessions")

    async def drain(self) -> None:
        """Accept nobody, let what is under way be answered, and close. Takes at most `drain_seconds`."""
        self._draining = True
        if self._listener is not None:
            await self._listener.stop()
        for opened in self.sessions:
            opened.serving.goaway("the relay is going down")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.gate.limits.drain_seconds):
                await asyncio.gather(*(opened.serving.quiet() for opened in self.sessions))
        for opened in self.sessions:
            opened.serving.end(Unavailable("the relay is going down", code="draining", retry_after=1.0))
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._runner.cleanup()

    async def _sweep(self) -> None:
        """At every change of the directory, and once a minute: a certificate may have ended."""
        swept = (self._relay.directory.size, self._relay.now() // SWEEP)
        while True:
            bell = self._relay.bell.next()  # the relay's tick rings it once a second
            state = (self._relay.directory.size, self._relay.now() // SWEEP)
            if state != swept:
                swept = state
                self.sessions.sweep()
            await bell.wait()

    # --- sessions

    async def _session(self, request: web.Request) -> web.StreamResponse:
        limits = self.gate.limits
        beat = limits.heartbeat_seconds
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME + 1, heartbeat=beat, decode_text=False)
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="a WebSocket is served here\n")
        await socket.prepare(request)
        relay = self._relay
        hello = Hello(os.urandom(NONCE), relay.host, relay.now(), limits.calls, limits.call_bytes)
        serving = Serving(socket, RelaySide(hello), limits, self._office)
        opened: Opened | None = None
        try:
            opened = await self._greeted(serving)
            if opened is not None:
                await self._serve(opened, request)
        except RscError as error:
            code = await serving.close(error)
            if self._refusals.allows(self._relay.now()):
                left_out = self._refusals.left_out()
                self._journal.warning(
                    "session refused", code=code, what=error.what, peer=request.remote, left_out=left_out
                )
        except OSError:
            self._meters.ended("left")  # gone before its session was open
        finally:
            if opened is not None:
                self.sessions.leave(opened)
        return socket

    async def _greeted(self, serving: Serving) -> Opened | None:
        """Hello, token, proof. Raises what is wrong; None for somebody who left."""
        await serving.flush()
        data = await serving.frame()
        if data is None:
            return None
        greeting = serving.side.receive(data)
        if not isinstance(greeting, Greeting):
            raise RemoteError("a session begins with a greeting", code="unexpected")
        if self._draining:
            raise Unavailable("the relay is going down", code="draining", retry_after=1.0)
        token, key = prove(self._relay, greeting.token, "session", serving.side.hello.nonce)
        opened = Opened(token, key, serving, self._relay.now())
        self.sessions.enter(opened)
        serving.heads = greeting.heads
        return opened

    async def _serve(self, opened: Opened, request: web.Request) -> None:
        node, serving = opened.token.node, opened.serving
        guard = request.transport.get_protocol() if request.transport is not None else None
        if isinstance(guard, Guard):
            guard.admit()
        session = self._relay.session(node)
        own = await session.greeted(serving.heads)
        serving.side.welcome({log: (head.seq, head.header_hash, head.index) for log, head in own.items()})
        self._journal.info("session open", node=node, peer=request.remote)
        why = await serving.run(session)
        session.access.cut("the session is over")
        if why is not None:
            code = await serving.close(why)
            tell = self._journal.error if code in ("cloned", "internal") else self._journal.warning
            tell("session closed", node=node, code=code, what=why.what if isinstance(why, RscError) else repr(why))
        else:
            self._meters.ended("left")
            self._journal.info("session left", node=node)

    # --- reads

    async def _checkpoint(self, request: web.Request) -> web.StreamResponse:
        try:
            log = self._log(request)
            return reads.checkpoint(log)
        except RscError as error:
            return self._turned_away(error)

    async def _tile(self, request: web.Request) -> web.StreamResponse:
        try:
            log = self._log(request)
            return await reads.tile(log, request.match_info["path"])
        except RscError as error:
            return self._turned_away(error)

    async def _blob_held(self, request: web.Request) -> web.StreamResponse:
        return await self._blob(request, self._blobs.held)

    async def _blob_put(self, request: web.Request) -> web.StreamResponse:
        return await self._blob(request, self._blobs.put)

    async def _blob_get(self, request: web.Request) -> web.StreamResponse:
        return await self._blob(request, self._blobs.get)

    async def _blob(self, request: web.Request, serve: Serve) -> web.StreamResponse:
        guard = request.transport.get_protocol() if request.transport is not None else None

        def alive() -> None:
            if isinstance(guard, Guard):
                guard.again(self.gate.limits.stall_seconds)  # it stays among those who wait: no session bounds it

        try:
            if self._draining:
                raise Unavailable("the relay is going down", code="draining", retry_after=1.0)
            return await serve(request, alive)
        except StorageError as error:
            self._journal.error("blob failed", code=error.code, what=error.what)
            return self._turned_away(Unavailable("the relay's disk fails", code="not-ready", retry_after=60.0))
        except RscError as error:
            return self._turned_away(error)

    def _log(self, request: web.Request) -> LiveLog:
        """The log that is asked for; its reader gets as long for the answer as a session would."""
        log = reads.log_of(self._relay, request)
        guard = request.transport.get_protocol() if request.transport is not None else None
        if isinstance(guard, Guard):
            guard.again(self.gate.limits.stall_seconds)
        return log

    def _turned_away(self, error: RscError) -> web.Response:
        self._meters.turned_away(Fault.of(error).code)
        response = reads.refused(error)
        response.force_close()  # a second guess costs a second handshake
        return response
