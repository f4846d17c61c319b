"""What a node keeps in memory for each message it has sent, and for each it has read; and how long its start takes.

    python bench/node_memory.py [--messages 4000] [--parts] [--folder DIR]

Two nodes with stores on disk and a relay in memory, in one process. Counted are the bytes of all objects that a node's
engine reaches, at half of the messages and at all of them: the difference, for each message between. Each message is
delivered, handed over and done before anything is counted. `--parts`: what of it hangs on which part of a line.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
import types
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from rsc_share import Node, Unlock
from rsc_share.messages import Indicator
from rsc_share.node.home import Home
from rsc_share.testing import Framework

LABEL = "TLP:GREEN REL TO @members"
PASSPHRASE = b"of a measurement"
TEXT = "x" * 1024
BATCH = 50
_ELSEWHERE = ("_deliveries", "_tickets")
SHARED = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.CodeType,
    types.BuiltinFunctionType,
    types.FrameType,
    asyncio.AbstractEventLoop,
)
"""What belongs to no node alone."""


def reached(roots: Iterable[Any], seen: set[int]) -> tuple[int, dict[str, int]]:
    """Bytes of everything reached that was not seen before, and how many of each type."""
    total, kinds, todo = 0, {}, list(roots)
    while todo:
        found = todo.pop()
        if id(found) in seen or isinstance(found, SHARED):
            continue
        seen.add(id(found))
        total += sys.getsizeof(found)
        kinds[type(found).__name__] = kinds.get(type(found).__name__, 0) + 1
        todo += gc.get_referents(found)
        if isinstance(found, msgspec.Struct):  # some of them the collector does not look into
            todo += [getattr(found, name) for name in found.__struct_fields__]
    return total, kinds


def parts_of(node: Node) -> dict[str, int]:
    """Bytes by part; what two parts share counts for the first one named."""
    engine = node.engine
    (line,) = engine.lines.values()
    seen = {id(engine.world), id(line), id(engine), id(engine.ports), *map(id, engine.ports.values())}
    reached([engine.trust.directory, engine.identity, sys.modules], seen)
    store = engine.store
    named: dict[str, Any] = {
        "store": store,
        **{f"reading.{name}": value for name, value in vars(line.reading).items() if name not in _ELSEWHERE},
        "follower.tree": line.follower.tree,
        "follower.facts": line.follower.facts,
        **{f"follower.{name}": value for name, value in vars(line.follower).items()},
        "outbox": line.sending.outbox,
        **{
            f"{kind}.{name}": value
            for kind in ("numbers", "promises", "places")
            for name, value in vars(getattr(line.sending, kind)).items()
        },
        **{f"sending.{name}": value for name, value in vars(line.sending).items()},
        "deliveries": line.deliveries,
        "tickets": line.tickets,
        "engine": list(vars(engine).values()),
        "channels": node._channels,
    }
    seen |= {id(part) for part in (line.reading, line.follower, line.sending, line.shelf)}
    return {name: reached([value], seen)[0] for name, value in named.items()}


async def read(node: Node, count: int, consumer: str = "bench") -> None:
    async with node.channel("main").subscribe(Indicator, consumer=consumer) as inbox:
        for _ in range(count):
            await (await anext(inbox)).done(wait=False)


async def some(fw: Framework, sender: Node, reader: Node, count: int, tag: str) -> None:
    channel = sender.channel("main")
    for first in range(0, count, BATCH):
        texts = [f"{tag} {first + n} {TEXT}" for n in range(min(BATCH, count - first))]
        for text in texts:
            await channel.publish(Indicator(pattern=text, stix_id="bench"), label=LABEL)
        await fw.settle()
        await read(reader, len(texts))
        fw.clock.advance(seconds=2)
    for _ in range(8):  # until everybody has said what it holds
        fw.clock.advance(seconds=140)
        await fw.settle()
    await sender.engine.store.commit()
    await reader.engine.store.commit()


async def opened(fw: Framework, folder: Path, member: str) -> Node:
    home = Home.open(folder / member, Unlock.file(folder / "unlock"))
    node = Node(await home.engine(), home=home)
    fw.host(node)
    await fw.settle()
    return node


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    half = given.messages // 2
    with TemporaryDirectory(dir=given.folder, prefix="node-memory-") as scratch:
        folder = Path(scratch)
        (folder / "unlock").write_bytes(PASSPHRASE)
        async with Framework.create("EST", "LVA", "FIN") as fw:
            for member in ("EST", "LVA"):
                await fw.move_out(member, folder / member, PASSPHRASE)
            nodes = [await opened(fw, folder, member) for member in ("EST", "LVA")]
            counted = []
            for turn in range(2):
                began = time.process_time()
                await some(fw, *nodes, half, str(turn))
                print(f"{half} messages: {(time.process_time() - began) / half * 1e6:,.0f} us of CPU for each")
                gc.collect()
                counted.append([parts_of(node) for node in nodes])
            for n, what in enumerate(("sent", "read")):
                before, after = counted[0][n], counted[1][n]
                grown = {part: (size - before.get(part, 0)) / half for part, size in after.items()}
                size = sum(after.values()) / 1024
                print(f"{size:,.0f} KiB; {sum(grown.values()):,.0f} bytes for each message {what}")
                for part, size in sorted(grown.items(), key=lambda row: -row[1]) if given.parts else ():
                    if abs(size) >= 1:
                        print(f"    {part:32} {size:8,.1f}   {after[part] / 1024:10,.0f} KiB")
            for n, member in enumerate(("EST", "LVA")):
                fw.let_go(nodes[n])
                await nodes[n].close()
                began = time.process_time()
                nodes[n] = await opened(fw, folder, member)
                gc.collect()
                size = sum(parts_of(nodes[n]).values())
                print(f"{member} started again: {time.process_time() - began:.2f} s of CPU, {size / 1024:,.0f} KiB")
            for node in nodes:
                fw.let_go(node)
                await node.close()


if __name__ == "__main__":
    asyncio.run(main())
