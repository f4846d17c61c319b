"""What the relay's store costs on this disk: entries a second, syncs, starts, reads, and a whole check.

    python bench/store.py                       the whole table, about two minutes
    python bench/store.py --quick               smaller logs
    python bench/store.py --only start --json - one part, as JSON
    python bench/store.py --folder /mnt/ssd     on another disk

Figures are wall-clock time: here the disk is what is measured. The store is made new, in a folder that is removed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path

from measure import Row, print_table, write_json

from rsc_share.envelope.entry import Stamp
from rsc_share.relay.logtree import LogTree
from rsc_share.relay.store.check import check
from rsc_share.relay.store.protocol import Batch, Body, Note, Stored, Writer
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.rulebook.facts import Fact, HeadFact, IdFact, Key, count_key, head_key, id_key

GROUP = 256
CHANNELS = 20
ENTRY, BODY = 900, 1_000
"""Bytes, as of a singly signed entry for three members and its ciphertext."""
SENDERS = [f"S{number:02}/mod-1" for number in range(10)]


def origin(number: int) -> str:
    return f"relay.example/bench/c{number}"


def made(writer: Writer, count: int, *, bare: bool = False) -> Batch:
    """The next `count` entries of a log, different from all others; with bodies, ids, heads and counters, or bare."""
    first, seed = writer.head.size, writer.log.encode()
    entries = tuple(
        Stored(seed + n.to_bytes(8, "big") + bytes(20 if bare else ENTRY)) for n in range(first, first + count)
    )
    bodies: dict[bytes, Body] = {}
    facts: dict[Key, Fact] = {}
    for n in range(first, first + count) if not bare else ():
        data = sha256(seed + n.to_bytes(8, "big")).digest() + bytes(BODY - 32)
        bodies[sha256(data).digest()] = Body(n, data)
        sender = SENDERS[n % len(SENDERS)]
        facts[id_key(sender, n.to_bytes(6, "big") + sha256(seed + b"%d" % n).digest()[:10])] = IdFact(n, bytes(32))
        facts[head_key(sender)] = HeadFact(n + 1, bytes(32), n)
        facts[count_key(sender, SENDERS[0])] = n + 1
    return Batch(entries, bodies, facts, writer.head.grown([stored.entry for stored in entries], Stamp(first, 1)))


async def fill(store: SqliteStore, log: str, entries: int, *, each: int, bare: bool = False) -> Writer:
    writer = await store.acquire(log)
    for start in range(0, entries, each):
        writer = await store.append(writer, made(writer, min(each, entries - start), bare=bare))
    return writer


async def appending(folder: Path, quick: bool) -> list[Row]:
    """Batches are made before the clock starts; what is measured is the store."""
    rounds = 4 if quick else 16
    rows = []
    for channels in (1, CHANNELS):
        store = SqliteStore.open(folder / f"append {channels}")
        writers = [await store.acquire(origin(number)) for number in range(channels)]
        plans = [_plan(writer, rounds * CHANNELS // channels) for writer in writers]
        took: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(*(_run(store, *plan, took) for plan in zip(writers, plans, strict=True)))
        seconds = time.perf_counter() - began
        entries, name = rounds * CHANNELS * GROUP, f"{channels} channel{'s' * (channels > 1)}, commits of {GROUP}"
        note = f"with bodies, ids, heads; commit p50 {_at(took, 0.5):.1f} ms, p99 {_at(took, 0.99):.1f} ms"
        rows.append(Row(name, round(entries / seconds), "entries/s", note, "50,000" if channels > 1 else ""))
        await store.aclose()
    return rows


def _plan(writer: Writer, batches: int) -> list[Batch]:
    plan = []
    for _ in range(batches):
        plan.append(made(writer, GROUP))
        writer = Writer(writer.log, writer.epoch, plan[-1].after)
    return plan


async def _run(store: SqliteStore, writer: Writer, plan: list[Batch], took: list[float]) -> None:
    for batch in plan:
        began = time.perf_counter()
        writer = await store.append(writer, batch)
        await store.keep_note(writer.log, Note(writer.head.size, writer.head.root))
        took.append((time.perf_counter() - began) * 1_000)


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def syncs(folder: Path, quick: bool) -> list[Row]:
    """One entry at a time: what a sync costs here, and what the store adds to it."""
    store, rows, times = SqliteStore.open(folder / "sync"), [], 100 if quick else 500
    writer = await store.acquire(origin(0))
    took: list[float] = []
    for _ in range(times):
        batch = made(writer, 1)
        began = time.perf_counter()
        writer = await store.append(writer, batch)
        took.append((time.perf_counter() - began) * 1_000)
    rows.append(Row("one entry, durable", round(_at(took, 0.5), 3), "ms", f"p99 {_at(took, 0.99):.2f} ms"))
    await store.aclose()
    with (folder / "plain").open("wb", buffering=0) as file:
        took = [_synced(file.fileno()) for _ in range(times)]
    rows.append(Row("8 KiB and fdatasync alone", round(_at(took, 0.5), 3), "ms", f"p99 {_at(took, 0.99):.2f} ms"))
    return rows


def _synced(file: int) -> float:
    began = time.perf_counter()
    os.write(file, bytes(8_192))
    os.fdatasync(file)
    return (time.perf_counter() - began) * 1_000


async def starting(folder: Path, quick: bool) -> list[Row]:
    """A start reads the end of a log, whatever its size; a check reads all of it."""
    rows = []
    for entries in (10_000, 100_000 if quick else 1_000_000):
        at = folder / f"start {entries}"
        store = SqliteStore.open(at)
        await fill(store, origin(0), entries, each=10_000, bare=True)
        await store.aclose()
        before = _resident()
        began = time.perf_counter()
        store = SqliteStore.open(at)
        writer = await store.acquire(origin(0))
        tree = await LogTree.open(store, origin(0), writer.head)
        rows.append(Row(f"start, {entries:,} entries", round(time.perf_counter() - began, 3), "s", _more(before), "2"))
        for name, ask in _questions(store, tree, entries).items():
            rows.append(Row(f"{name}, {entries:,} entries", await _least(ask), "us"))
        await store.aclose()
        began = time.perf_counter()
        assert check(at).passed
        rows.append(Row(f"check, {entries:,} entries", round(time.perf_counter() - began, 2), "s"))
    return rows


def _questions(store: SqliteStore, tree: LogTree, size: int) -> dict[str, Callable[[int], Awaitable[object]]]:
    step = 7_919
    return {
        "inclusion proof at the end": lambda n: tree.inclusion(size - 1 - n % 200, size),
        "inclusion proof anywhere": lambda n: tree.inclusion(n * step % size, size),
        "root of an old size": lambda n: tree.root(n * step % size),
        "read one entry": lambda n: _read(store, n * step % size),
    }


async def _read(store: SqliteStore, index: int) -> object:
    return [item async for item in store.read(origin(0), index, index + 1, max_bytes=1)]


async def _least(ask: Callable[[int], Awaitable[object]], times: int = 200) -> float:
    took = []
    for number in range(times):
        began = time.perf_counter()
        await ask(number)
        took.append(time.perf_counter() - began)
    return round(_at(took, 0.5) * 1e6, 1)


def _resident() -> int:
    """Bytes this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _more(before: int) -> str:
    return f"{(_resident() - before) / (1 << 20):+.1f} MiB"


PARTS = {"append": appending, "sync": syncs, "start": starting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller logs")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given again")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON, to a file or (-) to standard output")
    parser.add_argument("--folder", type=Path, help="where to put the stores; default: a temporary folder")
    given = parser.parse_args()
    tables: dict[str, Sequence[Row]] = {}
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        for name in given.only or PARTS:
            tables[name] = asyncio.run(PARTS[name](folder, given.quick))
            if given.json != "-":
                print_table(name, tables[name])
    finally:
        shutil.rmtree(folder)
    if given.json:
        write_json(tables, given.json)


if __name__ == "__main__":
    main()
