"""A node in a process of its own, to be killed. Everything that is settled is said on stdout before the next step.

    fault_node.py HOME PASSPHRASE CHANNEL WAITING FIRST RATE TO

It publishes numbers from FIRST on, RATE a second (0: none), for TO (`@members`, or codes), and waits for the receipts
of WAITING to FIRST - 1, which an earlier life published. SIGUSR1 ends the publishing, SIGTERM the process.

    begun                    the first word of a process
    open                     acked N                  `publish` returned
    signed LOG SEQ HASH      about to leave           receipt N SEQ INDEX
    refused HASH             with a signature         lost N          acknowledged, and not in the outbox
    shown LOG SIZE ROOT      a checkpoint             given WHO N     done WHO N      `done` returned
    stopped CODE             failed N CODE            idle       all published have receipts
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from no_sync import if_asked

from rsc_share import Node, Unlock
from rsc_share.envelope.header import Header, header_hash
from rsc_share.errors import LocalError, RscError
from rsc_share.messages import ThreatAssessment
from rsc_share.node.net.port import NetPort
from rsc_share.session.frames import Logged, Turned

LABEL = "REGIONAL RESTRICTED REL TO "
CODES = ("EST", "FIN", "LVA", "SWE")
WORKERS = 64
"""Publishers at once: they share the syncs of their node."""
FINISHING = 256
"""Messages of which `done` may be under way: they share syncs, too."""
OUTSTANDING = 1_000
"""Messages without a receipt, above which nothing is published: a machine that cannot keep up must not fall behind for
ever."""


def tell(*words: object) -> None:
    """One write: half a line is never the end of what was said."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def overheard() -> None:
    """Tell what leaves through the port and what the relay shows, before anybody acts on it."""
    submit, read, changed = NetPort.submit, NetPort.read, NetPort.changed
    sizes: dict[str, tuple[bytes, int]] = {}

    async def told_submit(self: NetPort, log: str, entries: Sequence[Any]) -> Any:
        hashes = [header_hash(entry.header) for entry in entries]
        for entry, digest in zip(entries, hashes, strict=True):
            tell("signed", log, Header.parse(entry.header).seq, digest.hex())
        outcomes = await submit(self, log, entries)
        first = next((n for n, outcome in enumerate(outcomes) if isinstance(outcome, Turned)), len(outcomes))
        for digest, outcome in list(zip(hashes, outcomes, strict=True))[first:]:
            if not isinstance(outcome, Logged):
                tell("refused", digest.hex())  # or behind one that was refused: it can stand there no more
        return outcomes

    def shown(tail: Any) -> None:
        told = tail.note[:200], tail.start + len(tail.items)
        if sizes.get(tail.log) != told:
            sizes[tail.log] = told
            _, size, root = tail.note.split(b"\n")[:3]
            tell("shown", tail.log, int(size), root.decode(), told[1])

    async def told_read(self: NetPort, log: str, start: int, limit: int) -> Any:
        tail = await read(self, log, start, limit)
        if tail is not None:
            shown(tail)
        return tail

    async def told_changed(self: NetPort, *known: Any) -> Any:
        news = await changed(self, *known)
        for tail in () if news is None else news.tails:
            shown(tail)
        return news

    NetPort.submit, NetPort.read, NetPort.changed = told_submit, told_read, told_changed  # type: ignore[method-assign]


class Publisher:
    def __init__(self, node: Node, channel: str, waiting: int, first: int, rate: float, to: str) -> None:
        self.channel, self.rate, self.stop = node.channel(channel), rate, asyncio.Event()
        self.label = LABEL + to
        self.numbers = itertools.count(first)
        self.old = range(waiting, first)
        self.receipts: set[asyncio.Task[None]] = set()
        self.room = asyncio.Semaphore(OUTSTANDING)

    async def run(self) -> None:
        for number in self.old:
            try:
                self.wait_for(number, self.channel.submission(str(number)))
            except LocalError:
                tell("lost", number)
        self.began, self.made = asyncio.get_running_loop().time(), 0
        await asyncio.gather(*(self.work() for _ in range(WORKERS if self.rate else 0)))
        await self.stop.wait()
        while self.receipts:
            await asyncio.wait(self.receipts)
        tell("idle")

    async def work(self) -> None:
        while not self.stop.is_set():
            self.made += 1
            due = self.began + self.made / self.rate
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self.room.acquire()
            number = next(self.numbers)
            draft = ThreatAssessment(title=f"{number}", text=[])
            sent = await self.channel.publish(draft, label=self.label, key=str(number))
            tell("acked", number)
            self.wait_for(number, sent)

    def wait_for(self, number: int, sent: Any) -> None:
        task = asyncio.create_task(self.receipt(number, sent))
        self.receipts.add(task)
        task.add_done_callback(self.over)

    def over(self, task: asyncio.Task[None]) -> None:
        self.receipts.discard(task)
        self.room.release()

    async def receipt(self, number: int, sent: Any) -> None:
        try:
            found = await sent.receipt()
        except Exception as error:  # noqa: BLE001 - whatever it is, the harness must hear it
            tell("failed", number, getattr(error, "code", repr(error)))
        else:
            tell("receipt", number, found.place.seq, found.index)


async def consume(node: Node, channel: str) -> None:
    room = asyncio.Semaphore(FINISHING)

    async def finish(message: Any) -> None:
        await message.done()
        tell("done", message.sender, message.body.title)
        room.release()

    async with node.channel(channel).subscribe() as messages, asyncio.TaskGroup() as finishing:
        async for message in messages:
            tell("given", message.sender, message.body.title)
            await room.acquire()
            finishing.create_task(finish(message))


def everybody_is_there(node: Node, channel: str) -> bool:
    """Whether the witnessed directory has a prekey of every node: what is published before is not for all of them."""
    if channel not in {log.rpartition("/")[2] for log in node.engine.lines}:
        return False
    view, now = node.engine.trust.view, node.now()
    return all(view.prekey(f"{code}/mod-1", now) is not None for code in CODES)


def first(error: BaseException) -> BaseException:
    """Several messages may fail at once, all for what the first one did."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def run(home: Path, passphrase: Path, channel: str, waiting: int, first: int, rate: float, to: str) -> None:
    tell("begun")
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    async with Node.open(home, unlock=Unlock.file(passphrase)) as node:
        while not everybody_is_there(node, channel):  # noqa: ASYNC110 - another process's prekey rings no bell here
            await asyncio.sleep(0.05)
        publisher = Publisher(node, channel, waiting, first, rate, to)
        loop.add_signal_handler(signal.SIGUSR1, publisher.stop.set)
        tell("open")
        work = asyncio.gather(publisher.run(), consume(node, channel))
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
        ended = work.done()
        work.cancel()
        ending.cancel()
        await asyncio.gather(work, ending, return_exceptions=True)
        if ended and not work.cancelled():
            work.result()


if __name__ == "__main__":
    if_asked()
    overheard()
    arguments = sys.argv[1:]
    try:
        asyncio.run(run(Path(arguments[0]), Path(arguments[1]), arguments[2], *map(int, arguments[3:6]), arguments[6]))
    except (RscError, ExceptionGroup) as error:
        why = first(error)
        if not isinstance(why, RscError):
            raise
        tell("stopped", why.code)
        sys.stderr.write(f"{why}\n")
        sys.exit(74)
