"""Grants: one 32-byte grant key `gk`, sealed to the prekey of every node of an audience.

HPKE (RFC 9180) in base mode, single shot, with KEM MLKEM768_X25519 (X-Wing, 0x647a), KDF HKDF-SHA256 (0x0001) and AEAD
AES-256-GCM (0x0002), empty aad. Who granted is said by the signature of the grant entry, which covers the digest of
every sealed key; `info` binds each sealed key to that one place, so that none can be moved to another.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import Suite as HpkeSuite

from rsc_share import codec
from rsc_share.crypto.signing import PUBLIC_SIZE, PublicKey, Suite
from rsc_share.errors import LocalError, RemoteError

GRANT_KEY_SIZE: Final = 32
PREKEY_SECRET_SIZE: Final = 64 + 32
"""ML-KEM-768 seed (d || z, FIPS 203) || X25519 private key."""
SEALED_SIZE: Final = 1088 + 32 + GRANT_KEY_SIZE + 16
"""ML-KEM ciphertext || X25519 ephemeral key || encrypted gk || tag: 1168 bytes, always."""

_KEM_PUBLIC: Final = 1184
_KEM_SEED: Final = 64
_HPKE = HpkeSuite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Prekey:
    """A node's sealing key, private half. Deleting every copy of it is what makes old grants unreadable."""

    __slots__ = ("_key", "_secret", "id", "public")

    public: bytes
    """1184 bytes ML-KEM-768 || 32 bytes X25519: what the directory shows."""
    id: bytes
    """SHA-256(suite 3 || public), 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: `PREKEY_SECRET_SIZE` bytes."""
        if type(secret) is not bytes or len(secret) != PREKEY_SECRET_SIZE:
            raise LocalError(f"a prekey's private half has {PREKEY_SECRET_SIZE} bytes")
        kem = MLKEM768PrivateKey.from_seed_bytes(secret[:_KEM_SEED])
        curve = X25519PrivateKey.from_private_bytes(secret[_KEM_SEED:])
        self._secret = secret
        self._key = MLKEM768X25519PrivateKey(kem, curve)
        self.public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        self.id = PublicKey(Suite.HPKE, self.public).key_id

    @classmethod
    def generate(cls, *, seed: bytes | None = None) -> Prekey:
        """A new prekey from the system's generator; with `seed` (any bytes) always the same one, for tests only."""
        if seed is None:
            return cls(os.urandom(PREKEY_SECRET_SIZE))
        return cls(hashlib.shake_256(b"rsc-share/v1 test prekey\0" + seed).digest(PREKEY_SECRET_SIZE))

    def to_bytes(self) -> bytes:
        """The private half, for the keystore; in no backup."""
        return self._secret

    @classmethod
    def from_bytes(cls, secret: bytes) -> Prekey:
        """What `to_bytes` gave."""
        return cls(secret)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """The plaintext of an HPKE message under this key; `InvalidTag` otherwise. Callers use `open_key`."""
        return _HPKE.decrypt(sealed, self._key, info)

    def __repr__(self) -> str:
        return f"Prekey({self.id.hex()[:16]}…)"

    def __reduce__(self) -> Any:
        raise LocalError("a prekey is not pickled or copied: a forgotten copy ends forward secrecy")


def grant_check(gk: bytes) -> bytes:
    """`SHA-256("rsc-share/v1 grant key" 0x00 || gk)`: stands in the grant entry, so that all were granted one key."""
    if len(gk) != GRANT_KEY_SIZE:
        raise LocalError(f"a grant key has {GRANT_KEY_SIZE} bytes")
    return hashlib.sha256(b"rsc-share/v1 grant key\0" + gk).digest()


def grant_info(
    *,
    framework_id: bytes,
    log: str,
    realm: str,
    sender: str,
    grant_id: bytes,
    node: str,
    prekey_id: bytes,
    check: bytes,
) -> bytes:
    """HPKE `info`: msgpack [type, framework id, log, realm, sender, grant id, node, prekey id, check].

    The type is the text "rsc-share/v1 grant".
    """
    for what, value in (("framework id", framework_id), ("prekey id", prekey_id), ("check", check)):
        if len(value) != 32:
            raise LocalError(f"a {what} has 32 bytes")
    return codec.pack(["rsc-share/v1 grant", framework_id, log, realm, sender, grant_id, node, prekey_id, check])


def granted_in(info: bytes) -> str:
    """The log of an `info` that `grant_info` made."""
    log: str = codec.unpack(info, max_size=len(info))[2]
    return log


def check_prekey(public: bytes) -> None:
    """Return if one can seal to `public`, else raise `RemoteError` (`bad-prekey`).

    To be called where a prekey enters (the directory): one that nobody can seal to would stop every sender's grant.
    It refuses ML-KEM keys with coefficients outside the field (FIPS 203 section 7.2) and X25519 points of small order.
    """
    _seal(public, bytes(GRANT_KEY_SIZE), b"")


def seal_key(public: bytes, gk: bytes, info: bytes) -> bytes:
    """`gk` sealed to the prekey `public`: `SEALED_SIZE` bytes, different each time.

    `info` is `grant_info` with the check of this very `gk` (else `LocalError`). Raises `RemoteError` (`bad-prekey`).
    """
    if info[-32:] != grant_check(gk):
        raise LocalError("the grant's check does not belong to this grant key")
    return _seal(public, gk, info)


def _seal(public: bytes, gk: bytes, info: bytes) -> bytes:
    if len(public) != PUBLIC_SIZE[Suite.HPKE]:
        raise RemoteError("the prekey does not have 1216 bytes", code="bad-prekey")
    try:
        kem = MLKEM768PublicKey.from_public_bytes(public[:_KEM_PUBLIC])
        curve = X25519PublicKey.from_public_bytes(public[_KEM_PUBLIC:])
        return _HPKE.encrypt(gk, MLKEM768X25519PublicKey(kem, curve), info)
    except ValueError as error:
        raise RemoteError(f"nobody can seal to this prekey: {error}", code="bad-prekey") from None


def open_key(prekey: Prekey, sealed: bytes, info: bytes) -> bytes:
    """The grant key in `sealed`, or `RemoteError` (`bad-grant`): altered, for another place, or not the promised key.

    `info` ends with the `check` of the grant entry (it is the last item), and the key must match it: a sender who
    seals another key to one node has no alibi "I released it to you" (the node reports `bad-grant`).
    """
    if len(sealed) != SEALED_SIZE:
        raise RemoteError(f"a sealed key has {SEALED_SIZE} bytes", code="bad-grant")
    try:
        gk = prekey.open(sealed, info)
    except (InvalidTag, ValueError):
        raise RemoteError("the sealed key does not open here", code="bad-grant", prekey=prekey.id) from None
    if grant_check(gk) != info[-32:]:
        raise RemoteError("the sealed key is not the one the grant promises", code="bad-grant", prekey=prekey.id)
    return gk
