"""The truth afterwards: what the relay's store and the nodes' own stores say, against what was acknowledged."""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from pathlib import Path

from cli_world import HOST
from fault_world import CHANNEL, CODES, World

from rsc_share import Unlock
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.prekey import read_prekey
from rsc_share.envelope.contents import GrantContent
from rsc_share.envelope.entry import DirectoryEntry, UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.node.home import Home
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.stretches import kept_headers
from rsc_share.relay.store.check import check
from rsc_share.relay.store.sqlite import SqliteStore

LOG = f"{HOST}/regional/{CHANNEL}"
DIRECTORY = f"{HOST}/regional/directory"
Logs = dict[str, list[bytes]]


async def logs_of(folder: Path) -> Logs:
    """Every entry in a relay's store."""
    store = await asyncio.to_thread(SqliteStore.open, folder)
    try:
        heads = await store.logs()
        return {
            log: [stored.entry async for stored in store.read(log, 0, head.size, max_bytes=1 << 40)]
            for log, head in heads.items()
        }
    finally:
        await store.aclose()


async def wrong(world: World) -> list[str]:
    """Everything that must not be; the processes have ended."""
    folder = world.relay_folder / "store"
    found = [f"{code}: {what}" for code in CODES for what in world.heard[code].wrong]
    found += [f"check: {finding}" for finding in check(folder).findings]
    return found + against(world, await logs_of(folder)) + await of_nodes(world, await logs_of(folder))


def against(world: World, logs: Logs) -> list[str]:
    """What the logs contradict of all that was acknowledged."""
    entries = [UnverifiedEntry.parse(raw) for raw in logs[LOG]]
    return [
        *in_order(entries),
        *keys_reused(entries, logs[DIRECTORY]),
        *trees(world, logs),
        *(what for code in CODES for what in of_sender(world, code, entries)),
        *(what for code in CODES for what in of_receiver(world, code)),
    ]


def in_order(entries: list[UnverifiedEntry]) -> list[str]:
    seqs: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        seqs[entry.header.sender].append(entry.header.seq)
    wrong = [f"{who} has the numbers {found}" for who, found in seqs.items() if found != list(range(1, len(found) + 1))]
    ids = [(entry.header.sender, entry.header.id) for entry in entries]
    return wrong + (["an id was logged twice"] if len(set(ids)) < len(ids) else [])


def keys_reused(entries: list[UnverifiedEntry], directory: list[bytes]) -> list[str]:
    """A grant key shows in its check value and its sealed forms, a prekey in its id."""
    checks, sealed = [], []
    for entry in entries:
        if isinstance(entry.header.content, GrantContent):
            checks.append(entry.header.content.check)
            sealed += [digest for _, _, digest in entry.header.content.nodes]
    objects = [UnverifiedObject.parse(DirectoryEntry.parse(raw).object) for raw in directory]
    prekeys = [read_prekey(item.content).id for item in objects if item.kind == "prekey"]
    assert checks
    assert prekeys
    keys = {"grant key": checks, "sealed key": sealed, "prekey": prekeys}
    return [f"a {name} was used twice" for name, values in keys.items() if len(set(values)) < len(values)]


def trees(world: World, logs: Logs) -> list[str]:
    """Every checkpoint anybody was shown is a prefix of what is there now."""
    found = []
    for log, raws in logs.items():
        tree = MemoryTree()
        tree.extend(leaf_hash(raw) for raw in raws)
        shown = {(size, root) for heard in world.heard.values() for size, root in heard.shown[log].items()}
        for size, root in sorted(shown):
            if size > tree.size or base64.b64encode(tree.root(size)).decode() != root:
                found.append(f"{log} was shown with a tree of {size} that is not there")
    return found


def of_sender(world: World, code: str, entries: list[UnverifiedEntry]) -> list[str]:
    heard, me = world.heard[code], f"{code}/mod-1"
    found = []
    mine = {entry.header.seq: entry for entry in entries if entry.header.sender == me}
    for (log, seq), hashes in heard.signed.items():
        live = hashes - heard.refused
        if len(live) > 1:
            found.append(f"{me} signed {len(live)} headers for number {seq}")
        if log == LOG and seq in mine and mine[seq].signed.header_hash.hex() not in hashes:
            found.append(f"number {seq} of {me} is another one than left it")
    if heard.acked - heard.receipts.keys():
        found.append(f"{me} has no receipt for {sorted(heard.acked - heard.receipts.keys())[:5]}")
    for n, (seq, index) in heard.receipts.items():
        if index >= len(entries) or (entries[index].header.sender, entries[index].header.seq) != (me, seq):
            found.append(f"the receipt of {n} of {me} names another entry")
    places = [heard.receipts[n][1] for n in sorted(heard.receipts)]
    if places != sorted(set(places)):
        found.append(f"what {me} published is logged in another order, or twice")
    return found


def of_receiver(world: World, code: str) -> list[str]:
    found = []
    for sender in CODES if code in world.readers else ():
        numbers, given = sorted(world.heard[sender].receipts), world.heard[code].given[f"{sender}/mod-1"]
        if sender != code and given != numbers:
            found.append(f"{code} was given {len(given)} of {sender}'s {len(numbers)}, or in another order")
    return found


def _after_its_end(code: str, header: Header, index: int, held: set[int]) -> bool:
    """What a node that went down in peace had not read yet: its own last entries, whose receipts it has, and the
    heartbeat of one that went down after it."""
    return index > max(held, default=-1) and (header.member == code or header.kind == "heartbeat")


async def of_nodes(world: World, logs: Logs) -> list[str]:
    """The nodes' own records, byte for byte, and that they have nothing to complain about."""
    found = []
    entries = [UnverifiedEntry.parse(raw) for raw in logs[LOG]]
    for code in CODES:
        home = Home.open(world.homes[code], Unlock.file(world.founders.secret))
        store = home.store()
        try:
            rows = kept_headers(Shelf(store, LOG))
            me, held = f"{code}/mod-1", set(rows)
            theirs = {n: e.header for n, e in enumerate(entries) if me in (e.header.sender, *e.header.nodes)}
            lost = [n for n, header in theirs.items() if n not in held and not _after_its_end(code, header, n, held)]
            if lost or held - theirs.keys():
                found.append(f"{code} holds {len(rows)} of its {len(theirs)} entries, and not {lost}")
            found += [
                f"{code} holds another entry {n}"
                for n, header in rows.items()
                if n in theirs and header != entries[n].signed.header_bytes
            ]
            found += [f"{code}: {alarm[0]}: {alarm[2]}" for _, alarm in Shelf(store).rows(Room.ALARM)]
        finally:
            await store.close()
            home.close()
        found += [f"{code} keeps evidence {path.name}" for path in (world.homes[code] / "evidence").iterdir()]
    return found
