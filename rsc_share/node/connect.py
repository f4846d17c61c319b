"""How a node reaches a relay: one connector for each scheme of address. A connector returns an authenticated port."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from rsc_share.errors import LocalError, RscError, Unavailable
from rsc_share.node.identity import Identity, World
from rsc_share.session.calls import Own
from rsc_share.session.port import RelayPort

Connector = Callable[[str, str, Identity], Awaitable[tuple[RelayPort, World]]]
"""From a relay's host as the charter names it, its address (`wss://10.0.0.5:8443`) and who is calling to a port, and
the world to live in there."""
Pins = Callable[[], tuple[str, ...]]
"""The pins of a relay's TLS keys as of the newest charter this node has verified; empty before it has one."""

MOST_RETRY_SECONDS = 60.0
"""A relay may ask to be left alone for so long; what it says is not proved."""
IDENTITY_ROW = 3
"""Of a refusal by which a relay does not let this node in at all."""


@runtime_checkable
class Connection(Protocol):
    """A port with a connection of its own behind it."""

    def trust(self, pins: Pins) -> None:
        """From now on ask `pins` whom to believe; what `node.toml` says counts only while that is nobody."""

    async def aclose(self) -> None:
        """Close it for good. Calls raise `Unavailable` afterwards."""


def failure_of(port: object) -> RscError | None:
    """Why a port that dials has no session now; None while there is one, and for a port that needs none."""
    found: RscError | None = getattr(port, "failure", None)  # a protocol that is looked up takes ten times as long
    return found


def own_of(port: object) -> Mapping[str, Own]:
    """What the relay said at the beginning of a port's session that this node has logged there: `seq`, header hash and
    index of its newest entry, by log; nothing for a port whose session began without a word."""
    found: Mapping[str, Own] = getattr(port, "own", {})
    return found


_ROOMS = {"wss": "rsc_share.node.net"}
"""Schemes whose room registers itself when it is loaded: a node in memory has no need of a network library."""
_CONNECTORS: dict[str, Connector] = {}


def register(scheme: str, connector: Connector) -> None:
    """Make addresses `<scheme>:...` reachable in this process. The last registration counts."""
    _CONNECTORS[scheme] = connector


async def connect(host: str, address: str, identity: Identity) -> tuple[RelayPort, World]:
    """Raises `LocalError` for an address nobody can connect. Where nobody answers, the port goes on dialling."""
    scheme = address.partition(":")[0]
    if scheme not in _CONNECTORS and scheme in _ROOMS:
        importlib.import_module(_ROOMS[scheme])
    connector = _CONNECTORS.get(scheme)
    if connector is None:
        known = ", ".join(sorted({*_CONNECTORS, *_ROOMS}))
        raise LocalError(f"no way to reach {address!r}", advice=f"schemes known in this process: {known}")
    return await connector(host, address, identity)


async def close(ports: Iterable[RelayPort]) -> None:
    """Give up the connections behind ports that have one."""
    for port in ports:
        if isinstance(port, Connection):
            await port.aclose()


def raise_unreached(ports: Iterable[RelayPort]) -> None:
    """Raise why a relay does not answer, if one of these does not. One that turned this node away has answered."""
    for port in ports:
        failure = failure_of(port)
        if isinstance(failure, Unavailable):
            raise failure
