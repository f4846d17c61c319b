"""The bytes of a keystore file. Pure: no file is touched here.

    file   = msgpack [header: bin, sealed: bin, SHA-256(header || sealed)]
    header = msgpack ["rsc-share/v1 keystore", salt16, passes, memory in bytes, nonce12]
    sealed = AES-256-GCM(Argon2id(passphrase, salt, passes, memory), nonce, aad = header) over
             msgpack {name: [suite, secret]}, suite 0 for a secret that is no key of ours

The checksum only tells a damaged file from a wrong passphrase; against a person it is the tag that counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.exceptions import RuntimeError as SodiumError
from nacl.pwhash import argon2id

from rsc_share import codec
from rsc_share.crypto.sealing import PREKEY_SECRET_SIZE
from rsc_share.crypto.signing import SECRET_SIZE, Suite
from rsc_share.errors import LocalError, StorageError
from rsc_share.shape import blob, choice, integer, row, wrong

MAX_FILE: Final = 1 << 20
MAX_SECRETS: Final = 1024
MAX_SECRET: Final = 4096
PLAIN: Final = 0
"""The suite of a secret that is no key of ours."""
SALT_SIZE: Final = argon2id.SALTBYTES
NONCE_SIZE: Final = 12

_TYPE: Final = "rsc-share/v1 keystore"
_SIZES: Final = {**SECRET_SIZE, Suite.HPKE: PREKEY_SECRET_SIZE}
_MIB: Final = 1 << 20
_PASSES: Final = (1, 16)
_MEMORY: Final = (8 * _MIB, 1024 * _MIB)

Secrets = dict[str, tuple[int, bytes]]
"""Name -> suite and secret."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs (Argon2id, RFC 9106): passes over memory, and bytes of memory.

    At most 16 passes and 1 GiB: a file that asks for more is refused before it is obeyed.
    """

    passes: int
    memory: int

    def __post_init__(self) -> None:
        if not (_PASSES[0] <= self.passes <= _PASSES[1] and _MEMORY[0] <= self.memory <= _MEMORY[1]):
            raise LocalError("Argon2id takes 1 to 16 passes over 8 MiB to 1 GiB here", code="cost")


MODERATE: Final = Cost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)
"""libsodium's: 3 passes over 256 MiB, about half a second."""
UNSAFE_FAST: Final = Cost(1, 8 * _MIB)
"""A few milliseconds. For tests and demonstrations: a stolen file is guessed at a hundred times the speed."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file taken apart, not yet opened: nobody has vouched for any of it."""

    salt: bytes
    cost: Cost
    nonce: bytes
    header: bytes = field(repr=False)
    sealed: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> KeyFile:
        """Raises `RemoteError`. The bounds on the cost come before the work it asks for: a file may be hostile."""
        parts = row(codec.unpack(data, max_size=MAX_FILE, max_depth=1), "file", 3)
        header, sealed = blob(parts[0], "header", high=256), blob(parts[1], "sealed", high=MAX_FILE)
        if parts[2] != hashlib.sha256(header + sealed).digest():
            raise wrong("file", "does not match its checksum")
        kind, salt, passes, memory, nonce = row(codec.unpack(header, max_size=256, max_depth=1), "header", 5)
        choice(kind, "header.type", [_TYPE])
        cost = Cost(
            integer(passes, "header.passes", low=_PASSES[0], high=_PASSES[1]),
            integer(memory, "header.memory", low=_MEMORY[0], high=_MEMORY[1]),
        )
        salt = blob(salt, "header.salt", size=SALT_SIZE)
        return cls(salt, cost, blob(nonce, "header.nonce", size=NONCE_SIZE), header, sealed)

    def open(self, key: bytes) -> Secrets:
        """The secrets, or `InvalidTag` (another passphrase) or `RemoteError` (not what `seal_file` writes)."""
        content = AESGCM(key).decrypt(self.nonce, self.sealed, self.header)
        value = codec.unpack(content, max_size=MAX_FILE, max_items=MAX_SECRETS, max_depth=2)
        if type(value) is not dict:
            raise wrong("secrets", "needs a map")
        return {name: _parse_item(name, item) for name, item in value.items()}


def seal_file(key: bytes, *, salt: bytes, cost: Cost, nonce: bytes, secrets: Mapping[str, tuple[int, bytes]]) -> bytes:
    """The bytes of a whole file. `key` comes from `derive` with this salt and cost; `nonce` never comes twice."""
    header = codec.pack([_TYPE, salt, cost.passes, cost.memory, nonce])
    content = codec.pack({name: list(item) for name, item in secrets.items()})
    sealed = AESGCM(key).encrypt(nonce, content, header)
    return codec.pack([header, sealed, hashlib.sha256(header + sealed).digest()])


def derive(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    """Argon2id (version 1.3, one lane): the key of a file."""
    if type(passphrase) is not bytes or not passphrase:
        raise LocalError("the passphrase of a keystore is bytes, and not empty", code="wrong-passphrase")
    try:
        return argon2id.kdf(32, passphrase, salt, opslimit=cost.passes, memlimit=cost.memory)
    except SodiumError:
        what = f"there is not enough memory to open a keystore ({cost.memory // _MIB} MiB)"
        raise StorageError(what, code="no-memory") from None


def _parse_item(name: str, item: Any) -> tuple[int, bytes]:
    suite, secret = row(item, name, 2)
    choice(suite, name, [PLAIN, *map(int, Suite)])
    if suite == PLAIN:
        return PLAIN, blob(secret, name, low=1, high=MAX_SECRET)
    return suite, blob(secret, name, size=_SIZES[Suite(suite)])
