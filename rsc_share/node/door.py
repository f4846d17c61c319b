"""The local socket of a running node: other programs of the same user publish, listen and look through it.

What a request looks like: `rsc_share.node.asking`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import struct
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

from rsc_share import shape
from rsc_share.errors import LocalError, RscError, StorageError
from rsc_share.node.asking import MAX_FRAME, SOCKET, Answer, next_frame
from rsc_share.node.attachments import MAX_ATTACHMENTS, Attachment
from rsc_share.node.draft import Draft
from rsc_share.node.local import message_wire, read_body, save_all, status_of
from rsc_share.node.node import Node
from rsc_share.node.receipt import Receipt
from rsc_share.node.records.tickets import error_wire
from rsc_share.node.submission import Submission

MAX_CONNECTIONS: Final = 64
MAX_OBJECT_BODIES: Final = 16
_CREDENTIALS: Final = struct.Struct("3i")


class Door:
    """Open while the node runs: `async with Door(node, folder)`."""

    def __init__(self, node: Node, folder: Path) -> None:
        self._node, self._path = node, folder / SOCKET
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()
        self._closing = False

    async def __aenter__(self) -> Door:
        listening = _bound(self._path)
        self._server = await asyncio.start_unix_server(self._enter, sock=listening, limit=MAX_FRAME)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._closing = True
        for guest in self._guests:
            guest.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = asyncio.current_task()
        if guest is None or len(self._guests) >= MAX_CONNECTIONS or peer_uid(writer) != os.geteuid():
            writer.close()  # the mode of the socket says the same; this holds where the folder's does not
            return
        self._guests.add(guest)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it went away; what it asked for stands
        except asyncio.CancelledError:
            # By us, because the door closes. Python 3.11 logs a guest that ends as cancelled as if it were a bug.
            if not self._closing:
                raise
        finally:
            self._guests.discard(guest)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = Answer(writer)
        try:
            name, fields = await next_frame(reader)
            handler = {
                "backup": self._backup,
                "checkpoints": self._checkpoints,
                "hand-in": self._hand_in,
                "listen": self._listen,
                "publish": self._publish,
                "status": self._status,
            }
            if name not in handler:
                raise LocalError(f"this node does not know the request {name!r}", advice="use the same release")
            await handler[name](fields, answer, reader)
            await answer("end", {})
        except RscError as error:
            await answer("error", {"error": error_wire(error)})

    async def _publish(self, fields: dict[str, Any], answer: Answer, _: asyncio.StreamReader) -> None:
        m = shape.closed(fields, "publish", ("attach", "body", "channel", "key", "label", "precedence", "type", "wait"))
        body = read_body(self._node.registry, m["type"], m["body"])
        files = shape.each(_file, m["attach"], "attach", high=MAX_ATTACHMENTS)
        draft = Draft(body, label=m["label"], key=m["key"], precedence=m["precedence"], attachments=files)

        def read(name: str, done: int, total: int) -> None:
            answer.progress(f"reading {name}", done, total)

        sent = await self._node.channel(m["channel"]).publish(draft, progress=read)
        await answer("queued", {"id": str(sent.id), "members": sorted(sent.plan.released_to)})
        if m["wait"]:
            receipt = await _receipt(sent, answer)
            await answer("logged", {"index": receipt.index, "reference": receipt.reference})

    async def _listen(self, fields: dict[str, Any], answer: Answer, reader: asyncio.StreamReader) -> None:
        m = shape.closed(fields, "listen", ("channel", "consumer", "save"))
        async with self._node.channel(m["channel"]).subscribe(consumer=m["consumer"], window=1) as messages:
            waiting = _Hangup(reader)
            try:
                while (message := await waiting.unless(anext(messages))) is not None:
                    paths: list[Path] = []
                    save = shape.maybe(shape.text, m["save"], "save", low=1, high=4_096)
                    if save is not None and message.attachments:
                        found = await waiting.unless(save_all(message, Path(save), answer.progress))
                        if found is None:
                            return  # it left; what was saved stays, and the next listener goes on
                        paths = found
                    await answer("message", message_wire(message, paths))
                    word, said = await waiting.said()
                    if word != "done":
                        return
                    await message.done()
                    if said.get("last"):
                        return
            finally:
                await waiting.close()

    async def _status(self, fields: dict[str, Any], answer: Answer, _: asyncio.StreamReader) -> None:
        shape.closed(fields, "status", ())
        await answer("status", status_of(self._node))

    async def _checkpoints(self, fields: dict[str, Any], answer: Answer, _: asyncio.StreamReader) -> None:
        """The newest checkpoint of each log that this node saw k members witness: an answer for each."""
        shape.closed(fields, "checkpoints", ())
        for log, note in sorted(self._node.engine.notes().items()):
            await answer("checkpoint", {"log": log, "note": note})

    async def _hand_in(self, fields: dict[str, Any], answer: Answer, _: asyncio.StreamReader) -> None:
        """Certificates, charters, revocations: they prove themselves, the node only carries them to the directory."""
        m = shape.closed(fields, "hand-in", ("bodies", "object"))
        found = shape.blob(m["object"], "object", low=1)
        bodies = shape.items(m["bodies"], "bodies", high=MAX_OBJECT_BODIES)
        named = {hashlib.sha256(shape.blob(body, "bodies", high=MAX_FRAME)).digest(): body for body in bodies}
        engine = self._node.engine
        index = await engine.port(engine.directory_log).submit_object(found, named)
        await answer("logged", {"index": index, "log": engine.directory_log})

    async def _backup(self, fields: dict[str, Any], answer: Answer, _: asyncio.StreamReader) -> None:
        m = shape.closed(fields, "backup", ("out",))
        await answer("backup", {"rows": await self._node.backup(Path(m["out"]))})


def _file(value: Any, where: str) -> Attachment:
    path, media = shape.row(value, where, 2)
    return Attachment.file(shape.text(path, where, low=1, high=4_096), media=shape.text(media, where))


async def _receipt(sent: Submission, answer: Answer) -> Receipt:
    """The receipt, and until then how much of the attachments has been handed in."""
    receipt = asyncio.ensure_future(sent.receipt())
    try:
        while not receipt.done():
            for name, (done, total) in sent.uploads.items():
                answer.progress(f"sending {name}", done, total)
            step = asyncio.ensure_future(sent.change())
            await asyncio.wait({receipt, step}, return_when=asyncio.FIRST_COMPLETED)
            step.cancel()
    finally:
        receipt.cancel()
    return await receipt


class _Hangup:
    """What the other end says next, read beside waiting for a message: a listener that left must not keep its name."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._next: asyncio.Task[tuple[str, dict[str, Any]]] = asyncio.create_task(next_frame(reader))

    async def unless(self, wait: Awaitable[Any]) -> Any:
        """The result of `wait`, or None if the other end said anything, or left, before that."""
        waiting = asyncio.ensure_future(wait)
        try:
            await asyncio.wait({waiting, self._next}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def said(self) -> tuple[str, dict[str, Any]]:
        found = await self._next
        self._next = asyncio.create_task(next_frame(self._reader))
        return found

    async def close(self) -> None:
        self._next.cancel()
        await asyncio.gather(self._next, return_exceptions=True)


def peer_uid(writer: asyncio.StreamWriter) -> int:
    """The user at the other end, as the kernel says."""
    found: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = _CREDENTIALS.unpack(found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def _bound(path: Path) -> socket.socket:
    """A listening socket of mode 0600. The node's lock is held, so one that lies there is of a process that died."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
        made.listen(MAX_CONNECTIONS)
    except OSError as error:
        made.close()
        raise StorageError(f"{path}: {error.strerror or error}", code="no-socket") from None
    finally:
        os.umask(before)
    return made
