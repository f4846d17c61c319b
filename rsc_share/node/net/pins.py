"""TLS 1.3 towards a relay: no authority of the Web is asked, the key itself must be one that was pinned."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from rsc_share.crypto.tls import pinned
from rsc_share.errors import RemoteError


def client_context() -> ssl.SSLContext:
    """No chain and no name are checked: OpenSSL still proves that the peer holds the key it shows, and `PinCheck`
    that the key is the right one. Nothing is sent before both."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class PinCheck(aiohttp.Fingerprint):
    """aiohttp calls `check` between the handshake and the first byte of a request. It knows digests of whole
    certificates only; a pin is of the key, which outlives its certificates."""

    def __init__(self, pins: tuple[str, ...]) -> None:
        super().__init__(bytes(32))
        self._pins = pins

    def check(self, transport: asyncio.Transport) -> None:
        """Raises `RemoteError` (`wrong-pin`)."""
        secured = transport.get_extra_info("ssl_object")
        try:
            pinned(secured.getpeercert(binary_form=True) if secured is not None else None, self._pins)
        except RemoteError:
            transport.abort()  # aiohttp closes it for its own error only
            raise
