"""One directory is one node: `node.toml keys/ state/ evidence/ lock`. Locked by one process at a time."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsc_share import names, shape
from rsc_share.crypto.keystore import MODERATE, Cost, Keystore
from rsc_share.crypto.signing import PrivateKey
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError, RemoteError, RscError, StorageError
from rsc_share.labels import toml10
from rsc_share.node.connect import close, connect, raise_unreached
from rsc_share.node.engine import Engine
from rsc_share.node.identity import Identity, World
from rsc_share.node.instance import Instance
from rsc_share.node.store.protocol import Shelf, Store
from rsc_share.node.store.segments import KEY_SIZE, NEW
from rsc_share.node.store.sqlite import SqliteStore
from rsc_share.node.unlock import Source
from rsc_share.session.port import RelayPort

CONFIG, KEYS, STATE, EVIDENCE, LOCK = "node.toml", "keys/keystore", "state", "evidence", "lock"
FOLDERS = ("keys", STATE, EVIDENCE)
STATE_KEY = "state"
"""The secret in the keystore that opens the store's key file."""
MAX_CONFIG = 65_536
MAX_ADDRESS = 800
"""Characters: a host, and the eight pins a charter may name."""
OpenStore = Callable[[Path, bytes], Store]


@dataclass(frozen=True, slots=True)
class Settings:
    """What `node.toml` says. Readable by everybody: it holds no secret."""

    node: str
    charter_digest: bytes
    directory: str
    relays: Mapping[str, str]
    officers: tuple[str, ...]

    def text(self) -> str:
        relays = "".join(f'"{host}" = "{address}"\n' for host, address in sorted(self.relays.items()))
        officers = ", ".join(f'"{name}"' for name in self.officers)
        return (
            f'node = "{self.node}"\n'
            f'charter_digest = "{self.charter_digest.hex()}"  # SHA-256 of charter version 1, from paper\n'
            f'directory = "{self.directory}"\n'
            f"officers = [{officers}]\n\n[relays]\n{relays}"
        )

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Raises `LocalError` with the file and what would be right."""
        try:
            data = path.read_bytes()[: MAX_CONFIG + 1]
        except OSError as error:
            raise LocalError(f"{path}: {error.strerror}", advice="make one with `rsc-share node init`") from None
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, where: str) -> Settings:
        """As `read`, from bytes that stand in `where`."""
        try:
            value = toml10.loads(data.decode("utf-8")) if len(data) <= MAX_CONFIG else {}
        except (ValueError, RecursionError) as error:
            raise LocalError(f"{where}: not TOML: {error}") from None
        try:
            return cls._checked(value)
        except RemoteError as error:
            raise LocalError(f"{where}: {error.what}") from None

    @classmethod
    def _checked(cls, value: Any) -> Settings:
        m = shape.closed(value, CONFIG, ("charter_digest", "directory", "node", "officers", "relays"))
        digest = shape.text(m["charter_digest"], "charter_digest", low=64, high=64)
        if set(digest) - set("0123456789abcdef"):
            raise shape.wrong("charter_digest", "needs 64 lower-case hex digits")
        relays = m["relays"]
        if not isinstance(relays, dict) or not relays:
            raise shape.wrong("relays", "needs at least one host and its address")
        return cls(
            names.node(m["node"]),
            bytes.fromhex(digest),
            names.origin(m["directory"], "directory"),
            {
                names.host(host): shape.text(address, "relays", low=1, high=MAX_ADDRESS)
                for host, address in relays.items()
            },
            tuple(shape.each(names.officer, m["officers"], "officers", high=16)),
        )


class Home:
    """An unlocked node directory. `close` gives the lock back; closing twice is fine."""

    def __init__(self, path: Path, settings: Settings, keystore: Keystore, lock: int) -> None:
        self.path, self.settings, self._keystore, self._lock = path, settings, keystore, lock

    @classmethod
    def create(
        cls,
        path: Path,
        settings: Settings,
        keys: Mapping[str, PrivateKey],
        passphrase: bytes,
        *,
        cost: Cost = MODERATE,
    ) -> None:
        """A new node directory: keys first, then `node.toml`, so that a crash leaves no half node."""
        if (path / CONFIG).exists():
            raise LocalError(f"{path} is a node already", advice="choose another directory")
        for folder in FOLDERS:
            (path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        keystore = Keystore.create(path / KEYS, passphrase, cost=cost)
        for name, key in keys.items():
            keystore.put(name, key)
        keystore.save()
        write_whole(path / CONFIG, settings.text().encode())

    @classmethod
    def open(cls, path: Path, unlock: Source) -> Home:
        settings = Settings.read(path / CONFIG)
        lock = _take_lock(path / LOCK)
        try:
            return cls(path, settings, Keystore.open(path / KEYS, unlock.passphrase()), lock)
        except RscError:
            os.close(lock)
            raise

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def identity(self) -> Identity:
        store = self._keystore
        return Identity(
            node=self.settings.node,
            charter_digest=self.settings.charter_digest,
            signer=store.signer("signing"),
            witness=store.signer("witness"),
            witness_pq=store.signer("witness-pq"),
            officers={name: store.signer(f"officer/{name.partition('/')[2]}") for name in self.settings.officers},
        )

    def store(self, open_store: OpenStore = SqliteStore.open) -> Store:
        """What this node remembers, under a key that the keystore holds. Raises `StorageError`.

        Where the keystore has had such a key for a while and the folder is empty, an earlier instance lost its state:
        the new one takes no number and no cosigned tree for granted.
        """
        known = STATE_KEY in self._keystore.names
        if not known:
            self._keystore.put(STATE_KEY, os.urandom(KEY_SIZE))
            self._keystore.save()
        store = open_store(self.path / STATE, self._keystore.secret(STATE_KEY))
        if store.fresh:
            Instance(os.urandom(16), self.settings.node, follows=known).begin(Shelf(store))
        return store

    def state_secret(self) -> bytes:
        """What opens the store's key file, and seals a backup."""
        return self._keystore.secret(STATE_KEY)

    async def engine(self, open_store: OpenStore = SqliteStore.open) -> Engine:
        """With everything this node remembers, and dialling every relay the settings name.

        A relay that does not answer is dialled again in the background: what is published meanwhile waits in the
        outbox. Only a node that holds no directory yet has nothing to go on and raises `Unavailable`.
        """
        identity = self.identity()
        ports: dict[str, RelayPort] = {}
        world = World()
        store = self.store(open_store)
        try:
            for host, address in self.settings.relays.items():
                ports[host], world = await connect(host, address, identity)
            engine = self._engine(identity, ports, world, store)
            if not engine.trust.ready:
                raise_unreached(ports.values())
        except BaseException:
            await close(ports.values())
            await store.close()
            raise
        return engine

    def _engine(self, identity: Identity, ports: Mapping[str, RelayPort], world: World, store: Store) -> Engine:
        """What a store says that does not fit together is this machine's fault."""
        try:
            return Engine(identity, self.settings.directory, ports, world, self.keep_evidence, store)
        except RscError as error:
            what = f"{self.path / STATE} cannot be read: {error.what}"
            raise StorageError(what, code="damaged-state", advice=error.advice or NEW) from error
        except sqlite3.Error as error:  # a page that was overwritten shows only when it is read
            what = f"{self.path / STATE} cannot be read: {error}"
            raise StorageError(what, code="damaged-state", advice=NEW) from error

    def keep_evidence(self, code: str, parts: Mapping[str, bytes]) -> Path:
        """Signed proof of misbehaviour, one folder for each case."""
        number = 1 + len(list((self.path / EVIDENCE).iterdir()))
        folder = self.path / EVIDENCE / f"{number:04d}-{code}"
        folder.mkdir(mode=0o700)
        for name, data in parts.items():
            write_whole(folder / name, data)
        return folder


def _take_lock(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 64).decode("ascii", "replace").strip()
        os.close(handle)
        raise StorageError(f"{path.parent} is in use by process {holder}", code="in-use") from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle
