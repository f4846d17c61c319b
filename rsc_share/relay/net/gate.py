"""Who may connect at all, before anybody has proved anything. Counting only: a stranger costs a slot and a buffer."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Any

from rsc_share.relay.net.limits import Limits


class Gate:
    """Connections by number and by address. `limits` may be replaced while it is in use."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.connections = 0
        self.waiting: Counter[str] = Counter()

    def enter(self, peer: str) -> Place | str:
        """A place for a new connection, or the code of why there is none."""
        address = network(peer)
        if self.connections >= self.limits.connections:
            return "connections"
        if self.waiting.total() >= self.limits.waiting:
            return "waiting"
        if self.waiting[address] >= self.limits.waiting_per_address:
            return "waiting-per-address"
        return Place(self, address)


def network(peer: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one customer of an IPv6 network has."""
    try:
        found = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


class Place:
    """One connection's place; it waits until `admit`."""

    def __init__(self, gate: Gate, address: str) -> None:
        self._gate, self._address = gate, address
        self._waits, self._held = True, True
        gate.connections += 1
        gate.waiting[address] += 1

    def admit(self) -> None:
        """It has proved who it is."""
        if self._waits:
            self._waits = False
            self._gate.waiting[self._address] -= 1
            if not self._gate.waiting[self._address]:
                del self._gate.waiting[self._address]  # or strangers' addresses would stay for ever

    def release(self) -> None:
        """It is gone. Doing it twice is fine."""
        self.admit()
        if self._held:
            self._held = False
            self._gate.connections -= 1


class Guard(asyncio.Protocol):
    """In front of aiohttp's protocol: aborts a connection that says nothing worth an answer within its time.

    aiohttp waits for a request's headers as long as they trickle.
    """

    def __init__(self, inner: Any, place: Place, seconds: float, late: Callable[[], None]) -> None:
        self._inner, self._place, self._seconds, self._late = inner, place, seconds, late
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._inner.connection_made(transport)
        self.again()

    def again(self, seconds: float | None = None) -> None:
        """A request was good: so long for its answer and the next one."""
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(seconds or self._seconds, self._too_late)

    def admit(self) -> None:
        """Its session is open: from here on the session's own limits count."""
        self._stop()
        self._place.admit()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._late()
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._place.release()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        found: bool | None = self._inner.eof_received()
        return found

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
