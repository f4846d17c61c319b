"""The wire form every directory object shares, before anything about it is believed.

    object = msgpack [kind, content: bin, [[key id, signature], ...]]     at most 60,000 bytes

`content` is a packed closed map per kind. A signature covers `signed_bytes(kind, suite, framework id, content)`,
so a signature over one kind, framework or suite is none over another. Signatures stand in rising order of key id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rsc_share import shape
from rsc_share.codec import pack, unpack
from rsc_share.crypto.signing import PublicKey, Signer, signed_bytes, verify
from rsc_share.errors import LocalError, RemoteError

KINDS = ("charter", "certificate", "revocation", "prekey", "agreement", "restriction")
MAX_OBJECT = 60_000
"""Bytes: an entry of 65,535 holds it with its stamp."""
MAX_SIGNATURES = 16
MAX_SIGNATURE = 4_096

Signatures = Mapping[bytes, bytes]
"""Signatures by the id of the key that made them."""


@dataclass(frozen=True, slots=True)
class UnverifiedObject:
    """A parsed object: canonical, bounded, and not yet true."""

    kind: str
    content: bytes
    signatures: Signatures

    @classmethod
    def parse(cls, data: bytes) -> UnverifiedObject:
        """Raises `RemoteError` unless `data` is the one spelling of an object of a known kind."""
        value = shape.row(unpack(data, max_size=MAX_OBJECT), "object", 3)
        return cls(
            kind=shape.choice(value[0], "object kind", KINDS),
            content=shape.blob(value[1], "object content", low=1, high=MAX_OBJECT),
            signatures=read_signatures(value[2], "object signatures", MAX_SIGNATURES),
        )

    def pack(self) -> bytes:
        return pack([self.kind, self.content, write_signatures(self.signatures)])

    @property
    def digest(self) -> bytes:
        """Names the statement, whoever has signed it so far: SHA-256 over kind and content."""
        return hashlib.sha256(self.kind.encode() + b"\0" + self.content).digest()

    def verify(self, key: PublicKey, framework_id: bytes) -> None:
        """Raise `RemoteError` (`unsigned`, `bad-signature`) unless `key` signed this content."""
        signature = self.signatures.get(key.key_id)
        if signature is None:
            raise RemoteError(f"key {key.fingerprint[:16]}… has not signed this {self.kind}", code="unsigned")
        verify(key, signed_bytes(self.kind, key.suite, framework_id, self.content), signature)

    def only(self, *allowed: bytes) -> None:
        """Refuse signatures nobody asked for: else each would give the same statement another entry."""
        if any(key_id not in allowed for key_id in self.signatures):
            raise RemoteError(f"the {self.kind} carries a signature that has no place in it", code="unsigned")


def read_signatures(value: Any, where: str, most: int) -> dict[bytes, bytes]:
    rows = [shape.row(item, where, 2) for item in shape.items(value, where, high=most)]
    found = [
        (shape.blob(r[0], f"{where} key id", size=32), shape.blob(r[1], where, low=64, high=MAX_SIGNATURE))
        for r in rows
    ]
    shape.ascending([key_id for key_id, _ in found], where)
    return dict(found)


def write_signatures(signatures: Signatures) -> list[Any]:
    return [[key_id, signatures[key_id]] for key_id in sorted(signatures)]


def content_of(data: bytes, where: str, keys: Iterable[str]) -> dict[str, Any]:
    """The closed map inside an object."""
    return shape.closed(unpack(data, max_size=MAX_OBJECT), where, tuple(keys))


def sign_object(kind: str, content: Mapping[str, Any], framework_id: bytes, *signers: Signer) -> bytes:
    """A signed object, packed. `LocalError` for a kind that does not exist or an object that does not fit."""
    if kind not in KINDS:
        raise LocalError(f"{kind!r} is not a kind of directory object")
    packed = pack(dict(content))
    made = {s.public.key_id: s.sign(signed_bytes(kind, s.public.suite, framework_id, packed)) for s in signers}
    return _fitting(UnverifiedObject(kind, packed, made))


def add_signature(data: bytes, framework_id: bytes, signer: Signer) -> bytes:
    """The same object with one more signature: a party to an agreement, or the node that countersigns."""
    found = UnverifiedObject.parse(data)
    key = signer.public
    signature = signer.sign(signed_bytes(found.kind, key.suite, framework_id, found.content))
    return _fitting(UnverifiedObject(found.kind, found.content, {**found.signatures, key.key_id: signature}))


def _fitting(made: UnverifiedObject) -> bytes:
    data = made.pack()
    if len(data) > MAX_OBJECT or len(made.signatures) > MAX_SIGNATURES:
        raise LocalError(f"this {made.kind} takes {len(data)} bytes; at most {MAX_OBJECT} fit the directory")
    return data
