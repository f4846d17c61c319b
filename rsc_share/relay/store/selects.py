"""What readers ask the rows of one log for. Each is one short read."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from itertools import islice

from rsc_share.log.merkle import HASH_SIZE, leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.relay.store.failures import Damaged
from rsc_share.relay.store.protocol import Body, Erased, Stored
from rsc_share.relay.store.rows import fact_key, read, read_beside, read_fact
from rsc_share.relay.store.schema import LEVELS, MAX_INDEX
from rsc_share.relay.store.state import tile_row
from rsc_share.rulebook.facts import Fact, IdFact, Key

CHUNK = 256 * 1024
"""Bytes of entries in one read."""
MANY = 400
"""Values in one statement: fewer than any build of SQLite allows."""


def entries(db: sqlite3.Connection, log: str, number: int, *, start: int, stop: int, max_bytes: int) -> list[Stored]:
    """Entries from `start`, at least one, until `max_bytes` are reached. `Damaged` where one is missing."""
    cursor = db.execute(f"SELECT n, entry, beside FROM entry_{number} WHERE n >= ? AND n < ? ORDER BY n", (start, stop))
    found: list[Stored] = []
    try:
        for index, entry, beside in cursor:
            if index != start + len(found):
                break
            found.append(read(lambda data, entry=entry: read_beside(entry, data), beside, log))  # type: ignore[misc]
            max_bytes -= len(entry)
            if max_bytes <= 0:
                break
    finally:
        cursor.close()  # ends the read, and with it the hold on the log before the database
    if not found or (max_bytes > 0 and start + len(found) != stop):
        raise Damaged(f"entry {start + len(found)} of {log} is missing", log=log, index=start + len(found))
    return found


def tile(db: sqlite3.Connection, log: str, number: int, *, level: int, index: int) -> bytes:
    """The hashes of a tile. The last of level 0 has no row: its entries give it."""
    if not (0 <= level < LEVELS and 0 <= index < MAX_INDEX):
        return b""
    found = tile_row(db, number, (level, index))
    if found or level:
        if len(found) % HASH_SIZE:
            raise Damaged(f"a tile of {log} is cut short", log=log, level=level, index=index)
        return found
    first = index * WIDTH
    rows = db.execute(
        f"SELECT entry FROM entry_{number} WHERE n >= ? AND n < ? ORDER BY n", (first, first + WIDTH)
    ).fetchall()
    return b"".join(leaf_hash(entry) for (entry,) in rows)


def bodies(db: sqlite3.Connection, log: str, number: int, *, digests: Collection[bytes]) -> dict[bytes, Body | Erased]:
    found: dict[bytes, Body | Erased] = {}
    for some in _chunks(digests):
        query = f"SELECT digest, brought, data, reason FROM body_{number} WHERE digest IN ({_marks(some)})"
        for digest, brought, data, reason in db.execute(query, some):
            found[digest] = Erased(brought, reason) if data is None else Body(brought, data)
    return found


def facts(db: sqlite3.Connection, log: str, number: int, *, keys: Collection[Key]) -> dict[Key, Fact]:
    """As of one head: both tables are read in one transaction."""
    db.execute("BEGIN")
    try:
        return {**_ids(db, number, [key for key in keys if key[0] == "id"]), **_others(db, log, number, keys)}
    finally:
        db.execute("COMMIT")


def _ids(db: sqlite3.Connection, number: int, keys: list[Key]) -> dict[Key, Fact]:
    wanted, found = set(keys), dict[Key, Fact]()
    for some in _chunks({key[2] for key in keys}):
        query = f"SELECT sender, id, entry, header_hash FROM id_{number} WHERE id IN ({_marks(some)})"
        for sender, id_, index, header_hash in db.execute(query, some):
            key: Key = ("id", sender, id_)
            if key in wanted:  # another sender may have made the same id
                found[key] = IdFact(index, header_hash)
    return found


def _others(db: sqlite3.Connection, log: str, number: int, keys: Collection[Key]) -> dict[Key, Fact]:
    wanted = {fact_key(key): key for key in keys if key[0] != "id"}
    found = dict[Key, Fact]()
    for some in _chunks(wanted):
        query = f"SELECT key, fact FROM fact_{number} WHERE key IN ({_marks(some)})"
        for key, fact in db.execute(query, some):
            found[wanted[key]] = read_fact(wanted[key][0], fact, log)
    return found


def _chunks(values: Collection[object]) -> Iterator[list[object]]:
    left = iter(values)
    while some := list(islice(left, MANY)):
        yield some


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
