"""A child process whose lines are heard as they come, and after a SIGKILL to the last one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 120.0
"""Seconds: for a machine that is busy, not for one that is broken."""


class Child:
    """Made by `started`. `hear` gets every whole line of stdout."""

    def __init__(self, process: asyncio.subprocess.Process, hear: Callable[[str], None], errors: Path) -> None:
        self.process, self.errors = process, errors
        self._hear = hear
        self._killed = False
        self._pump = asyncio.create_task(self._read())

    @classmethod
    async def started(
        cls,
        command: list[str],
        hear: Callable[[str], None],
        errors: Path,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Child:
        with errors.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *prefix,
                sys.executable,
                *command,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env={**os.environ, **(env or {})},
                limit=1 << 20,
            )
        return cls(process, hear, errors)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.endswith(b"\n"):
                self._hear(line.decode().rstrip("\n"))

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def failed(self) -> bool:
        """Whether it ended of its own, and not because it refused to go on (74)."""
        return not self.alive and not self._killed and self.process.returncode not in (0, 74)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and hear what it had said by then."""
        if self.alive:
            self._killed = True
            self.process.kill()
        await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended and everything is heard."""
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await self._pump
        return code
