"""One relay, one WebSocket: dials, proves who this node is, carries calls, and dials again when it is cut off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from rsc_share.bell import Bell
from rsc_share.errors import LocalError, RemoteError, RscError, Unavailable
from rsc_share.node.connect import MOST_RETRY_SECONDS, Pins
from rsc_share.node.identity import Identity, World
from rsc_share.node.net.address import Address
from rsc_share.node.net.backoff import Backoff
from rsc_share.node.net.dial import DIAL_SECONDS, dialled, why
from rsc_share.session.calls import Own
from rsc_share.session.fault import Fault
from rsc_share.session.node_side import Answered, NodeSide, Opened
from rsc_share.session.table import Error, Failed, Goaway, Hello
from rsc_share.session.token import INSTANCE, Token, Use

START_SECONDS = 5.0
"""A start waits so long for a relay: afterwards the node is offline, and connects when it can."""
TOKEN_SECONDS = 30

Pause = Callable[[float], Awaitable[object]]
_CUT = Fault("unavailable", "cut-off", "there is no session with the relay")


class Link:
    """Kept by one task. `pause` is how it waits between two dials: `asyncio.sleep`, or what a test gives."""

    def __init__(self, address: Address, identity: Identity, world: World, pause: Pause = asyncio.sleep) -> None:
        self.address, self._identity, self._world, self._pause = address, identity, world, pause
        self.instance = world.random(INSTANCE)
        """Of this process: a relay that sees an old one come back knows that this node runs twice."""
        self.heads: Mapping[str, int] = {}
        """Witness heads to name in the next hello."""
        self.sessions = 0
        """How many have been opened."""
        self.own: Mapping[str, Own] = {}
        """This node's newest entry in every log, as the relay said when the session opened."""
        self._pins: Pins = tuple
        self._backoff = Backoff(world.random)
        self._side: NodeSide | None = None
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._wake = asyncio.Event()
        self._why = _CUT
        self._bell = Bell()
        self._open = False
        self._task: asyncio.Task[None] | None = None

    # --- life

    def trust(self, pins: Pins) -> None:
        """Ask `pins` at every dial; the address's own count while that is nobody."""
        self._pins = pins

    async def start(self) -> None:
        """As `begin`; raises `Unavailable`, too, and gives up, where nobody answers the first dial."""
        await self.begin()
        error = self.failure
        if isinstance(error, Unavailable):
            await self.aclose()
            raise error

    async def begin(self) -> None:
        """Dial, and go on dialling. Returns when the first dial has ended, or takes longer than START_SECONDS.

        Raises `LocalError` (`no-pin`), and `RemoteError` (`wrong-pin`) for a stranger: a node must not be started
        against one. A relay that is away may come later, and one that turns this node away says so to its calls.
        """
        self.trusted()
        bell = self._bell.next()
        self._task = asyncio.create_task(self._run(), name=f"link {self.address.host}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), START_SECONDS)
        error = self._why.error()
        if not self._open and error.code == "wrong-pin":
            await self.aclose()
            raise error

    @property
    def failure(self) -> RscError | None:
        """Why there is no session now."""
        return None if self._open else self._why.error()

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def is_open(self) -> bool:
        return self._open

    async def opened(self) -> None:
        """Return when there is a session; at once if there is one."""
        while not self._open:
            bell = self._bell.next()
            if not self._open:
                await bell.wait()

    async def call(self, name: str, body: bytes, rank: str) -> bytes:
        """The answer's bytes. Raises what the relay raised, or why there is no session."""
        if self._side is None or not self._open:
            raise self._why.error()
        side, answer = self._side, asyncio.get_running_loop().create_future()
        id = side.call(name, body, rank)
        self._calls[id] = answer
        self._wake.set()
        try:
            found: bytes = await answer
        except asyncio.CancelledError:
            if side is self._side:
                side.cancel(id)
                self._wake.set()
            raise
        finally:
            if side is self._side:
                self._calls.pop(id, None)
        return found

    # --- the task

    async def _run(self) -> None:
        while True:
            try:
                await self._session()
            except RscError as error:
                self._why = _local(error) if isinstance(error, LocalError) else Fault.of(error)
            except (OSError, TimeoutError, aiohttp.ClientError) as error:
                what = f"{self.address.host} does not answer: {why(error)}"
                self._why = Fault("unavailable", "cut-off", what[:1000])
            except Exception as error:  # noqa: BLE001 - a node that stopped dialling for a bug would be silent for ever
                self._why = Fault("unavailable", "bug", f"a bug in this node's link: {error!r}"[:1000])
            finally:
                self._over()
            retry = getattr(self._why.error(), "retry_after", None) or 0.0
            await self._pause(max(self._backoff.next(), min(retry, MOST_RETRY_SECONDS)))

    def _over(self) -> None:
        self._open, self._side = False, None
        calls, self._calls = self._calls, {}
        for answer in calls.values():
            if not answer.done():
                answer.set_exception(self._why.error())
                answer.exception()  # whoever waited may be gone: then it is nobody's
        self._bell.ring()

    def trusted(self) -> tuple[str, ...]:
        """The pins that count now. Raises `LocalError` (`no-pin`) where there are none."""
        pins = self._pins() or self.address.pins
        if not pins:
            what = f"no pin is known for {self.address.host}"
            raise LocalError(
                what, code="no-pin", advice="write it behind the address in node.toml: wss://HOST:PORT#PIN"
            )
        return pins

    async def _session(self) -> None:
        async with dialled(self.address.url, self.trusted()) as socket:
            await self._carry(socket)

    async def _carry(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._side = side = NodeSide()
        writer = asyncio.create_task(self._write(socket, side))
        reader = asyncio.create_task(self._read(socket, side))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            ended = await asyncio.gather(reader, writer, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        raise Unavailable("the relay closed the session", code="cut-off")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, side: NodeSide) -> None:
        async with asyncio.timeout(DIAL_SECONDS) as dialling:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.ERROR and isinstance(message.data, OSError | TimeoutError):
                    raise message.data  # no answer to a ping
                if message.type is not aiohttp.WSMsgType.BINARY:
                    raise RemoteError("the relay sent no frame", code="malformed")
                self._taken(side, side.receive(message.data))
                if self._open:
                    dialling.reschedule(None)
                self._wake.set()

    async def _write(self, socket: aiohttp.ClientWebSocketResponse, side: NodeSide) -> None:
        while True:
            self._wake.clear()
            while (frame := side.next_frame()) is not None:
                await socket.send_bytes(frame)
            await self._wake.wait()

    def _taken(self, side: NodeSide, event: object) -> None:
        if isinstance(event, Hello):
            self._greet(side, event)
        elif isinstance(event, Opened):
            self.own, self._open = event.heads, True
            self.sessions += 1
            self._backoff.reset()
            self._bell.ring()
        elif isinstance(event, Answered | Failed):
            self._answered(event)
        elif isinstance(event, Error):
            raise event.fault.error()
        elif isinstance(event, Goaway):
            self._why = Fault("unavailable", "draining", event.why or "the relay is going down")
            self._open = False  # what is under way is answered; new calls wait for the next session

    def _greet(self, side: NodeSide, hello: Hello) -> None:
        if hello.host != self.address.host:
            what = f"{self.address.server} says it is {hello.host}, not {self.address.host}"
            raise RemoteError(what, code="wrong-host", advice="correct the address in node.toml")
        side.greet(self.token("session", hello.nonce), self.heads)

    def token(self, use: Use, nonce: bytes | None = None) -> str:
        """A token for half a minute."""
        token = Token(
            node=self._identity.node,
            host=self.address.host,
            framework_id=self._identity.charter_digest,
            instance=self.instance,
            expires=self._world.now() // 1000 + TOKEN_SECONDS,
            nonce=nonce,
            use=use,
        )
        return token.signed(self._identity.signer)

    def _answered(self, event: Answered | Failed) -> None:
        answer = self._calls.get(event.id)
        if answer is None or answer.done():
            return  # its caller is gone
        if isinstance(event, Failed):
            answer.set_exception(event.fault.error())
        else:
            answer.set_result(event.body)


def _local(error: LocalError) -> Fault:
    """A node that has no pin cannot dial: for its calls that is a relay out of reach."""
    return Fault("unavailable", error.code, error.what, error.advice)
