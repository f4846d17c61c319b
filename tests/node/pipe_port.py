"""A relay port through a unix socket, for nodes in processes that are killed. One connection for each call."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import struct
from pathlib import Path
from typing import Any

from rsc_share.errors import RscError, Unavailable
from rsc_share.session.frames import Submission

METHODS = (
    "logs",
    "submit",
    "submit_object",
    "read",
    "witnessed",
    "bodies",
    "offers",
    "cosign",
    "changed",
)


async def _read(reader: asyncio.StreamReader) -> Any:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301  both ends are this test


def _write(writer: asyncio.StreamWriter, value: Any) -> None:
    data = pickle.dumps(value)
    writer.write(struct.pack(">I", len(data)) + data)


class PipePort:
    """The child's end."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)

        async def call(*args: Any) -> Any:
            if name == "submit":
                args = (args[0], [entry.wire() for entry in args[1]])
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                _write(writer, (name, args))
                kind, *value = await _read(reader)
            except (OSError, asyncio.IncompleteReadError):
                raise Unavailable("the relay does not answer") from None
            finally:
                writer.close()
            if kind == "error":
                raise value[0](*value[1], **value[2])
            return value[0]

        return call


class PipeServer:
    """The relay's end. `signed` holds every header that ever arrived, by log and number."""

    def __init__(self, connect: Any, socket: Path) -> None:
        self._connect, self._socket = connect, socket
        self.port = connect()
        self.signed: dict[tuple[str, int], set[bytes]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> PipeServer:
        self._server = await asyncio.start_unix_server(self._serve, self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def new_session(self) -> None:
        """A new process has come: it fences the one before."""
        self.port = self._connect()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            name, args = await _read(reader)
            _write(writer, await self._answer(name, args))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # killed in the middle
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, name: str, args: Any) -> Any:
        if name == "submit":
            args = (args[0], [Submission.from_wire(entry) for entry in args[1]])
            self._note(*args)
        try:
            return ("value", await getattr(self.port, name)(*args))
        except RscError as error:
            fixed = {"code": error.code} | ({"row": error.row} if hasattr(error, "row") else {})
            given = (error.code, error.what) if hasattr(error, "row") else (error.what,)
            fixed = {"row": error.row} if hasattr(error, "row") else fixed
            return ("error", type(error), given, fixed)

    def _note(self, log: str, entries: list[Submission]) -> None:
        from rsc_share.envelope.header import Header

        for entry in entries:
            seq = Header.parse(entry.header).seq
            self.signed.setdefault((log, seq), set()).add(entry.header)
