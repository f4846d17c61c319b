"""The key file beside the database: what makes erased rows unreadable.

    file   = msgpack ["rsc-share/v1 state keys", store id 16, nonce 24, sealed]
    sealed = XChaCha20-Poly1305(root key, nonce, aad = type || store id) over
             msgpack [key of row ids, current segment, segment of the journal, time of the last rotation in ms,
                      [[segment, key], ...]]

Every row is sealed under the key of a segment. Segment 0 is for rows whose old versions may stay readable to who holds
this file (numbers, hashes, facts). All others last an hour: rotation seals what is still alive of them again under a
new one and writes this file without the old keys. So does the journal's, once all of it is in the table. Copies of the
old file are the one thing that brings them back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from rsc_share import codec, shape
from rsc_share.durable import write_whole
from rsc_share.errors import RemoteError, StorageError

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
ID_SIZE: Final = 16
MAX_FILE: Final = 1 << 22
PERMANENT: Final = 0
_TYPE: Final = "rsc-share/v1 state keys"
_MAX_SEGMENTS: Final = 65_536
NEW: Final = (
    "run `rsc-share node restore`, or move the state folder away to start as a new instance with an empty inbox"
)


def seal(key: bytes, data: bytes, aad: bytes) -> bytes:
    """Nonce and ciphertext. A random nonce of 192 bits never comes twice, however many rows a key seals."""
    nonce = os.urandom(NONCE_SIZE)
    sealed: bytes = crypto_aead_xchacha20poly1305_ietf_encrypt(data, aad, nonce, key)
    return nonce + sealed


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Raises `nacl.exceptions.CryptoError` for anything but what `seal` gave with this key and aad."""
    opened: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[NONCE_SIZE:], aad, sealed[:NONCE_SIZE], key)
    return opened


@dataclass(frozen=True)
class Segments:
    """An opened key file. Changing it gives a new value; `save` makes it the file."""

    store_id: bytes
    id_key: bytes = field(repr=False)
    current: int
    journal: int
    rotated: int
    keys: dict[int, bytes] = field(repr=False)

    @classmethod
    def new(cls) -> Segments:
        keys = {segment: os.urandom(KEY_SIZE) for segment in (PERMANENT, 1, 2)}
        return cls(os.urandom(ID_SIZE), os.urandom(KEY_SIZE), 1, 2, 0, keys)

    def opened(self) -> Segments:
        """With a segment that follows: rows that are sealed from now on go there."""
        following = max(self.keys) + 1
        return replace(self, current=following, keys={**self.keys, following: os.urandom(KEY_SIZE)})

    def journaled(self) -> Segments:
        """With a new segment for the journal."""
        following = max(self.keys) + 1
        return replace(self, journal=following, keys={**self.keys, following: os.urandom(KEY_SIZE)})

    def without(self, dead: set[int], now: int) -> Segments:
        """After a rotation at `now` (ms): what the dead segments sealed cannot be read by anybody."""
        alive = {segment: key for segment, key in self.keys.items() if segment not in dead}
        return replace(self, keys=alive, rotated=now)

    def save(self, path: Path, root: bytes) -> None:
        """Replace the file and overwrite what it held. When this returns the old keys are out of reach."""
        content = codec.pack(
            [self.id_key, self.current, self.journal, self.rotated, sorted([n, key] for n, key in self.keys.items())]
        )
        data = codec.pack([_TYPE, self.store_id, seal(root, content, _aad(self.store_id))])
        with _old(path) as old:
            write_whole(path, data, mode=0o600)
            old.wipe()

    @classmethod
    def load(cls, path: Path, root: bytes) -> Segments:
        """Raises `StorageError` (`damaged-state`)."""
        try:
            data = path.read_bytes()
            kind, store_id, sealed = shape.row(codec.unpack(data, max_size=MAX_FILE), "keys", 3)
            shape.choice(kind, "keys.type", [_TYPE])
            store_id = shape.blob(store_id, "keys.store", size=ID_SIZE)
            content = unseal(root, shape.blob(sealed, "keys.sealed", low=NONCE_SIZE, high=MAX_FILE), _aad(store_id))
            value = codec.unpack(content, max_size=MAX_FILE, max_items=_MAX_SEGMENTS)
            id_key, current, journal, rotated, rows = shape.row(value, "keys", 5)
            pairs = [shape.row(row, "keys", 2) for row in shape.items(rows, "keys", high=_MAX_SEGMENTS)]
        except OSError as error:
            raise _damaged(path, error.strerror or "cannot be read") from None
        except CryptoError:
            raise _damaged(path, "belongs to another keystore") from None
        except RemoteError as error:
            raise _damaged(path, error.what) from None
        return cls(store_id, id_key, current, journal, rotated, dict(pairs))


def _aad(store_id: bytes) -> bytes:
    return _TYPE.encode() + store_id


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path}: {why}", code="damaged-state", advice=NEW)


class _old:  # noqa: N801  used as `with _old(path)`
    """The file that is about to be replaced, held open so that its blocks can still be overwritten."""

    def __init__(self, path: Path) -> None:
        self._path, self._handle = path, -1

    def __enter__(self) -> _old:
        if self._path.exists():
            self._handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return self

    def wipe(self) -> None:
        """Best effort: what a journal or a worn flash cell keeps beneath the file is beyond any program."""
        if self._handle >= 0:
            os.pwrite(self._handle, bytes(os.fstat(self._handle).st_size), 0)
            os.fsync(self._handle)

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
