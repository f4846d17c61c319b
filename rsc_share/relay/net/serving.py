"""One open session: reads frames, works on a few calls at a time, writes what the node has credit for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web

from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import RemoteError, RscError, Unavailable
from rsc_share.relay.net import calls
from rsc_share.relay.net.limits import BACKLOG, RUNNING, Limits
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.stall import Stall
from rsc_share.relay.session import Session
from rsc_share.session.fault import Fault
from rsc_share.session.relay_side import Called, RelaySide
from rsc_share.session.table import Cancel

CLOSE_CODES = {
    "malformed": 4400,
    "unexpected": 4400,
    "version": 4400,
    "token": 4401,
    "bad-signature": 4401,
    "unknown-sender": 4401,
    "revoked": 4403,
    "sessions": 4403,
    "slow": 4408,
    "fenced": 4409,
    "cloned": 4410,
    "credit": 4429,
    "draining": 1001,
}
OTHER = 4500
SEND_SECONDS = 5.0
"""For the last frame: whoever does not take it is closed all the same."""
WAITS = "changed"
"""The one call that may take for ever; it is no work."""


class Serving:
    """The tasks of one WebSocket. `end` closes it from outside, with a reason the node is told."""

    def __init__(self, socket: web.WebSocketResponse, side: RelaySide, limits: Limits, office: Office) -> None:
        self.side, self._socket, self._limits, self._office = side, socket, limits, office
        self.heads: Mapping[str, int] = {}
        """The witness heads that came with the token."""
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._gone = False
        self._waiting: list[Called] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._running = 0
        self._watching: int | None = None
        """The call that waits for news: one is no work, more of them are."""
        self._ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    # --- before anybody has proved anything

    async def frame(self) -> bytes | None:
        """The next message; None where the line is gone. Raises `RemoteError` for a text message or a broken one."""
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            data: bytes = message.data
            return data
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
            return None
        if message.type is WSMsgType.ERROR:
            if isinstance(message.data, OSError | TimeoutError):  # no answer to a ping
                return None
            raise RemoteError("not a WebSocket message, or one above the limit", code="malformed")
        raise RemoteError("a frame is a binary message", code="malformed")

    async def flush(self) -> None:
        """Send what may leave now."""
        while (frame := self.side.next_frame()) is not None:
            await self._socket.send_bytes(frame)

    async def close(self, error: Exception) -> str:
        """One error frame and the end; the code that was told."""
        code = Fault.of(error).code
        last = self.side.close(error)
        self._office.meters.ended(code)
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            async with asyncio.timeout(SEND_SECONDS):
                if not self._socket.closed:
                    await self._socket.send_bytes(last)
                    await self._socket.close(code=CLOSE_CODES.get(code, OTHER), message=code.encode())
        return code

    # --- open

    def end(self, error: Exception) -> None:
        """Close the session soon; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(error)

    async def quiet(self) -> None:
        """Return when nothing is under way but waiting for news."""
        while not self._gone and (self._running or self._waiting or self.side.backlog):
            self._moved.clear()
            await self._moved.wait()

    def goaway(self, why: str) -> None:
        self.side.goaway(why)
        self._wake.set()

    async def run(self, session: Session) -> Exception | None:
        """Until the node goes (None) or something ends it (why). Calls under way are cancelled; commits are not."""
        reader = asyncio.create_task(self._read(session))
        writer = asyncio.create_task(self._write(session))
        ends: set[asyncio.Future[Any]] = {reader, writer, self._ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return self._why(reader, writer)
        finally:
            self._gone = True
            pending = [reader, writer, *self._tasks.values()]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            self._moved.set()

    def _why(self, *tasks: asyncio.Task[None]) -> Exception | None:
        if self._ended.done():
            return self._ended.result()
        for error in (task.exception() for task in tasks if task.done()):
            if isinstance(error, Exception) and not isinstance(error, OSError):  # OSError: the line is gone
                return error
        return None

    async def _read(self, session: Session) -> None:
        while (data := await self.frame()) is not None:
            event = self.side.receive(data)
            if isinstance(event, Called):
                self._waiting.append(event)
                self._waiting.sort(key=lambda call: PRECEDENCES.index(call.rank))
                self._begin(session)
            elif isinstance(event, Cancel):
                self._cancel(event.id)
            self._wake.set()

    def _begin(self, session: Session) -> None:
        """Start what may start: a few at once, and none while its node leaves its answers lying."""
        for call in list(self._waiting):
            works = call.name != WAITS or self._watching is not None
            if works and (self._running >= RUNNING or self.side.backlog >= BACKLOG):
                continue
            self._waiting.remove(call)
            self._running += works
            if not works:
                self._watching = call.id
            task = asyncio.create_task(self._answer(session, call))
            self._tasks[call.id] = task
            task.add_done_callback(partial(self._over, session, call, works))

    def _over(self, session: Session, call: Called, works: bool, task: asyncio.Task[None]) -> None:
        if self._tasks.get(call.id) is task:  # a node may use the id of a cancelled call again
            del self._tasks[call.id]
        self._running -= works
        if not works:
            self._watching = None
        if not self._gone:
            self._begin(session)
        self._wake.set()
        self._moved.set()

    async def _answer(self, session: Session, call: Called) -> None:
        try:
            self.side.answer(call.id, await calls.run(session, call, self._office))
        except RscError as error:
            self.side.fault(call.id, error)
        except Exception as error:  # noqa: BLE001 - a bug: said in the log, and no session that answers half its calls
            self.end(error)

    def _cancel(self, id: int) -> None:
        """Answered here and not in its task, which may be cancelled before its first step."""
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
        self._waiting = [call for call in self._waiting if call.id != id]
        self.side.fault(id, Unavailable("cancelled", code="cancelled"))

    async def _write(self, session: Session) -> None:
        """Answers that find no credit, or a line that takes nothing, for `stall_seconds` end the session."""
        seconds = self._limits.stall_seconds
        stall = Stall(seconds, lambda: self.end(_slow(seconds)))
        try:
            while True:
                self._wake.clear()
                frame = self.side.next_frame()
                stall.starved(self.side.starved)
                if frame is None:
                    await self._wake.wait()
                else:
                    stall.leaving()
                    await self._socket.send_bytes(frame)
                    stall.left()
                    self._moved.set()
                    self._begin(session)  # there may be room for another answer now
        finally:
            stall.close()


def _slow(seconds: float) -> Unavailable:
    return Unavailable(f"answers were not taken for {seconds:g} s: dial again and go on by index", code="slow")
