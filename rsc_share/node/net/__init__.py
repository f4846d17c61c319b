"""A node's way to a relay over the network: addresses `wss://HOST:PORT#PIN`."""

from __future__ import annotations

from rsc_share.node.connect import register
from rsc_share.node.identity import Identity, World
from rsc_share.node.net.address import SCHEME, Address
from rsc_share.node.net.link import Link
from rsc_share.node.net.port import NetPort
from rsc_share.session.port import RelayPort


async def dial(host: str, address: str, identity: Identity) -> tuple[RelayPort, World]:
    """A port that has been dialled once, and goes on dialling. Raises `LocalError`, `RemoteError` (`wrong-pin`)."""
    world = World()
    link = Link(Address.parse(host, address), identity, world)
    await link.begin()
    return NetPort(link), world


register(SCHEME, dial)
