"""The framework on disk: folders for a relay and four nodes, as `relay init` and `node init` leave them.

Founded like the one in memory, with keys made for this run; keystores open at once, because nothing here is a secret.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from rsc_share.crypto.keystore import UNSAFE_FAST, Keystore
from rsc_share.crypto.signing import PrivateKey
from rsc_share.crypto.tls import read_certificate, self_signed
from rsc_share.demo.stage import PLAN, STATES
from rsc_share.durable import write_whole
from rsc_share.node.home import Home, Settings
from rsc_share.node.identity import system_clock
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.file_heads import FileHeads
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.testing.founding import HOST, Founded, found
from rsc_share.testing.people import NodeKeys
from rsc_share.value import replace

CONFIG, UNLOCK, STORE, HEADS = "relay/relay.toml", "unlock", "relay/store", "relay/store.heads"
PASSPHRASE = b"of a demonstration, never of a relay"
_RELAY = """host = "{host}"
listen = "127.0.0.1:{port}"
health = "127.0.0.1:0"
store = "store"
ballast = 0
charter = "{charter}"
keystore = "log.keystore"
passphrase_file = "../unlock"
tls_certificate = "tls.crt"
tls_key = "tls.key"
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """`folder` holds everything; `pin` is that of the relay's TLS key, which the charter names."""

    folder: Path
    founded: Founded
    pin: str

    @property
    def config(self) -> Path:
        return self.folder / CONFIG

    @property
    def unlock(self) -> Path:
        return self.folder / UNLOCK

    def home(self, member: str) -> Path:
        return self.folder / member.lower()

    def log(self, channel: str) -> str:
        """The origin of a channel's log."""
        return f"{HOST}/{PLAN.framework}/{channel}"

    def relay_at(self, port: int) -> None:
        """Write the relay's settings. It takes any free port once (0); after that it has to be where nodes dial."""
        text = _RELAY.format(host=HOST, port=port, charter=self.founded.framework_id.hex())
        write_whole(self.config, text.encode())

    def nodes_dial(self, port: int) -> None:
        """Make every node's home. Their `node.toml` names the relay, so this comes after it has a port."""
        for member in STATES:
            (keys,) = self.founded.parties[member].nodes
            settings = Settings(
                node=keys.name,
                charter_digest=self.founded.framework_id,
                directory=self.founded.charter.directory,
                relays={HOST: f"wss://127.0.0.1:{port}#{self.pin}"},
                officers=(),
            )
            Home.create(self.home(member), settings, _secrets(keys), PASSPHRASE, cost=UNSAFE_FAST)


def _secrets(keys: NodeKeys) -> dict[str, PrivateKey]:
    return {"signing": keys.signing, "witness": keys.witness, "witness-pq": keys.witness_pq}


async def prepare(folder: Path) -> Ground:
    """Found the framework and log its charter in a new store, as `relay run --found` would."""
    now = system_clock()
    tls_key, certificate = self_signed(HOST, now)
    pin, _ = read_certificate(certificate)
    founded = found(replace(PLAN, nodes={}, seed=secrets.randbits(62), tls_pins=(pin,)), now)
    ground = Ground(folder, founded, pin)
    files = {UNLOCK: PASSPHRASE, "relay/tls.key": tls_key, "relay/tls.crt": certificate}
    for name, data in files.items():
        write_whole(folder / name, data, mode=0o600)
    keystore = Keystore.create(folder / "relay/log.keystore", PASSPHRASE, cost=UNSAFE_FAST)
    for name, key in zip(("log", "log-pq"), founded.log_keys, strict=True):
        keystore.put(name, key)
    keystore.save()
    await _log_charter(ground)
    ground.relay_at(0)
    return ground


async def _log_charter(ground: Ground) -> None:
    founded, store = ground.founded, SqliteStore.open(ground.folder / STORE)
    heads = FileHeads.open(ground.folder / HEADS)
    try:
        keys = LogKeys(*founded.log_keys)
        relay = await Relay.open(
            store, host=HOST, framework_id=founded.framework_id, keys=keys, clock=system_clock, outside=heads
        )
        async with relay:
            await relay.found(*founded.genesis())
    finally:
        heads.close()
        await store.aclose()
