"""A node as an embedder holds it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from os import PathLike
from pathlib import Path
from typing import Self

from rsc_share.errors import LocalError, StorageError
from rsc_share.messages import STANDARD, Body, Registry
from rsc_share.node.alarms import Alarm
from rsc_share.node.backup import write_backup
from rsc_share.node.channel import Channel
from rsc_share.node.engine import IDLE_SECONDS, Engine
from rsc_share.node.home import Home
from rsc_share.node.unlock import Source, Unlock
from rsc_share.node.watch import Watch
from rsc_share.session.frames import News

CLOSE_SECONDS = 5.0


class Node:
    """Open one with `Node.open`; in tests take one from `rsc_share.testing.Framework`.

    All work happens in one background task; what it cannot recover from surfaces in `publish`, in `receipt` and in
    `async for`, unwrapped.
    """

    def __init__(self, engine: Engine, types: Iterable[type[Body]] = (), home: Home | None = None) -> None:
        self.engine = engine
        self.registry = Registry((*STANDARD, *types))
        self._home = home
        self._channels: dict[str, Channel] = {}
        self._work = asyncio.Event()
        self._turning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._files = asyncio.Event()
        self._carrying = asyncio.Lock()
        self._carrier: asyncio.Task[None] | None = None
        self._closed = False
        self._failure: BaseException | None = None
        self._unfit = asyncio.Event()

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, unlock: Unlock, types: Iterable[type[Body]] = ()
    ) -> AbstractAsyncContextManager[Node]:
        """The node whose directory is `path`, locked while it is open.

        `unlock` has no default: no passphrase is looked up silently. Raises on entering: `LocalError` (configuration,
        passphrase), `StorageError` (in use, damaged), `RemoteError` (`wrong-pin`). Without its relay a node opens from
        what it has on disk, and connects later; one that never read a directory raises `Unavailable`. What was logged
        while it was away is read before that, or where it is much streams in afterwards: an old copy of a node
        (`rolled-back`) may be found out only then, and signs nothing before.
        """
        return opened(Path(path), unlock, tuple(types))

    async def __aenter__(self) -> Self:
        async with self._turning:
            while await self.engine.turn() and not self.engine.behind:
                pass
        if isinstance(self.engine.stopped, StorageError):
            raise self.engine.stopped  # an old copy of state/: it never signs, so it is not opened
        self._task = asyncio.create_task(self._run(), name=f"rsc-share {self.name}")
        self._task.add_done_callback(self._ended)
        self._carrier = asyncio.create_task(self._carry(), name=f"rsc-share attachments {self.name}")
        self._carrier.add_done_callback(self._ended)
        return self

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The background task never ends by itself: if it did, whoever waits must not wait for ever."""
        if not task.cancelled():
            self._failure = task.exception()
            for line in self.engine.lines.values():
                line.wake()

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        for task in (self._carrier, self._task):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), CLOSE_SECONDS)
        for line in self.engine.lines.values():
            line.reading.inbox.wake()
        await self.close()

    async def close(self) -> None:
        """Give sessions, store and directory back. Closing twice is fine."""
        try:
            await self.engine.aclose()
        finally:
            try:
                await self.engine.store.close()
            finally:
                if self._home is not None:
                    self._home.close()

    def __repr__(self) -> str:
        return f"Node({self.name})"

    @property
    def name(self) -> str:
        """`EST/mod-1`."""
        return self.engine.identity.node

    @property
    def member(self) -> str:
        """`EST`."""
        return self.engine.identity.member

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Everything an operator or duty officer must be told, oldest first."""
        return self.engine.alarms.all()

    def channel(self, name: str) -> Channel:
        """No I/O. Raises `LocalError` if the charter has no such channel for this node."""
        self.raise_if_closed()
        line, known = self.engine.line(name), self._channels.get(name)
        if known is None or known.line is not line:  # it has moved to another log
            known = self._channels[name] = Channel(self, line, name)
        return known

    async def failed(self) -> None:
        """Raise what keeps this node from ever signing again (`cloned`, `rolled-back`), or what has ended its
        background task (`stopped`), once there is such a thing; return when the node is closed."""
        unfit = asyncio.ensure_future(self._unfit.wait())
        try:
            await asyncio.wait({unfit, self._task or unfit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            unfit.cancel()
        if isinstance(self.engine.stopped, StorageError):
            raise self.engine.stopped
        if not self._closed:
            self.raise_if_closed()

    def now(self) -> int:
        return self.engine.world.now()

    def nudge(self) -> None:
        """Something may have to be done: the background task looks again."""
        self._work.set()

    def raise_if_closed(self) -> None:
        if self._closed:
            raise LocalError(f"node {self.name} is closed")
        if self._failure is not None:
            raise StorageError(f"node {self.name} has stopped: {self._failure}", code="stopped") from self._failure

    async def backup(self, out: Path) -> int:
        """Write what a new instance may know of this one into a new file; the number of rows in it.

        Raises `LocalError` where the node has no directory, or the file is there already; `StorageError`.
        """
        if self._home is None:
            raise LocalError(f"{self.name} lives in memory: there is nothing to restore it into")
        async with self._turning:
            await self.engine.store.commit()
            return write_backup(out, self._home, self.engine.store, self.now())

    async def drain(self, news: Mapping[str, News] | None = None, *, wait: bool = True) -> bool:
        """Do everything that can be done now, with what the relays said is new (None: ask them). True if anything
        was. `wait` for what is handed in meanwhile."""
        async with self._turning:
            moved = False
            while await self.engine.turn(news, wait=wait):
                moved = True
                if news is not None:
                    if not self.engine.more:
                        break
                    news = {}
                    if self.engine.judging:
                        await asyncio.sleep(0)  # whoever wants to publish may, between two turns
            if isinstance(self.engine.stopped, StorageError):
                self._unfit.set()
            return moved

    async def carry(self) -> bool:
        """Hand in the attachments that wait, as far as the relay takes them. True if a message may leave now."""
        async with self._carrying:
            moved = await self.engine.carrier.round()
        if moved:
            self._work.set()
        return moved

    async def _carry(self) -> None:
        """Beside the turns: a large file must not keep a FLASH message waiting."""
        while True:
            self._files.clear()
            await self.carry()
            waiting = any(line.uploads.waiting for line in self.engine.lines.values())
            if self.engine.carrier.after:
                await asyncio.sleep(self.engine.carrier.after)  # nothing that happens here makes room there
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS if waiting else None):
                    await self._files.wait()

    async def _run(self) -> None:
        async with contextlib.aclosing(Watch(self.engine)) as watch:
            news: Mapping[str, News] | None = None
            while True:
                await self.drain(news, wait=False)
                if any(line.uploads.waiting for line in self.engine.lines.values()):
                    self._files.set()
                news = await watch.rest(self._work)


@contextlib.asynccontextmanager
async def opened(path: Path, unlock: Source, types: tuple[type[Body], ...] = ()) -> AsyncIterator[Node]:
    """As `Node.open`, for callers that have the passphrase already."""
    home = Home.open(path, unlock)
    try:
        node = Node(await home.engine(), types, home)
    except BaseException:
        home.close()
        raise
    try:
        async with node:
            yield node
    finally:
        await node.close()  # also where entering failed
