"""A framework in memory with one node on disk: it can be killed at any write, copied, and opened again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RscError
from rsc_share.messages import Indicator
from rsc_share.node.home import Home
from rsc_share.node.inbox import Arrival
from rsc_share.node.node import Node
from rsc_share.node.store.sqlite import SqliteStore
from rsc_share.node.unlock import Unlock
from rsc_share.testing import Framework

GREEN = "TLP:GREEN REL TO @members"
PASSPHRASE = b"not a secret"
OpenStore = Callable[[Path, bytes], SqliteStore]


def indicator(pattern: str) -> Indicator:
    return Indicator(pattern=pattern, stix_id="i")


class Bomb:
    """Fails the N-th write of a store: before it is written, or when it is durable and nobody has been told."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def open(self, folder: Path, root: bytes) -> SqliteStore:
        store = SqliteStore.open(folder, root)
        sync = store._sync

        def bombed() -> None:
            self.count += 1
            if self.count == self.at and not self.after:
                raise OSError(5, "the power is off")
            sync()
            if self.count == self.at:
                raise OSError(5, "the power is off")

        store._sync = bombed
        return store

    @property
    def went_off(self) -> bool:
        return self.count >= self.at


class Bench:
    """`open` and `crash` as often as you like. The relay and the other nodes live on."""

    def __init__(self, fw: Framework, member: str, path: Path) -> None:
        self.fw, self.member, self.path = fw, member, path
        self.node: Node | None = None
        (path.parent / "unlock").write_bytes(PASSPHRASE)

    @classmethod
    @asynccontextmanager
    async def create(cls, folder: Path, member: str = "EST", *, seed: int = 0) -> AsyncIterator[Bench]:
        async with Framework.create("EST", "LVA", "FIN", seed=seed) as fw:
            bench = cls(fw, member, folder / "node")
            await fw.move_out(member, bench.path, PASSPHRASE)
            try:
                yield bench
            finally:
                await bench.close()

    @property
    def unlock(self) -> Unlock:
        return Unlock.file(self.path.parent / "unlock")

    async def open(self, open_store: OpenStore = SqliteStore.open, path: Path | None = None) -> Node:
        """The node, without its background task: everything happens in `settle`."""
        home = Home.open(path or self.path, self.unlock)
        try:
            self.node = Node(await home.engine(open_store), home=home)
        except RscError:
            home.close()
            raise
        self.fw.host(self.node)
        return self.node

    async def started(self, open_store: OpenStore = SqliteStore.open) -> Node:
        node = await self.open(open_store)
        await self.fw.settle()
        return node

    def crash(self) -> None:
        """The process is gone: nothing is written, nothing is said."""
        if self.node is not None:
            self.fw.let_go(self.node)
            self.node.engine.store.abandon()
            self.node._home.close()
            self.node = None

    async def close(self) -> None:
        if self.node is not None:
            self.fw.let_go(self.node)
            node, self.node = self.node, None
            await node.close()

    async def restarted(self) -> Node:
        self.crash()
        return await self.started()

    # --- what the outside sees

    async def log(self) -> list[UnverifiedEntry]:
        """Every entry of the channel, as the relay has it."""
        (origin,) = (log for log in self.fw.relay_service.logs if log.endswith("/main"))
        live = self.fw.relay_service.logs[origin]
        found = self.fw.store.read(origin, 0, live.size, max_bytes=1 << 40)
        return [UnverifiedEntry.parse(stored.entry) async for stored in found]

    async def own(self) -> list[UnverifiedEntry]:
        return [entry for entry in await self.log() if entry.header.sender == f"{self.member}/mod-1"]


def patterns(node: Node) -> list[str]:
    """What a node has been given, in order."""
    return [reading(node, event) for event in arrivals(node)]


def arrivals(node: Node) -> list[Arrival]:
    events = node.channel("main").line.reading.inbox.events
    return [event for event in events if isinstance(event, Arrival)]


def reading(node: Node, event: Arrival) -> str:
    if not event.payloads:
        return "(recalled)"
    body = node.registry.read(event.header.type, event.payloads, event.total, {}, event.labels)
    return str(body.pattern)


def grep(folder: Path, needle: bytes) -> list[str]:
    """Files of a folder that hold these bytes."""
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and needle in path.read_bytes()]


def rows(folder: Path) -> int:
    with sqlite3.connect(folder / "store.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    connection.close()
    return int(count)
