"""`/console` and its three files: GET only, for whoever may look, under a name that no stranger's page can take.

A web page anywhere may let its own name resolve to 127.0.0.1 and read what answers there (DNS rebinding). Its requests
carry its own name as `Host`: only names of this machine and the configured address are answered.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from importlib.resources import files

from aiohttp import web

from rsc_share.relay.net.console.page import page
from rsc_share.relay.net.console.state import State

LOCAL_NAMES: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
"""Addresses to listen at that nobody is called by."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::[0-9]{1,5})?", re.IGNORECASE)
ASSETS = {"console.css": "text/css", "console.js": "text/javascript"}


class Console:
    """`address` is that of `health`; `everybody`: who reaches it may look, not only this machine."""

    def __init__(self, look: Callable[[], State], address: str, *, everybody: bool) -> None:
        self._look, self._everybody = look, everybody
        self._names = LOCAL_NAMES
        if address not in ANY:
            self._names += (f"[{address}]" if ":" in address else address,)
        folder = files(__package__)
        self._assets = {name: (folder / name).read_bytes() for name in ASSETS}

    def routes(self) -> list[web.RouteDef]:
        """No HEAD: nothing but GET is answered."""
        return [
            web.get("/console", self._page, allow_head=False),
            web.get("/console/state.json", self._state, allow_head=False),
            *(web.get(f"/console/{name}", self._asset, allow_head=False) for name in ASSETS),
        ]

    async def _page(self, request: web.Request) -> web.Response:
        return self._refusal(request) or web.Response(
            text=page(self._look()), content_type="text/html", charset="utf-8", headers=HEADERS
        )

    async def _state(self, request: web.Request) -> web.Response:
        return self._refusal(request) or web.json_response(self._look().wire(), headers=HEADERS)

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        return self._refusal(request) or web.Response(
            body=self._assets[name], content_type=ASSETS[name], charset="utf-8", headers=HEADERS
        )

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not self._everybody and not is_local(request.remote):
            what = 'this is for the relay\'s own machine: use an SSH tunnel, or say console = "health" in relay.toml\n'
            return web.Response(status=403, text=what, headers=HEADERS)
        if not is_named(request.headers.getall("Host", []), self._names):
            what = "this answers to localhost and to the configured address only\n"
            return web.Response(status=421, text=what, headers=HEADERS)
        return None


def is_local(peer: str | None) -> bool:
    """Whether a connection comes from this machine, a tunnel's end included."""
    try:
        found = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def is_named(hosts: list[str], allowed: tuple[str, ...]) -> bool:
    """One `Host`, one of the allowed names, any port: a tunnel has another."""
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return found is not None and found[1].lower() in allowed
