"""How a node reaches a relay: one connector for each scheme of address. A connector returns an authenticated port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rsc_share.errors import LocalError
from rsc_share.node.identity import Identity, World
from rsc_share.session.port import RelayPort

Connector = Callable[[str, Identity], Awaitable[tuple[RelayPort, World]]]
"""From an address (`memory:lab/EST/mod-1`) and who is calling to a port, and the world to live in there."""

_CONNECTORS: dict[str, Connector] = {}


def register(scheme: str, connector: Connector) -> None:
    """Make addresses `<scheme>:...` reachable in this process. The last registration counts."""
    _CONNECTORS[scheme] = connector


async def connect(address: str, identity: Identity) -> tuple[RelayPort, World]:
    """Raises `LocalError` for an address nobody can connect, `Unavailable` where nobody answers."""
    scheme = address.partition(":")[0]
    connector = _CONNECTORS.get(scheme)
    if connector is None:
        known = ", ".join(sorted(_CONNECTORS)) or "none"
        raise LocalError(f"no way to reach {address!r}", advice=f"schemes known in this process: {known}")
    return await connector(address, identity)
