"""`relay.toml`: everything an operator decides, read as a whole. Whatever is wrong is said at once, line by line.

    host = "relay.example:8443"           # as the charter names this relay
    listen = "0.0.0.0:8443"               # sessions and reads, TLS
    health = "127.0.0.1:9443"             # /livez /readyz /metrics /console, plain HTTP; "off" for none
    console = "local"                     # who may see /console: local, health (all who reach `health`), off
    store = "logs"                        # a folder; or "memory:", which forgets everything at its end
    heads = "/mnt/other/heads"            # a folder outside of it, best on another disk; left out: "logs.heads"
    ballast = 536870912                   # bytes kept for a full disk; 0 for none
    charter = "<64 hex>"                  # SHA-256 of charter version 1, from paper
    keystore = "log.keystore"
    passphrase_file = "/run/secrets/rsc"  # or passphrase_env = "NAME"
    tls_certificate = "tls.crt"
    tls_key = "tls.key"
    log_level = "info"                    # debug, info, warning, error

    [limits]                              # see `Limits`; what is left out has its usual value
    connections = 2048

Paths are as seen from the folder of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from rsc_share import names
from rsc_share.charter.source import Source, Table
from rsc_share.errors import LocalError
from rsc_share.labels import toml10
from rsc_share.relay.net.limits import Limits

T = TypeVar("T")
MAX_FILE = 65_536
MEMORY = "memory:"
CONSOLES = ("local", "health", "off")
LEVELS = ("debug", "info", "warning", "error")
KEYS = (
    "host", "listen", "health", "console", "store", "heads", "ballast", "charter", "keystore", "passphrase_file",
    "passphrase_env", "tls_certificate", "tls_key", "log_level", "limits",
)  # fmt: skip
RELOADABLE = ("limits", "log_level", "tls_certificate", "tls_key")
"""What SIGHUP changes; the rest needs a restart."""
_LISTEN = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+):([0-9]{1,5})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MOST = {"connections": 100_000, "waiting": 100_000, "waiting_per_address": 100_000, "sessions_per_member": 10_000,
         "calls": 1_024, "call_bytes": 1 << 30, "blob_bytes_per_second": 1 << 40,
         "blob_bytes_per_member": 1 << 50, "entries_per_second": 1_000_000, "bytes_per_second": 1 << 40,
         "in_flight_bytes": 1 << 40}  # fmt: skip
_LEAST = {
    "call_bytes": 1 << 20,
    "bytes_per_second": 1 << 10,
    "in_flight_bytes": 1 << 20,
    "blob_bytes_per_second": 1 << 20,
}
_MOST_SECONDS = 3_600
BALLAST, _MOST_BALLAST = 512 << 20, 1 << 40


class BadSettings(LocalError):
    """`problems`: one line for each thing that is wrong, with its place and the right form."""

    def __init__(self, name: str, problems: list[str]) -> None:
        count = f"{len(problems)} thing{'s' if len(problems) > 1 else ''}"
        super().__init__(
            f"{name} has {count} to correct; nothing was started", code="settings", advice="see the lines above"
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """A file that was right. `passphrase` is `("file", path)` or `("env", name)`."""

    host: str
    listen: Endpoint
    health: Endpoint | None
    console: str
    store: str
    heads: Path | None
    """Where the outside heads are; None for a store in memory."""
    ballast: int
    charter: bytes
    keystore: Path
    passphrase: tuple[str, str]
    tls_certificate: Path
    tls_key: Path
    log_level: str
    limits: Limits

    def needs_restart(self, other: Settings) -> list[str]:
        """What differs in `other` and cannot be changed in a running relay."""
        return [
            item.name
            for item in fields(self)
            if item.name not in RELOADABLE and getattr(self, item.name) != getattr(other, item.name)
        ]


def read_settings(data: bytes, name: str, folder: Path = Path()) -> Settings:
    """The settings in a file's bytes. Raises `BadSettings` with every problem there is."""
    try:
        if len(data) > MAX_FILE:
            raise ValueError(f"more than {MAX_FILE} bytes")  # noqa: TRY301 - one place says it
        text = data.decode("utf-8")
        values = toml10.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSettings(name, [f"{name}: is not TOML: {error}"]) from None
    return _Reader(Table(Source(name, tuple(text.split("\n"))), (), values), folder).settings()


