"""Processes of this run: started, heard, killed, and never left behind. One that ends unasked ends the run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rsc_share.errors import Unavailable

T = TypeVar("T")
KEPT = 200
"""Lines of a process that are kept."""
MAX_LINE = 1 << 20
GRACE = 20.0
"""Seconds a process has after SIGTERM before the run fails."""


class Child:
    """One process. `ended` is set when it is over; `asked` says that somebody here wanted that."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name, self.process, self.asked = name, process, False
        self.lines: deque[str] = deque(maxlen=KEPT)
        self._heard = asyncio.Condition()
        self._ended = False

    @property
    def pid(self) -> int:
        return self.process.pid

    async def follow(self) -> int:
        """Read what it says until it has ended; its exit code."""
        said = self.process.stdout
        while said is not None and (line := await said.readline()):
            await self._told(line.decode("utf-8", "replace").rstrip("\n"))
        code = await self.process.wait()
        async with self._heard:
            self._ended = True
            self._heard.notify_all()
        return code

    async def _told(self, line: str) -> None:
        async with self._heard:
            self.lines.append(line)
            self._heard.notify_all()

    async def says(self, word: str) -> str:
        """The first line that holds `word`. Raises `Unavailable` (`child`) where it ends before."""

        def found() -> str | None:
            return next((line for line in self.lines if word in line), None)

        async with self._heard:
            await self._heard.wait_for(lambda: self._ended or found() is not None)
        line = found()
        if line is None:
            raise self.failure()
        return line

    async def event(self, name: str) -> dict[str, Any]:
        """The first line of that name in the log of a relay or node."""
        found: dict[str, Any] = json.loads(await self.says(f'"event": "{name}"'))
        return found

    def failure(self) -> Unavailable:
        code, last = self.process.returncode, self.lines[-1] if self.lines else "it said nothing"
        return Unavailable(
            f"the process of {self.name} ended by itself with {code}: {last}",
            code="child",
            advice="what it said is the reason; run the demonstration again, or with --in-process",
        )

    def kill(self) -> None:
        """SIGKILL: nothing in it gets a chance to tidy up."""
        self.asked = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)


class Processes:
    """All processes of a run. Made by `processes()`."""

    def __init__(self) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._all: dict[Child, asyncio.Task[int]] = {}

    async def start(self, name: str, *arguments: str) -> Child:
        """`rsc-share ARGUMENTS` as a process. It is in a session of its own: Ctrl-C is for the parent, who ends it."""
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rsc_share.demo.network.child", str(os.getpid()), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True, limit=MAX_LINE,
        )  # fmt: skip
        child = Child(name, made)
        self._all[child] = asyncio.create_task(self._watch(child))
        return child

    async def _watch(self, child: Child) -> int:
        code = await child.follow()
        if not child.asked and code != 0 and not self.broken.done():
            self.broken.set_exception(child.failure())
        return code

    async def code(self, child: Child) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._all[child])

    async def stop(self, child: Child) -> int:
        """SIGTERM, and its exit code."""
        child.asked = True
        with contextlib.suppress(ProcessLookupError):
            child.process.terminate()
        try:
            async with asyncio.timeout(GRACE):
                return await self.code(child)
        except TimeoutError:
            raise Unavailable(f"{child.name} does not end at SIGTERM", code="child") from None

    async def guarded(self, work: Awaitable[T]) -> T:
        """The result of `work`; the failure of a process that ended unasked, as soon as one does."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self.broken], return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
            if self.broken.done():
                self.broken.result()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        for child in self._all:
            child.kill()
        await asyncio.gather(*self._all.values(), return_exceptions=True)
        self.broken.cancel()


@asynccontextmanager
async def processes() -> AsyncIterator[Processes]:
    """None of them outlives the block, whatever ends it."""
    found = Processes()
    try:
        yield found
    finally:
        await found.close()
