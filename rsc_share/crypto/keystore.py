"""The keystore: one file of named secrets under a passphrase. The only file I/O of this package.

The format stands in `keyfile`. What was removed here may survive in old blocks of the disk: keep the file on an
encrypted one.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from rsc_share.crypto.keyfile import (
    MAX_FILE,
    MAX_SECRET,
    MAX_SECRETS,
    MODERATE,
    NONCE_SIZE,
    PLAIN,
    SALT_SIZE,
    UNSAFE_FAST,
    Cost,
    KeyFile,
    Secrets,
    derive,
    seal_file,
)
from rsc_share.crypto.sealing import Prekey
from rsc_share.crypto.signing import SECRET_SIZE, PrivateKey, Signer, Suite
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError, RemoteError, StorageError

__all__ = ["MODERATE", "UNSAFE_FAST", "Cost", "Keystore"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9/._-]{0,127}")


class Keystore:
    """Named secrets, in memory once opened. `put` and `remove` change memory, `save` makes all of it durable at once.

    One process at a time: who opens it to write holds the lock of the directory it lies in.
    """

    __slots__ = ("_cost", "_key", "_path", "_salt", "_secrets")

    def __init__(self, path: Path, key: bytes, salt: bytes, cost: Cost, secrets: Secrets) -> None:
        """Use `create` or `open`."""
        self._path, self._key, self._salt, self._cost, self._secrets = path, key, salt, cost, secrets

    @classmethod
    def create(cls, path: str | os.PathLike[str], passphrase: bytes, *, cost: Cost = MODERATE) -> Keystore:
        """A new, empty keystore, written at once. Raises `LocalError` (`keystore-exists`) and `StorageError`."""
        where = Path(path)
        if os.path.lexists(where):
            raise LocalError(f"{where} exists", code="keystore-exists", advice="keys are never overwritten")
        salt = os.urandom(SALT_SIZE)
        store = cls(where, derive(passphrase, salt, cost), salt, cost, {})
        store.save()
        return store

    @classmethod
    def open(cls, path: str | os.PathLike[str], passphrase: bytes) -> Keystore:
        """The keystore in `path`.

        Raises `LocalError` (`no-keystore`, `wrong-permissions`, `wrong-passphrase`) and `StorageError`
        (`damaged-keystore`: restore it from a backup).
        """
        where = Path(path)
        try:
            file = KeyFile.parse(_read(where))
            key = derive(passphrase, file.salt, file.cost)
            secrets = file.open(key)
        except InvalidTag:
            raise LocalError(f"wrong passphrase for {where}", code="wrong-passphrase") from None
        except RemoteError as error:
            advice = "restore it from a backup"
            raise StorageError(f"{where} is damaged ({error.what})", code="damaged-keystore", advice=advice) from None
        return cls(where, key, file.salt, file.cost, secrets)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all secrets, sorted."""
        return tuple(sorted(self._secrets))

    def put(self, name: str, value: PrivateKey | Prekey | bytes) -> None:
        """Hold `value` under a free `name` (a-z, 0-9, / . _ -); `save` writes it. A name is never overwritten."""
        if not _NAME.fullmatch(name):
            raise LocalError(f"{name[:40]!r} is not a name for a secret")
        if name in self._secrets:
            raise LocalError(f"there is a secret named {name}", code="secret-exists", advice="remove it first")
        if len(self._secrets) >= MAX_SECRETS:
            raise LocalError(f"a keystore holds at most {MAX_SECRETS} secrets")
        self._secrets[name] = _item(value)

    def remove(self, name: str) -> None:
        """Forget a secret; `save` writes it."""
        self._find(name)
        del self._secrets[name]

    def signer(self, name: str) -> Signer:
        """The signing key under `name`, behind the interface that a hardware token will have too."""
        suite, secret = self._find(name)
        if suite not in SECRET_SIZE:
            raise LocalError(f"the secret {name} does not sign", code="wrong-secret")
        return PrivateKey(suite, secret)

    def prekey(self, name: str) -> Prekey:
        """The prekey under `name`."""
        return Prekey.from_bytes(self._only(name, Suite.HPKE, "prekey"))

    def secret(self, name: str) -> bytes:
        """The bytes under `name`, such as the key of a local store; never a signing key or a prekey."""
        return self._only(name, PLAIN, "plain secret")

    def save(self) -> None:
        """Write all secrets durably and atomically: a crash leaves the old file or the new one, whole.

        Raises `StorageError` (`keystore-not-saved`): the file may be the old one, memory holds the new secrets.
        """
        # The key stays, the nonce is new: 96 random bits are enough for 2^32 saves (NIST SP 800-38D section 8.3).
        nonce = os.urandom(NONCE_SIZE)
        data = seal_file(self._key, salt=self._salt, cost=self._cost, nonce=nonce, secrets=self._secrets)
        if len(data) > MAX_FILE:
            raise LocalError(f"the keystore would exceed {MAX_FILE} bytes")
        try:
            write_whole(self._path, data, mode=0o600)
        except StorageError as error:
            raise StorageError(f"the keystore is not saved: {error.what}", code="keystore-not-saved") from error

    def _find(self, name: str) -> tuple[int, bytes]:
        if name not in self._secrets:
            raise LocalError(f"there is no secret named {name} in {self._path}", code="no-secret")
        return self._secrets[name]

    def _only(self, name: str, suite: int, what: str) -> bytes:
        found, secret = self._find(name)
        if found != suite:
            raise LocalError(f"the secret {name} is no {what}", code="wrong-secret")
        return secret

    def __repr__(self) -> str:
        return f"Keystore({str(self._path)!r}, {len(self._secrets)} secrets)"

    def __reduce__(self) -> Any:
        raise LocalError("a keystore is not pickled or copied")


def _item(value: PrivateKey | Prekey | bytes) -> tuple[int, bytes]:
    if isinstance(value, PrivateKey):
        return int(value.public.suite), value.secret()
    if isinstance(value, Prekey):
        return int(Suite.HPKE), value.to_bytes()
    if type(value) is not bytes or not 1 <= len(value) <= MAX_SECRET:
        raise LocalError(f"a plain secret has 1 to {MAX_SECRET} bytes")
    return PLAIN, value


def _read(path: Path) -> bytes:
    # Not blocking: a named pipe put in place of the file must not hang the caller. The checks are made on what was
    # opened, not on what the name meant a moment before.
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LocalError(f"{path} is not a file", code="no-keystore")
            if status.st_mode & 0o077:
                advice = f"chmod 600 {path}"
                raise LocalError(f"others may read or write {path}", code="wrong-permissions", advice=advice)
            return file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise LocalError(f"there is no keystore {path}", code="no-keystore") from None
    except PermissionError:
        raise LocalError(f"{path} may not be read", code="wrong-permissions") from None
    except IsADirectoryError:
        raise LocalError(f"{path} is not a file", code="no-keystore") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", code="keystore-not-read") from error