class _Reader:
    """Reads every key, whatever the others were like, and collects what is wrong."""

    def __init__(self, root: Table, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._problems: list[str] = []

    def settings(self) -> Settings:
        root = self._root
        for key in root.values:
            if key not in KEYS:
                self._wrong(root.wrong(key, f"is no key of this file; it has {', '.join(KEYS)}"))
        found: dict[str, Any] = {
            "host": self._take(lambda: root.named("host", names.host)),
            "listen": self._take(lambda: _endpoint(root, "listen")),
            "health": self._take(lambda: _health(root)),
            "console": self._take(lambda: root.choice("console", CONSOLES) if "console" in root.values else "local"),
            "store": self._take(lambda: self._store()),
            "heads": self._take(lambda: self._heads()),
            "ballast": self._take(lambda: _ballast(root)),
            "charter": self._take(lambda: root.digest("charter")),
            "keystore": self._take(lambda: self._path("keystore")),
            "passphrase": self._take(lambda: self._passphrase()),
            "tls_certificate": self._take(lambda: self._path("tls_certificate")),
            "tls_key": self._take(lambda: self._path("tls_key")),
            "log_level": self._take(lambda: _level(root)),
            "limits": self._limits(),
        }
        if self._problems:
            raise BadSettings(root.source.name, self._problems)
        return Settings(**found)

    def _take(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except LocalError as error:
            self._wrong(error)
            return None

    def _wrong(self, error: LocalError) -> None:
        self._problems.append(error.what)

    def _path(self, key: str) -> Path:
        return self._folder / self._root.text(key, high=1_000)

    def _store(self) -> str:
        value = self._root.text("store", high=1_000)
        return value if value == MEMORY else str(self._folder / value)

    def _heads(self) -> Path | None:
        """Beside the store where nothing is said: whoever puts back a copy of the store leaves it as it is."""
        if not isinstance(self._root.values.get("store"), str):
            return None  # told where `store` is read
        store = self._store()
        if "heads" not in self._root.values:
            return None if store == MEMORY else Path(f"{store.rstrip('/')}.heads")
        if store == MEMORY:
            raise self._root.wrong("heads", "is for a store that outlives the relay; leave it out")
        found = self._path("heads")
        if found.resolve().is_relative_to(Path(store).resolve()):
            raise self._root.wrong("heads", "needs a folder outside of `store`: a copy of the store must not bring it")
        return found

    def _passphrase(self) -> tuple[str, str]:
        given = [key for key in ("passphrase_file", "passphrase_env") if key in self._root.values]
        if len(given) != 1:
            raise self._root.wrong(given[-1] if given else None, "needs one of passphrase_file and passphrase_env")
        if given == ["passphrase_file"]:
            return "file", str(self._path("passphrase_file"))
        name = self._root.text("passphrase_env")
        if not _VARIABLE.fullmatch(name):
            raise self._root.wrong("passphrase_env", "needs the name of an environment variable")
        return "env", name

    def _limits(self) -> Limits:
        table = self._take(lambda: self._root.table("limits"))
        found: dict[str, Any] = {}
        if table is None:
            return Limits()
        known = {item.name: item.type for item in fields(Limits)}
        for key in table.values:
            if key not in known:
                self._wrong(table.wrong(key, f"is no limit; there are {', '.join(known)}"))
            elif key.endswith("_seconds"):
                found[key] = self._take(lambda key=key: _seconds(table, key))  # type: ignore[misc]
            else:
                found[key] = self._take(lambda key=key: table.whole(key, _LEAST.get(key, 1), _MOST[key]))  # type: ignore[misc]
        return Limits(**{key: value for key, value in found.items() if value is not None})


def _endpoint(table: Table, key: str) -> Endpoint:
    value = table.text(key)
    found = _LISTEN.fullmatch(value)
    if found is None or not 0 <= int(found[2]) < 65_536:
        raise table.wrong(key, 'needs ADDRESS:PORT such as "0.0.0.0:8443" or "[::]:8443"')
    return Endpoint(found[1].strip("[]"), int(found[2]))


def _health(table: Table) -> Endpoint | None:
    if "health" not in table.values:
        return Endpoint("127.0.0.1", 9_443)
    return None if table.values["health"] == "off" else _endpoint(table, "health")


def _ballast(table: Table) -> int:
    return BALLAST if "ballast" not in table.values else table.whole("ballast", 0, _MOST_BALLAST)


def _level(table: Table) -> str:
    return "info" if "log_level" not in table.values else table.choice("log_level", LEVELS)


def _seconds(table: Table, key: str) -> float:
    value = table.values[key]
    if type(value) not in (int, float) or not 0 < value <= _MOST_SECONDS:
        raise table.wrong(key, f"needs a number of seconds above 0 and up to {_MOST_SECONDS}")
    return float(value)
