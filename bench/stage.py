"""A relay as its operator runs it, and nodes beside it, for the benchmarks: processes, TLS, disks, real time.

    async with staged(Plan(...), folder) as stage:
        await stage.relay.start()
        node = await stage.node("EST")                     # in this process, with a durable store
        home = stage.home("FIN")                           # a folder for a process of its own

The relay is `rsc-share relay run` with its defaults and a TOML file; its charter was logged before, as `--found` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rsc_share import Node, PolicyDenied, Portion
from rsc_share.charter.directory import Directory
from rsc_share.crypto.keystore import UNSAFE_FAST, Keystore
from rsc_share.crypto.tls import read_certificate, self_signed
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.messages import ThreatAssessment
from rsc_share.node.engine import Engine
from rsc_share.node.home import Home, Settings
from rsc_share.node.identity import Identity, World, system_clock
from rsc_share.node.net import dial
from rsc_share.node.net.address import Address
from rsc_share.node.net.link import Link
from rsc_share.node.net.port import NetPort
from rsc_share.node.store.sqlite import SqliteStore as NodeStore
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.service import Relay
from rsc_share.relay.store.file_heads import FileHeads
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.session.frames import Full
from rsc_share.testing.founding import HOST, Founded, Plan, found
from rsc_share.testing.people import NodeKeys
from rsc_share.value import replace

LABEL = "REGIONAL RESTRICTED REL TO @members"
TEXT = "x" * 900
CHANNEL = "main"
PASSPHRASE = b"of a measurement, never of a relay"
READY_SECONDS = 120.0
PROGRAM = "rsc_share.demo.network.child"
"""`rsc-share`, in a process that ends with this one, however it ends."""
_TOML = """host = "{host}"
listen = "127.0.0.1:{port}"
health = "127.0.0.1:0"
store = "store"
charter = "{charter}"
keystore = "log.keystore"
passphrase_file = "passphrase"
tls_certificate = "tls.crt"
tls_key = "tls.key"
"""


def unheard(line: str) -> None:
    """What nobody but `says` waits for."""


class Child:
    """A process whose lines are read all the time, so that it never waits for us."""

    def __init__(self, process: asyncio.subprocess.Process, hear: Callable[[str], None]) -> None:
        self.process, self._hear = process, hear
        self.lines: deque[str] = deque(maxlen=1_024)
        self._news = asyncio.Condition()
        self._ended = False
        self._task = asyncio.create_task(self._follow())

    @classmethod
    async def of(cls, *command: str, hear: Callable[[str], None] = unheard) -> Child:
        """`python COMMAND`; `hear` is told each line."""
        pipe = asyncio.subprocess.PIPE
        made = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=pipe, stdout=pipe, limit=1 << 26, cwd=Path(__file__).parent
        )
        return cls(made, hear)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return not self._ended

    async def _follow(self) -> None:
        said = self.process.stdout
        while said is not None and (line := await said.readline()):
            async with self._news:
                self.lines.append(line.decode().rstrip("\n"))
                self._hear(self.lines[-1])
                self._news.notify_all()
        await self.process.wait()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def says(self, word: str) -> str:
        """The first line it said, or says, that holds `word`; `RuntimeError` where it ends before."""

        def found() -> str | None:
            return next((line for line in self.lines if word in line), None)

        async with self._news:
            await self._news.wait_for(lambda: self._ended or found() is not None)
        line = found()
        if line is None:
            raise RuntimeError(f"a child ended with {self.process.returncode} before it said {word!r}")
        return line

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def ended(self) -> int:
        await self._task
        return await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """SIGKILL, and wait."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.ended()


