"""From `publish` to the embedder's `async for`: a relay process over TLS, nodes with durable stores, 1 and 10 readers.

    python bench/end_to_end.py                       ours
    python bench/end_to_end.py --peers               and the others, side by side, where they are installed
    python bench/end_to_end.py --messages 500 --json -
    python bench/end_to_end.py --peers --plot DIR    a picture of it, DIR/end-to-end.svg

Indicators of 1 KiB, published one by one from 4 tasks. All readers live in this process; each verifies, decides,
decrypts, and marks as done (written with what it writes next, as the others' acknowledgements are). Counted are
distinct ids after decryption, until the last reader has the last one. The relay syncs every commit before it
acknowledges, every node before it answers `publish`; `--node-store memory` leaves the latter out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Row, print_table, write_json
from plots import bars
from served_relay import framework

from rsc_share import Node, PolicyDenied
from rsc_share.crypto.tls import read_certificate, self_signed
from rsc_share.messages import Indicator
from rsc_share.node.engine import Engine
from rsc_share.node.identity import Identity, World, system_clock
from rsc_share.node.net import dial
from rsc_share.node.store.protocol import Store
from rsc_share.node.store.sqlite import SqliteStore
from rsc_share.testing.founding import HOST, Founded
from rsc_share.testing.people import Party

CODES = ("EST", "FIN", "LVA", "LTU", "NOR", "SWE", "DNK", "POL", "DEU", "ISL", "NLD")
LABEL = "REGIONAL RESTRICTED REL TO @members"
TEXT = "x" * 1024
TASKS = 4
READY_SECONDS = 60.0


@asynccontextmanager
async def relay_process(folder: Path, members: tuple[str, ...], now: int) -> AsyncIterator[int]:
    """Its port."""
    script = str(Path(__file__).with_name("served_relay.py"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, str(folder), ",".join(members), str(now), stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def node_of(party: Party, founded: Founded, address: str, folder: Path | None) -> Node:
    keys = party.nodes[0]
    identity = Identity(keys.name, founded.framework_id, keys.signing, keys.witness, keys.witness_pq)
    port, _ = await dial(HOST, address, identity)
    store: Store | None = None if folder is None else SqliteStore.open(folder / party.code, bytes(32))
    return Node(Engine(identity, founded.charter.directory, {HOST: port}, World(), store=store))


@asynccontextmanager
async def nodes(readers: int, *, durable: bool) -> AsyncIterator[list[Node]]:
    """A publisher and `readers` others, connected, with fresh trust and a first message behind them."""
    members, now = CODES[: readers + 1], system_clock()
    with TemporaryDirectory(prefix="end-to-end-") as scratch:
        folder = Path(scratch)
        key, certificate = self_signed(HOST, now)
        (folder / "tls.key").write_bytes(key)
        (folder / "tls.crt").write_bytes(certificate)
        pin = read_certificate(certificate)[0]
        founded = framework(members, pin, now)
        async with relay_process(folder, members, now) as port, AsyncExitStack() as stack:
            address = f"wss://127.0.0.1:{port}#{pin}"
            found = [
                await node_of(party, founded, address, folder if durable else None)
                for party in founded.parties.values()
                if party.code in members
            ]
            for node in found:
                await stack.enter_async_context(node)
            await _warm(found)
            yield found


async def _warm(found: list[Node]) -> None:
    """Until the first message went through: witnesses, prekeys, a grant."""
    async with asyncio.timeout(READY_SECONDS):
        while not found[0].engine.lines:  # noqa: ASYNC110 - a benchmark's start, not its measurement
            await asyncio.sleep(0.05)
        everybody = [node.member for node in found[1:]]
        while True:
            try:
                sent = await found[0].channel("main").publish(message("warm"), label=LABEL, must_reach=everybody)
            except PolicyDenied:  # somebody has no prekey yet
                await asyncio.sleep(0.05)
            else:
                await sent.receipt()
                return


def message(title: str) -> Indicator:
    return Indicator(pattern=TEXT, stix_id=title)


async def run(readers: int, messages: int, *, durable: bool) -> tuple[float, float]:
    """Messages a second to the last reader; seconds of CPU of this process for each message."""
    async with nodes(readers, durable=durable) as found:
        publisher, *others = found
        counters = [asyncio.create_task(_read(node, messages)) for node in others]
        await asyncio.sleep(0)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_publish(publisher, first, messages) for first in range(TASKS)))
        await asyncio.gather(*counters)
        return messages / (time.perf_counter() - began), (time.process_time() - cpu) / messages


async def _publish(node: Node, first: int, messages: int) -> None:
    channel = node.channel("main")
    for number in range(first, messages, TASKS):
        await channel.publish(message(f"{number}"), label=LABEL)


async def _read(node: Node, messages: int) -> None:
    seen = set()
    async with node.channel("main").subscribe(Indicator, consumer="bench") as inbox:
        async for found in inbox:
            await found.done(wait=False)
            if found.body.stix_id != "warm":
                seen.add(found.id)
            if len(seen) == messages:
                return


def ours(messages: int, *, durable: bool) -> list[Row]:
    rows = []
    for readers in (1, 10):
        rate, cpu = asyncio.run(run(readers, messages, durable=durable))
        note = f"{cpu * 1e6:,.0f} us of CPU here for each"
        rows.append(Row(f"rsc_share, to {readers}", round(rate), "messages/s", note))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="From publish to the reader's loop.")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--node-store", choices=("disk", "memory"), default="disk")
    parser.add_argument("--peers", action="store_true", help="also NATS JetStream, SealedBox over it, Redis Streams")
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the table")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write end-to-end.svg")
    asked = parser.parse_args()
    tables = {"end to end": ours(asked.messages, durable=asked.node_store == "disk")}
    if asked.peers:
        from peers import measured

        tables["peers"] = measured(asked.messages)
    if asked.json != "-":
        for title, rows in tables.items():
            print_table(title, rows)
    if asked.json:
        write_json(tables, asked.json)
    if asked.plot:
        asked.plot.mkdir(parents=True, exist_ok=True)
        rows = [row for table in tables.values() for row in table]
        picture = bars("From publish to the last of 1 and 10 readers, 1 KiB, everything synced", rows)
        (asked.plot / "end-to-end.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
