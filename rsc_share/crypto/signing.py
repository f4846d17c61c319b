"""Signatures: one place that makes them and one function that verifies them.

Ed25519 follows the one rule of `ed25519`; ML-DSA is FIPS 204, pure, with an empty context string.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PrivateKey,
    MLDSA44PublicKey,
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
)

from rsc_share.crypto import ed25519
from rsc_share.errors import LocalError, RemoteError
from rsc_share.shape import blob, choice, row, wrong


class Suite(IntEnum):
    """What a key is; one byte in every key id and in every signed text."""

    ED25519 = 1
    HYBRID = 2
    """Ed25519 and ML-DSA-65 over the same bytes; both must verify."""
    HPKE = 3
    """MLKEM768_X25519 / HKDF-SHA256 / AES-256-GCM: receives grants, signs nothing."""
    ML_DSA_44 = 4


_ED25519, _HYBRID, _ML_DSA_44 = Suite.ED25519, Suite.HYBRID, Suite.ML_DSA_44  # found in a fifth of the time
_SUITES: Final[tuple[int, ...]] = tuple(int(suite) for suite in Suite)
PUBLIC_SIZE: Final = {Suite.ED25519: 32, Suite.HYBRID: 32 + 1952, Suite.HPKE: 1184 + 32, Suite.ML_DSA_44: 1312}
"""Bytes of a public key."""
SIGNATURE_SIZE: Final[dict[int, int]] = {Suite.ED25519: 64, Suite.HYBRID: 64 + 3309, Suite.ML_DSA_44: 2420}
"""Bytes of a signature; the suites that sign."""
SECRET_SIZE: Final = {Suite.ED25519: 32, Suite.HYBRID: 32 + 32, Suite.ML_DSA_44: 32}
"""Bytes of a secret key: always seeds, never expanded forms."""

KINDS: Final = frozenset(
    {
        "entry",
        "charter",
        "policy",
        "certificate",
        "revocation",
        "prekey",
        "agreement",
        "restriction",
        "approval",
        "refusal",
        "manifest",
    }
)
"""Everything that is signed under a framework. C2SP notes and the session token have prefixes of their own."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a known suite and the right length; raises `RemoteError` for anything else.

    `raw` of a hybrid key is 32 bytes Ed25519 || 1952 bytes ML-DSA-65, of a sealing key 1184 bytes ML-KEM-768 ||
    32 bytes X25519.
    """

    suite: int
    raw: bytes = field(repr=False)
    key_id: bytes = field(init=False, compare=False, repr=False)
    """SHA-256(suite || raw), whole. The suite is inside: half of a hybrid key, used alone, is another key."""

    def __post_init__(self) -> None:
        suite = Suite(self.suite if isinstance(self.suite, Suite) else choice(self.suite, "key suite", _SUITES))
        blob(self.raw, f"{suite.name} public key", size=PUBLIC_SIZE[suite])
        object.__setattr__(self, "suite", suite)
        object.__setattr__(self, "key_id", hashlib.sha256(bytes([suite]) + self.raw).digest())

    @property
    def fingerprint(self) -> str:
        """`key_id` as 64 hexadecimal digits: what stands in a charter and is read out on the telephone."""
        return self.key_id.hex()

    def wire(self) -> list[Any]:
        """`[suite, raw]`."""
        return [int(self.suite), self.raw]

    @classmethod
    def from_wire(cls, value: Any, where: str = "key") -> PublicKey:
        """The key that `wire` wrote; `RemoteError` with the place in `where` otherwise."""
        suite, raw = row(value, where, 2)
        try:
            return cls(suite, raw)
        except RemoteError as error:
            raise wrong(where, error.what) from None

    def __repr__(self) -> str:
        return f"PublicKey({Suite(self.suite).name}, {self.fingerprint[:16]}…)"


class Signer(Protocol):
    """Whatever holds a private key: one in memory, or a PKCS#11 token that never shows it."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what `sign` makes."""

    def sign(self, data: bytes) -> bytes:
        """A signature over exactly `data`."""


