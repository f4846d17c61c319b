"""A line between a node and the relay that can fall silent: nothing is closed, nothing arrives."""

from __future__ import annotations

import asyncio


class Proxy:
    """On a port of its own. While `cut`, bytes stay where they are, in both directions, and new connections hang."""

    address = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    """What a node behind it is run by: see `Namespace`."""

    def __init__(self) -> None:
        self._to, self._flows = 0, asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Carry to `port`; the port to dial."""
        self._to = port
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        self._flows.clear()

    def heal(self) -> None:
        self._flows.set()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass  # one end is gone; the other one is told
        finally:
            sink.close()

    async def end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
