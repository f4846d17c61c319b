"""A process that writes to a store until it is killed, and says on its standard output what was acknowledged.

    python store_victim.py FOLDER TURNS SYNCHRONOUS ERASING

Lines: `O log size` what it found, `A log size` appended, `N log size` a cosigned note kept, `E log entry` the body of
that entry erased in one step with the log's own note, `F log` no space. It ends with 0 after TURNS appends to each
log, with 74 when the store is broken.
Everything it writes follows from log and index, so whoever looks afterwards knows what must be there.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from rsc_share.envelope.entry import Stamp
from rsc_share.errors import StorageError
from rsc_share.log.note import NoteSignature
from rsc_share.relay.store.protocol import Batch, Body, Erasing, Full, Note, Stored, Writer
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.rulebook.facts import Fact, IdFact, Key, count_key, id_key

LOGS = ("relay.example/regional/a", "relay.example/regional/b", "relay.example/regional/directory")
BROKEN = 74


def entry(log: str, n: int) -> bytes:
    return f"{log} {n} ".encode() * (1 + n % 7)


def text(log: str, n: int) -> bytes:
    """The body of entry `n`; some have pages of their own."""
    return f"<body {n} of {log}>".encode() * (1 + (n * 37) % 150)


def digest(log: str, n: int) -> bytes:
    return hashlib.sha256(text(log, n)).digest()


def cosignature(size: int) -> NoteSignature:
    return NoteSignature("regional/EST/mod-1", b"EST1", size.to_bytes(8, "big") + bytes(64))


def next_batch(writer: Writer) -> Batch:
    log, start = writer.log, writer.head.size
    numbers = range(start, start + 1 + (start * 31 + 7) % 60)
    entries = tuple(Stored(entry(log, n)) for n in numbers)
    facts: dict[Key, Fact] = {id_key("EST/mod-1", n.to_bytes(16, "big")): IdFact(n, bytes(32)) for n in numbers}
    facts[count_key("EST/mod-1", "FIN/mod-1")] = numbers[-1] + 1
    bodies = {digest(log, n): Body(n, text(log, n)) for n in numbers}
    return Batch(entries, bodies, facts, writer.head.grown([e.entry for e in entries], Stamp(start, 1)))


def say(*words: object) -> None:
    print(*words, flush=True)


async def work(store: SqliteStore, log: str, turns: int, erasing: bool) -> None:
    writer = await store.acquire(log)
    say("O", log, writer.head.size)
    for turn in range(turns):
        first = writer.head.size
        try:
            writer = await store.append(writer, next_batch(writer))
        except Full:
            say("F", log)
            continue
        say("A", log, writer.head.size)
        await _besides(store, writer, turn, first if erasing else None)


async def _besides(store: SqliteStore, writer: Writer, turn: int, first: int | None) -> None:
    log, size = writer.log, writer.head.size
    try:
        if turn % 3 == 0:
            await store.keep_note(log, Note(size, writer.head.root, (cosignature(size),)))
            say("N", log, size)
        if turn % 4 == 0 and first is not None:
            note = Note(size, writer.head.root, (NoteSignature(log, b"log!", bytes(64)),))
            await store.keep_note(log, note, [Erasing(log, (digest(log, first),), "recall")])
            say("E", log, first)
    except Full:
        say("F", log)


def told(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    """What the victim said, as kind, log and number; a line cut off by its death does not count."""
    for line in lines:
        words = line.split()
        if line.endswith("\n") and len(words) == 3:
            yield words[0], words[1], int(words[2])


async def main(folder: Path, turns: int, synchronous: str, erasing: bool) -> int:
    try:
        store = SqliteStore.open(folder, synchronous="OFF" if synchronous == "OFF" else "FULL")
        await asyncio.gather(*(work(store, log, turns, erasing) for log in LOGS))
        await store.aclose()
    except StorageError as error:
        print(repr(error), file=sys.stderr)
        return BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "True")))
