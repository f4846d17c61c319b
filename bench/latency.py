"""How long a message takes from `publish` to the reader's loop, at rest and beside large files.

    python bench/latency.py                       ours: 200 messages a second, then FLASH beside a file of 256 MiB
    python bench/latency.py --peers --plot DIR    and the others, side by side, where they are installed
    python bench/latency.py --bulk 1GiB

Relay, publisher and reader are processes of their own, on TLS and with everything synced: the relay before it
acknowledges, the publisher before `publish` returns; a reader marks `done` with its next write, as the others do. Each
message is sent when it is due, however long the ones before it take, and timed from then; after decryption, decision
and all checks.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from measure import Row, print_table, write_json
from plots import distribution
from sampling import MIB, megabytes, percentile
from soak_attachment import RATE, Transfer, must_fit
from stage import staged

from rsc_share.testing.founding import Plan

OURS = "rsc_share"
FLASH = "rsc_share, FLASH beside a file"
REST_SECONDS = 2.0
TARGETS = {(OURS, 0.5): "2", (OURS, 0.99): "5", (FLASH, 0.99): "50"}


async def ours(rate: float, seconds: float, bulk: int, folder: Path | None) -> dict[str, list[float]]:
    """ms of each message: at rest, and of FLASH messages while a file is handed in and fetched."""
    if bulk:
        must_fit(bulk, folder)
    async with staged(Plan(framework="bench", members=("EST", "FIN", "LVA")), folder) as stage:
        transfer = Transfer(stage, bulk)
        await transfer.begin()
        transfer.sender.tell(f"publish ROUTINE {rate}")
        await asyncio.sleep(REST_SECONDS)  # the grant, caches, the first turns
        began = time.monotonic_ns()
        await asyncio.sleep(seconds)
        until = time.monotonic_ns()
        transfer.sender.tell("quiet")
        await asyncio.sleep(REST_SECONDS)
        found = {OURS: transfer.latencies(began, until)}
        if bulk:
            found[FLASH] = await _beside(transfer)
        return found


async def _beside(transfer: Transfer) -> list[float]:
    transfer.sender.tell(f"publish FLASH {RATE}")
    await asyncio.sleep(REST_SECONDS)
    began = time.monotonic_ns()
    transfer.sender.tell(f"attach {transfer.source}")
    await transfer.said(transfer.sender, "uploaded")
    await transfer.arrived()
    until = time.monotonic_ns()
    await asyncio.sleep(REST_SECONDS)
    return transfer.latencies(began, until)


def rows_of(took: dict[str, list[float]]) -> list[Row]:
    rows = []
    for name, values in took.items():
        for share in (0.5, 0.99):
            note = f"{len(values):,} messages, at most {max(values):,.1f}" if share == 0.5 else ""
            label = name if share == 0.5 else " " * (len(name) - len(name.lstrip()) + 2)
            found = round(percentile(values, share), 2)
            rows.append(Row(f"{label} p{100 * share:g}", found, "ms", note, TARGETS.get((name, share), "")))
    return rows


async def everything(asked: argparse.Namespace) -> dict[str, list[float]]:
    found = await ours(asked.rate, asked.seconds, asked.bulk, asked.folder)
    if asked.peers:
        from peers_latency import measured

        found |= await measured(asked.rate, asked.seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="messages a second at rest")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bulk", type=megabytes, default=256 * MIB, metavar="SIZE", help="the file; 0: none")
    parser.add_argument("--peers", action="store_true", help="also NATS JetStream, SealedBox over it, Redis Streams")
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the table")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="write latency.svg")
    parser.add_argument("--folder", type=Path, help="where stores and files are; default: a temporary folder")
    asked = parser.parse_args()
    if asked.folder is not None:
        asked.folder.mkdir(parents=True, exist_ok=True)
    took = asyncio.run(everything(asked))
    rows = rows_of(took)
    if asked.json != "-":
        print_table(f"publish to delivery, {asked.rate:g} messages a second", rows)
    if asked.json:
        write_json({"latency": rows}, asked.json)
    if asked.plot:
        asked.plot.mkdir(parents=True, exist_ok=True)
        picture = distribution(f"From publish to the reader, {asked.rate:g} messages a second", took)
        (asked.plot / "latency.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
