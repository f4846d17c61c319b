"""What durability costs a node: how long `publish` takes, and how many messages a second leave.

    python bench/node_store.py [--messages 2000] [--folder DIR]

The relay and the other nodes live in this process, in memory, so that what differs between the rows is the store of
the one node that publishes. `--folder` says on which disk that is: a RAM disk shows the cost without the syncs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rsc_share import Node, Unlock
from rsc_share.messages import Indicator
from rsc_share.testing import Framework

LABEL = "TLP:GREEN REL TO @members"
PASSPHRASE = b"of a measurement"


async def measure(node: Node, messages: int, tasks: int, *, wait: bool = True) -> tuple[float, float, float, float]:
    """Messages a second until durable, the same until logged, median and 99th percentile of `publish` in ms."""
    channel, latencies = node.channel("main"), []
    last = []

    async def publish(first: int) -> None:
        for number in range(first, messages, tasks):
            began = time.perf_counter()
            sent = await channel.publish(Indicator(pattern=f"{number}", stix_id="bench"), label=LABEL)
            latencies.append((time.perf_counter() - began) * 1000)
        last.append(sent)

    began = time.perf_counter()
    await asyncio.gather(*(publish(first) for first in range(tasks)))
    durable = time.perf_counter() - began
    for sent in last if wait else ():
        await sent.receipt()
    logged = time.perf_counter() - began if wait else float("inf")
    latencies.sort()
    return messages / durable, messages / logged, statistics.median(latencies), latencies[len(latencies) * 99 // 100]


@asynccontextmanager
async def opened(fw: Framework, folder: Path | None) -> AsyncIterator[Node]:
    if folder is None:
        yield fw.node("EST")
        return
    (folder / "unlock").write_bytes(PASSPHRASE)
    await fw.move_out("EST", folder / "node", PASSPHRASE)
    async with Node.open(folder / "node", unlock=Unlock.file(folder / "unlock")) as node:
        yield node


async def row(kind: str, where: Path | None, messages: int, tasks: int) -> None:
    """`alone`: the relay is cut off, and nothing but the store takes time."""
    with TemporaryDirectory(dir=where, prefix="node-store-") as scratch:
        folder = None if kind == "memory" else Path(scratch)
        async with Framework.create("EST", "LVA", "FIN") as fw, opened(fw, folder) as node:
            await measure(node, 64, 4)  # grant, prekeys, caches
            if kind == "alone":
                fw.relay.cut_off("EST")
            durable, logged, median, worst = await measure(node, messages, tasks, wait=kind != "alone")
    print(f"{kind:>7} {tasks:>6} {durable:>12.0f} {logged:>12.0f} {median:>12.2f} {worst:>12.2f}", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    print(f"{'store':>7} {'tasks':>6} {'durable/s':>12} {'logged/s':>12} {'median ms':>12} {'99 % ms':>12}")
    for kind in ("memory", "disk", "alone"):
        for tasks in (1, 4, 64):
            await row(kind, given.folder, given.messages, tasks)


if __name__ == "__main__":
    asyncio.run(main())
