"""Where a relay is reached and by which key it is known before a charter is: one line of `node.toml`.

    "relay.example:8443" = "wss://relay.example:8443#<64 hex>"          the pin `relay init` printed
    "relay.example:8443" = "wss://10.0.0.5:8443#<64 hex>,<64 hex>"      another way in; the key in use and the next one

The pins here count until the node has verified a charter; from then on those of the newest charter do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rsc_share import names
from rsc_share.errors import LocalError, RemoteError

SCHEME = "wss"
DEFAULT_PORT = 8443
_ADDRESS = re.compile(r"wss://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?(?:#([0-9a-f]{64}(?:,[0-9a-f]{64})*))?")
FORM = f"{SCHEME}://HOST:PORT#PIN with the pin that `relay init` printed (64 hexadecimal digits)"


@dataclass(frozen=True, slots=True)
class Address:
    """A relay's `host` as the charter names it, where it answers, and the pins written beside that."""

    host: str
    server: str
    port: int
    pins: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"https://{self.server}:{self.port}/v1/session"

    @classmethod
    def parse(cls, host: str, address: str) -> Address:
        """Raises `LocalError` (`address`) with the right form."""
        found = _ADDRESS.fullmatch(address)
        port = int(found[2] or DEFAULT_PORT) if found else 0
        try:
            names.host(host)
        except RemoteError as error:
            raise LocalError(error.what, code="address") from None
        if found is None or not 0 < port < 65_536:
            raise LocalError(f"{address!r} is no address of a relay", code="address", advice=f"write {FORM}")
        return cls(host, found[1], port, tuple(found[3].split(",")) if found[3] else ())
