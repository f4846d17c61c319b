"""Logging objects in the directory. They prove themselves, so no freshness is asked for and no node's signature.

Were it otherwise, a framework whose witnesses are gone for good could never log the charter that lowers their number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rsc_share.charter.amendment import read_reference
from rsc_share.charter.directory import Directory
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.text import parse_charter
from rsc_share.envelope.entry import DirectoryEntry, Stamp
from rsc_share.errors import Refused, RemoteError
from rsc_share.relay.store.protocol import Batch, Body, Broken, Head, Readable, Stored

MAX_BODIES = 8
MAX_BODY = 4 * 1024 * 1024
"""Bytes of one body of the directory: a policy bundle, or the keys of a large charter."""


def admit_object(
    directory: Directory, head: Head, found: bytes, bodies: Mapping[bytes, bytes], now: int
) -> tuple[DirectoryEntry, Batch]:
    """Fold the object into `directory` and make the batch that logs it. Raises `Refused`; then nothing has changed."""
    logged_at = now if head.last is None else max(now, head.last.logged_at)
    stamp = Stamp(logged_at, head.size)
    try:
        _bounded(bodies)
        entry = DirectoryEntry.stamped(found, stamp)
        named = _named(found, bodies)
        directory.apply(found, logged_at, named)
    except RemoteError as error:
        raise Refused(error.code, f"not an object for this directory: {error.what}", row=1) from None
    kept = {digest: Body(head.size, body) for digest, body in _charter_bodies(directory, found, named).items()}
    return entry, Batch((Stored(entry.raw),), kept, {}, head.grown([entry.raw], stamp))


def _bounded(bodies: Mapping[bytes, bytes]) -> None:
    if len(bodies) > MAX_BODIES or any(len(body) > MAX_BODY for body in bodies.values()):
        raise RemoteError(f"more than {MAX_BODIES} bodies, or one of more than {MAX_BODY} bytes")
    if any(hashlib.sha256(body).digest() != digest for digest, body in bodies.items()):
        raise RemoteError("a body that does not match its digest")


def _named(found: bytes, bodies: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Only a charter has bodies. Anything else sent along is refused, or a stranger could fill the disk for ever."""
    if bodies and UnverifiedObject.parse(found).kind != "charter":
        raise RemoteError("only a charter comes with bodies")
    return bodies


def _charter_bodies(directory: Directory, found: bytes, bodies: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Text, keys, signatures and policy of the charter just folded: permanent, and nothing beside them is kept."""
    parsed = UnverifiedObject.parse(found)
    if parsed.kind != "charter":
        return {}
    reference, charter = read_reference(parsed), directory.at(directory.size).charter
    wanted = (reference.text, reference.keys, reference.signatures, charter.policy)
    return {digest: bodies[digest] for digest in wanted}


async def fold(store: Readable, log: str, size: int, framework_id: bytes) -> tuple[Directory, dict[bytes, int]]:
    """The directory of a stored log, and the index of every object by SHA-256.

    Raises `Broken` for an entry that does not apply: a relay logs no void objects.
    """
    directory, indices = Directory.begin(framework_id), dict[bytes, int]()
    async for stored in store.read(log, 0, size, max_bytes=1 << 62):
        entry = DirectoryEntry.parse(stored.entry)
        indices[hashlib.sha256(entry.object).digest()] = directory.size
        await _apply(store, log, directory, entry)
    return directory, indices


async def _apply(store: Readable, log: str, directory: Directory, entry: DirectoryEntry) -> None:
    try:
        bodies = {digest: await _body(store, log, digest) for digest in await body_digests(store, log, entry.object)}
        directory.apply(entry.object, entry.stamp.logged_at, bodies)
    except (RemoteError, Refused) as error:
        raise Broken(f"directory entry {directory.size} does not apply: {error.what}", log=log) from None


async def body_digests(store: Readable, log: str, found: bytes) -> list[bytes]:
    """Digests of the bodies a logged object needs: a charter's text, keys, signatures and policy."""
    parsed = UnverifiedObject.parse(found)
    if parsed.kind != "charter":
        return []
    reference = read_reference(parsed)
    charter = parse_charter(await _body(store, log, reference.text))
    return [reference.text, reference.keys, reference.signatures, charter.policy]


async def _body(store: Readable, log: str, digest: bytes) -> bytes:
    body = (await store.bodies(log, [digest])).get(digest)
    if not isinstance(body, Body):
        raise Broken("a body of the directory is lost", log=log, digest=digest)
    return body.data
