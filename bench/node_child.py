"""A node in a process of its own for the benchmarks: sends or reads, and says on stdout what happened.

node_child.py send HOME PASSPHRASE READER         then, on stdin:  flash RATE . attach PATH . stop
node_child.py read HOME PASSPHRASE FOLDER

ready                             connected, and a first message went through
prepared . uploaded               `publish` has returned . the relay has file and message
flash SENT MS                     a FLASH message, sent at SENT (monotonic ns), was handed out MS later
saving . saved BYTES              an attachment
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sampling import Pace, flushing
from stage import CHANNEL, LABEL, TEXT, warm

from rsc_share import Attachment, Draft, Message, Node, Portion, Unlock, collector
from rsc_share.demo.network.child import bind_to
from rsc_share.errors import Unavailable
from rsc_share.messages import Indicator, ThreatAssessment

TIMED = "due "


def tell(*words: object) -> None:
    print(*words, flush=True)


async def send(node: Node, reader: str) -> None:
    """Until stdin ends. What went wrong beside it is raised with the next command."""
    await warm(node, [reader])
    tell("ready")
    publishing: asyncio.Task[None] | None = None
    attaching: list[asyncio.Task[None]] = []
    async for word, *arguments in _commands():
        if publishing is not None and word in ("publish", "quiet"):
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
        if word == "publish":
            publishing = asyncio.create_task(_publish(node, arguments[0], float(arguments[1])))
        elif word == "attach":
            attaching.append(asyncio.create_task(_attach(node, arguments[0])))


async def _commands() -> AsyncIterator[list[str]]:
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async for line in stdin:
        yield line.decode().split()


async def _publish(node: Node, rank: Any, rate: float) -> None:
    """Each at its time, however long the ones before it take: who waits for the last one measures no queue."""
    channel, began, pace = node.channel(CHANNEL), time.monotonic_ns(), Pace()
    async with asyncio.TaskGroup() as group:
        for number in itertools.count(1):
            due = began + int(number * 1e9 / rate)
            await pace.until(due)
            body = Indicator(
                pattern=TEXT, stix_id=f"{TIMED}{due}"
            )  # one portion: one entry, as the others send one message
            group.create_task(channel.publish(body, label=LABEL, precedence=rank))


async def _attach(node: Node, path: str) -> None:
    body = ThreatAssessment(title="file", text=[Portion("a large file", LABEL)])
    sent = await node.channel(CHANNEL).publish(Draft(body, label=LABEL, attachments=[Attachment.file(path)]))
    tell("prepared")
    await sent.receipt()
    tell("uploaded")


async def read(node: Node, folder: Path) -> None:
    tasks = [asyncio.create_task(flushing())]
    while not node.engine.lines:  # noqa: ASYNC110 - a benchmark's start
        await asyncio.sleep(0.05)
    async with node.channel(CHANNEL).subscribe(ThreatAssessment, Indicator, consumer="bench") as inbox:
        tell("ready")
        async for found in inbox:
            if found.attachments:
                tasks.append(asyncio.create_task(_save(found, folder)))
                continue
            if isinstance(found.body, Indicator):
                due = int(found.body.stix_id.removeprefix(TIMED))
                print("got", found.precedence, due, (time.monotonic_ns() - due) / 1e6)
            await found.done(wait=False)  # as the others acknowledge: with the next write
            for task in tasks:
                if task.done():
                    task.result()


async def _save(found: Message[Any], folder: Path) -> None:
    (attachment,) = found.attachments
    tell("saving")
    while True:
        try:
            saved = await attachment.save(folder / "received")
        except Unavailable:  # the relay is away: what came is kept, and the rest is asked for again
            await asyncio.sleep(0.5)
        else:
            break
    await found.done()
    tell("saved", saved.stat().st_size)


async def run(role: str, home: Path, passphrase: Path, argument: str) -> None:
    async with Node.open(home, unlock=Unlock.file(passphrase)) as node:
        collector.freeze()  # as `rsc-share node run` does
        await (send(node, argument) if role == "send" else read(node, Path(argument)))


if __name__ == "__main__":
    bind_to(int(sys.argv.pop(1)))
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
