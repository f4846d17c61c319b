"""Accepting connections: counted before the first byte of TLS, so that a flood of half handshakes has a bound too."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from rsc_share.errors import LocalError, Unavailable
from rsc_share.relay.net.gate import Gate, Guard, Place

BACKLOG = 512
NO_DESCRIPTORS_SECONDS = 0.1


def bind(address: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises `Unavailable` (`listen`) where somebody holds the address or the machine does not have it yet, `LocalError`
    for one that it will never be given.
    """
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = socket.create_server((address, port), family=family, backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        # `create_server` repeats the address within its words; the system's own do not.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        what = f"{address}:{port} cannot be listened at: {why}"
        if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
            raise Unavailable(what, code="listen", advice="stop who holds it, or start again later") from None
        raise LocalError(what, code="listen", advice="choose another address") from None
    found.setblocking(False)
    return found


class Listener:
    """One accepting task. `turned_away` and `late` are told why somebody was not served."""

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        gate: Gate,
        protocol: Callable[[], Any],
        refused: Callable[[str], None],
    ) -> None:
        self._socket, self._context, self._gate = listening, context, gate
        self._protocol, self._refused = protocol, refused
        self.port: int = listening.getsockname()[1]
        self._handshakes: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._accept(), name="accept")

    async def stop(self) -> None:
        """Accept nobody any more; connections that are served stay."""
        self._task.cancel()
        for task in self._handshakes:
            task.cancel()
        await asyncio.gather(self._task, *self._handshakes, return_exceptions=True)
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._socket)
            except OSError:  # no descriptors left: those in use must be closed first
                await asyncio.sleep(NO_DESCRIPTORS_SECONDS)
                continue
            place = self._gate.enter(str(peer[0]))
            if isinstance(place, str):
                self._refused(place)
                connection.close()
                continue
            task = asyncio.create_task(self._handshake(connection, place))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _handshake(self, connection: socket.socket, place: Place) -> None:
        seconds = self._gate.limits.greeting_seconds
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Guard(self._protocol(), place, seconds, lambda: self._refused("greeting-timeout")),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=seconds,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError, TimeoutError) as error:
            place.release()
            with contextlib.suppress(OSError):
                connection.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            self._refused("tls-handshake")
