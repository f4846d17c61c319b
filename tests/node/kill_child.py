"""A node in a process of its own, to be killed: it publishes by number, takes what comes, and says what is settled.

    kill_child.py HOME SOCKET TIME FIRST

Lines on stdout: `open`, `acked N` once `publish` has returned, `given TEXT`, `done TEXT` once `done` has returned.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from node_world import GREEN, indicator
from pipe_port import PipePort

from rsc_share.node.connect import register
from rsc_share.node.identity import Identity, World
from rsc_share.node.node import Node
from rsc_share.node.unlock import Unlock

LAST = 100_000


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def publish(node: Node, first: int, step: int) -> None:
    for number in range(first, LAST, step):
        await node.channel("main").publish(indicator(f"{number}"), label=GREEN, key=f"{number}")
        tell(f"acked {number}")


async def consume(node: Node) -> None:
    async with node.channel("main").subscribe() as messages:
        async for message in messages:
            tell(f"given {message.body.pattern}")
            await message.done()
            tell(f"done {message.body.pattern}")


async def run(home: Path, socket: Path, now: int, first: int) -> None:
    async def connect(host: str, address: str, identity: Identity) -> tuple[Any, World]:
        return PipePort(socket), World(lambda: now)

    register("memory", connect)
    async with Node.open(home, unlock=Unlock.file(home.parent / "unlock")) as node:
        tell("open")
        await asyncio.gather(publish(node, first, 1), consume(node))


asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
