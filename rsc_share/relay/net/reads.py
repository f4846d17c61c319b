"""Reads over HTTP at the paths of https://c2sp.org/tlog-tiles, below `/<framework>/<channel>/`.

Checkpoints and tiles of hashes are for every active node: every member witnesses every log. Bundles hold whole entries,
so they are served of the directory alone: in a channel a session gives each node its own entries and bare hashes of
the rest, and a bundle would tell everybody who writes to whom.
"""

from __future__ import annotations

from aiohttp import web

from rsc_share import names
from rsc_share.errors import Refused, RemoteError, RscError, Unavailable
from rsc_share.log.merkle import HASH_SIZE
from rsc_share.log.tiles import WIDTH, Tile, pack_bundle
from rsc_share.relay.access import Access
from rsc_share.relay.commit import is_directory
from rsc_share.relay.live import LiveLog
from rsc_share.relay.net.who import prove
from rsc_share.relay.service import Relay

_STATUS = {"token": 401, "bad-signature": 401, "malformed": 400, "not-found": 404, "unknown-log": 404,
           "body-missing": 403, "wrong-chunk": 409, "wrong-blob": 409, "out-of-range": 416}  # fmt: skip
FOREVER = "private, max-age=31536000, immutable"
_BEARER = "Bearer "


def log_of(relay: Relay, request: web.Request) -> LiveLog:
    """The log a request names, if its bearer may read it. Raises `RemoteError`, `Refused`, `Unavailable`."""
    token, _ = prove(relay, bearer(request), "read", None)
    framework, channel = request.match_info["framework"], request.match_info["channel"]
    return Access(relay, token.node).log(names.origin(f"{relay.host}/{framework}/{channel}"))


def bearer(request: web.Request) -> str:
    """The token a request brings. Raises `RemoteError` (`token`)."""
    found = request.headers.get("Authorization", "")
    if not found.startswith(_BEARER):
        raise RemoteError("a token is needed: Authorization: Bearer ...", code="token")
    return found.removeprefix(_BEARER)


def checkpoint(log: LiveLog) -> web.Response:
    """The newest signed note."""
    return web.Response(body=log.note(), content_type="text/plain", headers={"Cache-Control": "no-cache"})


async def tile(log: LiveLog, path: str) -> web.Response:
    """A tile or bundle of what is shown. Raises `RemoteError` (`malformed`, `not-found`), `Refused` (`not-yours`)."""
    found = Tile.parse(f"tile/{path}")
    if found.level is None and not is_directory(log.origin):
        raise Refused("not-yours", "entries of a channel come over a session, each node's own", row=3, log=log.origin)
    per_hash = 1 << (8 * (found.level or 0))
    if (found.index * WIDTH + found.width) * per_hash > log.size:
        raise RemoteError(f"{found.path} is beyond the log's {log.size} entries", code="not-found")
    data = await _bundle(log, found) if found.level is None else await _hashes(log, found, found.level)
    kept = {"Cache-Control": FOREVER}
    return web.Response(body=data, content_type="application/octet-stream", headers=kept)


async def _hashes(log: LiveLog, found: Tile, level: int) -> bytes:
    data = (await log.store.tile(log.origin, level, found.index))[: found.width * HASH_SIZE]
    if len(data) != found.width * HASH_SIZE:
        raise RemoteError(f"{found.path} is beyond the log's {log.size} entries", code="not-found")
    return data


async def _bundle(log: LiveLog, found: Tile) -> bytes:
    start = found.index * WIDTH
    read = log.store.read(log.origin, start, start + found.width, max_bytes=1 << 30)
    return pack_bundle([stored.entry async for stored in read])


def refused(error: RscError) -> web.Response:
    """What was wrong, as one line of text."""
    if isinstance(error, Unavailable):
        after = {} if error.retry_after is None else {"Retry-After": str(max(1, round(error.retry_after)))}
        return web.Response(status=503, text=f"{error.code}: {error.what}\n", headers=after)
    status = _STATUS.get(error.code, 403 if isinstance(error, Refused) else 400)
    row = {"Rsc-Row": str(error.row)} if isinstance(error, Refused) else {}
    return web.Response(status=status, text=f"{error.code}: {error.what}\n", headers=row)
