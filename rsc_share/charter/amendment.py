"""The charter object: three digests. Text, keys and signatures are permanent bodies (60 members' keys are 159 kB)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share import shape
from rsc_share.charter.keyring import KeyRing, check_ring
from rsc_share.charter.model import Charter
from rsc_share.charter.objects import UnverifiedObject, content_of, sign_object
from rsc_share.charter.quorum import ZERO_ID, Version, check_quorum, parse_signatures
from rsc_share.charter.text import parse_charter
from rsc_share.errors import LocalError, Refused, RemoteError

Bodies = Mapping[bytes, bytes]
"""Bodies by their SHA-256."""
_KEYS = ("keys", "signatures", "text", "version")


@dataclass(frozen=True, slots=True)
class CharterReference:
    """What the directory entry of a charter says."""

    version: int
    text: bytes
    keys: bytes
    signatures: bytes


def charter_object(charter: Charter, keys: bytes, signatures: bytes) -> bytes:
    """The directory object for a charter and its packed keys and signatures; it proves itself by them."""
    content = {
        "keys": hashlib.sha256(keys).digest(),
        "signatures": hashlib.sha256(signatures).digest(),
        "text": charter.digest,
        "version": charter.version,
    }
    return sign_object("charter", content, ZERO_ID)


def read_reference(found: UnverifiedObject) -> CharterReference:
    value = content_of(found.content, "charter", _KEYS)
    found.only()
    return CharterReference(
        version=shape.integer(value["version"], "version", low=1),
        text=shape.blob(value["text"], "text", size=32),
        keys=shape.blob(value["keys"], "keys", size=32),
        signatures=shape.blob(value["signatures"], "signatures", size=32),
    )


def body(bodies: Bodies, digest: bytes, what: str) -> bytes:
    """A body, checked against its digest. Its absence is no verdict: `Refused` with code `body-missing`."""
    found = bodies.get(digest)
    if found is None:
        raise Refused("body-missing", f"the {what} is not here yet", row=14, digest=digest)
    if hashlib.sha256(found).digest() != digest:
        raise RemoteError(f"the {what} does not match its digest", code="body-mismatch", digest=digest)
    return found


def body_digests(data: bytes, bodies: Bodies | None = None) -> tuple[bytes, ...]:
    """Digests of the bodies this object needs before it can be folded: none unless it is a charter.

    Ask again when the text is in `bodies`: it names the policy bundle. Raises `RemoteError` for a malformed object.
    """
    found = UnverifiedObject.parse(data)
    if found.kind != "charter":
        return ()
    reference = read_reference(found)
    wanted = (reference.text, reference.keys, reference.signatures)
    text = (bodies or {}).get(reference.text)
    if text is None:
        return wanted
    try:
        return (*wanted, parse_charter(text).policy)
    except LocalError as error:
        raise RemoteError(error.what, code="charter", **error.fields) from None


def read_version(reference: CharterReference, bodies: Bodies) -> tuple[Version, dict[bytes, bytes]]:
    """The charter, its keys and its signatures, parsed; nobody has counted them yet."""
    text = body(bodies, reference.text, "charter's text")
    keys = body(bodies, reference.keys, "charter's keys")
    signatures = body(bodies, reference.signatures, "charter's signatures")
    try:
        charter = parse_charter(text, "charter")
    except LocalError as error:
        raise RemoteError(error.what, code="charter", **error.fields) from None
    if charter.version != reference.version:
        raise RemoteError("the charter's text has another version than its entry", code="charter")
    ring = KeyRing.parse(keys)
    check_ring(charter, ring)
    return Version(charter, ring), parse_signatures(signatures)


def check_succession(old: Version, new: Version, framework_id: bytes, signatures: Mapping[bytes, bytes]) -> None:
    """Raise `RemoteError` unless `new` is the version right after `old`, signed, and keeps what must not change."""
    before, after = old.charter, new.charter
    if after.version != before.version + 1:
        raise RemoteError(f"version {after.version} cannot follow version {before.version}", code="version")
    if after.previous != before.digest:
        raise RemoteError("the charter names another previous version than the one in force", code="previous")
    if after.framework != before.framework:
        raise RemoteError("a charter cannot rename its framework", code="framework")
    check_quorum(old, new, framework_id, signatures)
    _logs_continue(before, after)


def _logs_continue(before: Charter, after: Charter) -> None:
    for host in before.relays.keys() & after.relays.keys():
        if before.relays[host].log_keys != after.relays[host].log_keys:
            raise RemoteError(f"relay {host} has other log keys: a new log key needs a new origin", code="log-keys")
    for name in before.channels.keys() & after.channels.keys():
        if before.channels[name].realm != after.channels[name].realm:
            raise RemoteError(f"channel {name} changes its realm: what was an exercise would be real", code="realm")
    closed = {item.log: item for item in after.closed}
    if any(closed.get(item.log) != item for item in before.closed):
        raise RemoteError("a log that was closed is open again, or ends elsewhere", code="closed")
    live = {after.origin(name) for name in after.channels} | {after.directory}
    gone = ({before.origin(name) for name in before.channels} | {before.directory}) - live - closed.keys()
    if gone:
        raise RemoteError(f"{min(gone)} disappears without its final size and root", code="closed")
