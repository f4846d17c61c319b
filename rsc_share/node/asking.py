"""Requests and answers on a node's local socket, and how a program asks.

    frame = u32 length || msgpack value, at most 1 MiB

A connection carries one request, `[name, {arguments}]`, and its answers `[name, {...}]`; the last one is `end` or
`error`; `progress` may come in between. A listener confirms each `message` with `["done", {"last": flag}]` before the
next one comes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from rsc_share import codec, shape
from rsc_share.errors import LocalError, RemoteError
from rsc_share.node.records.tickets import read_error

SOCKET: Final = "socket"
MAX_FRAME: Final = 1 << 20


class Answer:
    """Frames to the other end."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._told: dict[str, int] = {}

    async def __call__(self, name: str, fields: dict[str, Any]) -> None:
        self._writer.write(framed([name, fields]))
        await self._writer.drain()

    def progress(self, what: str, done: int, total: int) -> None:
        """At most a hundred of these for each thing, so that nobody has to wait for who does not read them."""
        percent = 100 * done // max(1, total)
        if self._told.get(what) != percent and not self._writer.is_closing():
            self._told[what] = percent
            self._writer.write(framed(["progress", {"done": done, "total": total, "what": what}]))


def framed(value: Any) -> bytes:
    data = codec.pack(value)
    if len(data) > MAX_FRAME:
        raise LocalError(f"{len(data)} bytes do not fit the local socket", advice=f"at most {MAX_FRAME}")
    return struct.pack(">I", len(data)) + data


async def next_frame(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    """Name and fields. Raises `asyncio.IncompleteReadError` at the end, `RemoteError` for anything else."""
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    if length > MAX_FRAME:
        raise RemoteError(f"a frame of {length} bytes; at most {MAX_FRAME}")
    name, fields = shape.row(codec.unpack(await reader.readexactly(length), max_size=MAX_FRAME), "frame", 2)
    if type(fields) is not dict:
        raise shape.wrong("frame", "needs a map of fields")
    return shape.text(name, "frame", low=1, high=40), fields


async def ask(
    folder: Path, name: str, fields: dict[str, Any], count: int | None = None
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The answers of the node that runs in `folder`; of messages at most `count`.

    A `message` is done when the next answer is asked for. Raises `LocalError` (`not-running`), and whatever the node
    answered with.
    """
    given = 0
    try:
        reader, writer = await asyncio.open_unix_connection(folder / SOCKET, limit=MAX_FRAME)
    except OSError:
        advice = f"start it: rsc-share node run {folder}"
        raise LocalError(f"no node runs in {folder}", code="not-running", advice=advice) from None
    try:
        writer.write(framed([name, fields]))
        while True:
            try:
                kind, found = await next_frame(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                advice = f"its log says why; what it had queued leaves after: rsc-share node run {folder}"
                raise LocalError(f"the node in {folder} has stopped", code="not-running", advice=advice) from None
            if kind == "error":
                raise read_error(found["error"])
            if kind == "end":
                return
            yield kind, found
            if kind == "message":
                given += 1
                writer.write(framed(["done", {"last": given == count}]))
    finally:
        writer.close()