class PrivateKey:
    """A signing key in memory. `repr` shows suite and key id only; the secret leaves through `secret()` alone."""

    __slots__ = ("_parts", "_secret", "public")

    public: PublicKey

    def __init__(self, suite: int, secret: bytes) -> None:
        """`secret`: the seeds, `SECRET_SIZE[suite]` bytes (hybrid: Ed25519 seed || ML-DSA-65 seed)."""
        if suite not in SECRET_SIZE:
            raise LocalError(f"suite {suite} does not sign")
        kind = Suite(suite)
        if type(secret) is not bytes or len(secret) != SECRET_SIZE[kind]:
            raise LocalError(f"a {kind.name} secret has {SECRET_SIZE[kind]} bytes")
        self._secret = secret
        self._parts = _expand(kind, secret)
        self.public = PublicKey(kind, b"".join(public for public, _ in self._parts))

    @classmethod
    def generate(cls, suite: int, *, seed: bytes | None = None) -> PrivateKey:
        """A new key from the system's generator; with `seed` (any bytes) always the same one, for tests only."""
        if suite not in SECRET_SIZE:
            raise LocalError(f"suite {suite} does not sign")
        size = SECRET_SIZE[Suite(suite)]
        if seed is None:
            return cls(suite, os.urandom(size))
        # The suite goes in: one seed must never give a hybrid key and an Ed25519 key that share a half.
        return cls(suite, hashlib.shake_256(b"rsc-share/v1 test key\0" + bytes([suite]) + seed).digest(size))

    def secret(self) -> bytes:
        """The secret seeds. For the keystore; nothing else has a reason to ask."""
        return self._secret

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`: 64 bytes, or for a hybrid key 64 B Ed25519 || 3309 B ML-DSA-65.

        Ed25519 is deterministic (RFC 8032), ML-DSA hedged: two signatures over the same bytes differ.
        """
        return b"".join(sign(data) for _, sign in self._parts)

    def __repr__(self) -> str:
        return f"PrivateKey({Suite(self.public.suite).name}, {self.public.fingerprint[:16]}…)"

    def __reduce__(self) -> Any:
        raise LocalError("a private key is not pickled or copied: keep it in the keystore")


_Part = tuple[bytes, Callable[[bytes], bytes]]


def _expand(suite: Suite, secret: bytes) -> tuple[_Part, ...]:
    if suite is Suite.ED25519:
        return (_ed25519(secret),)
    if suite is Suite.ML_DSA_44:
        return (_ml_dsa(MLDSA44PrivateKey.from_seed_bytes(secret)),)
    return (_ed25519(secret[:32]), _ml_dsa(MLDSA65PrivateKey.from_seed_bytes(secret[32:])))


def _ed25519(seed: bytes) -> _Part:
    public, expanded = ed25519.expand(seed)
    return public, lambda data: ed25519.sign(expanded, data)


def _ml_dsa(key: MLDSA44PrivateKey | MLDSA65PrivateKey) -> _Part:
    return key.public_key().public_bytes_raw(), lambda data: key.sign(data)


def signed_bytes(kind: str, suite: int, framework_id: bytes, *parts: bytes) -> bytes:
    """`"rsc-share/v1 <kind>" 0x00 || suite || framework id || parts`: what every signature of ours covers.

    `kind` is one of `KINDS`; `framework_id` is 32 bytes (zeros for charter version 1, whose hash it will be).
    The parts are joined as they are: at most one of them may vary in length unless it carries its own end.
    """
    if kind not in KINDS:
        raise LocalError(f"{kind!r} is not a kind of signed object")
    if len(framework_id) != 32:
        raise LocalError("a framework id has 32 bytes")
    return b"".join((b"rsc-share/v1 ", kind.encode(), b"\0", bytes([suite]), framework_id, *parts))


def verify(key: PublicKey, data: bytes, signature: bytes) -> None:
    """Return if `signature` over `data` is by `key`; else raise `RemoteError` (`bad-signature`)."""
    if SIGNATURE_SIZE.get(key.suite) != len(signature):
        raise _bad(key)
    if key.suite is _ED25519:
        if not ed25519.verifies(key.raw, data, signature):
            raise _bad(key)
        return
    try:
        if key.suite == _ML_DSA_44:
            MLDSA44PublicKey.from_public_bytes(key.raw).verify(signature, data)
            return
        if not ed25519.verifies(key.raw[: ed25519.PUBLIC], data, signature[: ed25519.SIGNATURE]):
            raise _bad(key)
        if key.suite == _HYBRID:
            # Reached only after the Ed25519 half has verified: neither half is ever enough.
            second = MLDSA65PublicKey.from_public_bytes(key.raw[ed25519.PUBLIC :])
            second.verify(signature[ed25519.SIGNATURE :], data)
    except InvalidSignature:
        raise _bad(key) from None


def _bad(key: PublicKey) -> RemoteError:
    return RemoteError(
        f"the signature is not by key {key.fingerprint[:16]}… over these bytes", code="bad-signature", key=key.key_id
    )
