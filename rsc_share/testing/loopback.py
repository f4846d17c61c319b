"""The same framework with a network in it: its relay serves TLS on 127.0.0.1, its nodes dial it with a pin.

    async with LoopbackFramework.create("EST", "LVA", "FIN") as framework:
        ...                                                      # as with `Framework`

Time is the clock in your hand for everything that is signed; only the network's own timeouts are real seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from rsc_share.crypto.tls import read_certificate, self_signed
from rsc_share.messages import Body
from rsc_share.node.connect import Pins
from rsc_share.node.identity import Identity, World
from rsc_share.node.net.address import Address
from rsc_share.node.net.link import Link
from rsc_share.node.net.port import NetPort
from rsc_share.relay.net.journal import Silent
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.listener import bind
from rsc_share.relay.net.meters import Meters
from rsc_share.relay.net.office import Office
from rsc_share.relay.net.server import RelayServer
from rsc_share.relay.net.tls import server_context
from rsc_share.testing.clock import START, Clock, Dice
from rsc_share.testing.founding import HOST, Plan
from rsc_share.testing.framework import Framework
from rsc_share.testing.wire import RelayControl, Wire


@cache
def keys() -> tuple[bytes, bytes]:
    """One TLS key and certificate (PEM) for every framework of this process."""
    return self_signed(HOST, START)


def pin() -> str:
    return read_certificate(keys()[1])[0]


class NetWire(Wire):
    """A line that can be cut, with a connection behind it."""

    def __init__(self, port: NetPort, member: str, control: RelayControl) -> None:
        super().__init__(port, member, control)
        self.net = port

    def trust(self, pins: Pins) -> None:
        self.net.trust(pins)

    async def aclose(self) -> None:
        await self.net.aclose()


class LoopbackFramework(Framework):
    """Use `LoopbackFramework.create`."""

    limits = Limits()
    """Of the server; set before `create`, on a subclass."""
    server: RelayServer
    meters: Meters

    @classmethod
    @asynccontextmanager
    async def of(
        cls, plan: Plan, *, types: Iterable[type[Body]] = (), clock: Clock | None = None
    ) -> AsyncIterator[Any]:
        async with super().of(replace(plan, tls_pins=(pin(),)), types=types, clock=clock) as framework:
            yield framework

    def _network(self) -> AbstractAsyncContextManager[object]:
        return self._served()

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        for name, data in zip(("tls.key", "tls.crt"), keys(), strict=True):
            (self.folder / name).write_bytes(data)
        context = server_context(self.folder / "tls.crt", self.folder / "tls.key")
        self.meters = Meters()
        self.server = RelayServer(self.relay_service, context, self.limits, Office(self.meters, Silent()))
        await self.server.start(bind("127.0.0.1", 0))
        try:
            yield
        finally:
            await self.server.drain()

    def address(self, pinned: str | None = None) -> str:
        """The address of this relay for a `node.toml`."""
        return f"wss://127.0.0.1:{self.server.port}#{pinned or pin()}"

    def link(self, identity: Identity, *dice: object, pinned: str | None = None) -> Link:
        """A link that has not dialled yet."""
        world = World(self.clock, Dice(self.founded.plan.seed, identity.node, "link", *dice))
        return Link(Address.parse(HOST, self.address(pinned)), identity, world)

    async def _wire(self, identity: Identity, *dice: object) -> Wire:
        link = self.link(identity, *dice)
        await link.start()
        return NetWire(NetPort(link), identity.member, self.relay)