class RelayProcess:
    """`rsc-share relay run` in `folder`, started, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        assert self._child is not None, "the relay was not started"
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    async def start(self) -> float:
        """Seconds from the start of the process until it serves."""
        began = time.perf_counter()
        self._child = await Child.of("-m", PROGRAM, str(os.getpid()), "relay", "run", str(self.folder / "relay.toml"))
        event: dict[str, Any] = json.loads(await self._child.says('"event": "serving"'))
        seconds = time.perf_counter() - began
        if not self.port:
            self.port = event["port"]
            self._stay()
        return seconds

    def _stay(self) -> None:
        """The same port after a restart: nodes dial it."""
        path = self.folder / "relay.toml"
        path.write_text(path.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{self.port}"'))

    async def stop(self) -> None:
        assert await self.child.stop() == 0, "the relay did not end in peace"

    async def kill(self) -> None:
        await self.child.kill()

    async def close(self) -> None:
        if self._child is not None:
            await self._child.kill()


@dataclass(slots=True)
class Stage:
    """A founded framework on disk. `relay` is not running yet."""

    folder: Path
    founded: Founded
    pin: str
    relay: RelayProcess
    permanent: Mapping[bytes, bytes]
    """The bodies of charter version 1."""
    children: list[Child] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"wss://127.0.0.1:{self.relay.port}#{self.pin}"

    @property
    def log(self) -> str:
        return f"{HOST}/{self.founded.plan.framework}/{CHANNEL}"

    @property
    def directory(self) -> str:
        return self.founded.charter.directory

    def identity(self, keys: NodeKeys) -> Identity:
        return Identity(keys.name, self.founded.framework_id, keys.signing, keys.witness, keys.witness_pq)

    def link(self, keys: NodeKeys) -> Link:
        """A connection of a node that only speaks what it is told. It has not dialled yet."""
        return Link(Address.parse(HOST, self.address), self.identity(keys), World())

    async def node(self, code: str) -> Node:
        """A member's first node in this process, with its store in `folder`. Not entered yet."""
        identity = self.identity(self.founded.parties[code].nodes[0])
        port, _ = await dial(HOST, self.address, identity)
        store = NodeStore.open(self.folder / f"{code}-state", bytes(32))
        return Node(Engine(identity, self.directory, {HOST: port}, World(), store=store))

    def home(self, code: str) -> Path:
        """The folder of a member's first node, for a process that opens it with `passphrase`."""
        keys, path = self.founded.parties[code].nodes[0], self.folder / f"{code}-home"
        settings = Settings(keys.name, self.founded.framework_id, self.directory, {HOST: self.address}, ())
        secrets = {"signing": keys.signing, "witness": keys.witness, "witness-pq": keys.witness_pq}
        Home.create(path, settings, secrets, PASSPHRASE, cost=UNSAFE_FAST)
        return path

    @property
    def passphrase(self) -> Path:
        return self.relay.folder / "passphrase"

    async def child(self, *command: str, hear: Callable[[str], None] = unheard) -> Child:
        """A process that does not outlive the stage."""
        made = await Child.of(*command, hear=hear)
        self.children.append(made)
        return made


@asynccontextmanager
async def staged(plan: Plan, folder: Path | None = None, objects: Iterable[Any] = ()) -> AsyncIterator[Stage]:
    """Found `plan` in a new folder below `folder`, which is removed at the end.

    `objects`: from what was founded and ms UTC to further directory objects that are logged behind the charter.
    """
    with TemporaryDirectory(prefix="bench-", dir=folder) as scratch:
        stage = await _founded(plan, Path(scratch), objects)
        try:
            yield stage
        finally:
            for child in stage.children:
                await child.kill()
            await stage.relay.close()


async def _founded(plan: Plan, folder: Path, objects: Iterable[Any]) -> Stage:
    now = system_clock()
    tls_key, certificate = self_signed(HOST, now)
    pin, _ = read_certificate(certificate)
    founded = found(replace(plan, tls_pins=(pin,)), now)
    home = folder / "relay"
    home.mkdir()
    toml = _TOML.format(host=HOST, port=0, charter=founded.framework_id.hex())
    files = {"tls.key": tls_key, "tls.crt": certificate, "passphrase": PASSPHRASE, "relay.toml": toml.encode()}
    for name, data in files.items():
        (home / name).write_bytes(data)
        os.chmod(home / name, 0o600)
    keystore = Keystore.create(home / "log.keystore", PASSPHRASE, cost=UNSAFE_FAST)
    for name, key in zip(("log", "log-pq"), founded.log_keys, strict=True):
        keystore.put(name, key)
    keystore.save()
    store, keys = SqliteStore.open(home / "store"), LogKeys(*founded.log_keys)
    heads = FileHeads.open(home / "store.heads")
    relay = await Relay.open(
        store, host=HOST, framework_id=founded.framework_id, keys=keys, clock=system_clock, outside=heads
    )
    async with relay:
        charter, bodies = founded.genesis()
        await relay.found(charter, bodies)
        for make in objects:
            for data in make(founded, now):
                await relay._log_object(data, {})  # nobody has witnessed anything yet, so `submit_object` would wait
    heads.close()
    await store.aclose()
    return Stage(folder, founded, pin, RelayProcess(home), bodies)


async def read_directory(stage: Stage, port: NetPort) -> Directory:
    """The directory as a node reads it from the relay."""
    directory = Directory.begin(stage.founded.framework_id)
    while (tail := await port.read(stage.directory, directory.size, 512)) is not None and tail.items:
        for item in tail.items:
            assert isinstance(item, Full)
            entry = DirectoryEntry.parse(item.entry)
            directory.apply(entry.object, entry.stamp.logged_at, stage.permanent)
    return directory


def message(title: str) -> ThreatAssessment:
    return ThreatAssessment(title=title, text=[Portion(TEXT, LABEL)])


async def warm(publisher: Node, readers: Iterable[str]) -> None:
    """Until a first message went through to `readers`: witnesses, prekeys, a grant."""
    async with asyncio.timeout(READY_SECONDS):
        while not publisher.engine.lines:  # noqa: ASYNC110 - a benchmark's start, not its measurement
            await asyncio.sleep(0.05)
        while True:
            try:
                sent = await publisher.channel(CHANNEL).publish(message("warm"), label=LABEL, must_reach=list(readers))
            except PolicyDenied:  # somebody has no prekey yet
                await asyncio.sleep(0.05)
            else:
                await sent.receipt()
                return
