"""The tables of a relay's store, and how a connection to it is set up.

    store                   one row: how often it was opened
    log                     one row a log: its number L, origin, fence and head
    entry_L  (n)            entries by index, with openings and statements beside them
    body_L   (digest)       ciphertexts; `data` is NULL once erased
    id_L     (id, sender)   ids used, in the order of their time: trimmed from the front
    fact_L   (key)          sender heads, counters, grants
    tile_L   (level, n)     full hash tiles of level 0, and every tile above, as wide as it is
    note_L   (size)         signature lines

Tables of its own for each log: an append then writes at the end of a table, not in the middle of everybody's.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

APPLICATION_ID = 0x72736373
VERSION = 1
FILE = "store.sqlite3"

OLDEST_SQLITE = (3, 37, 0)
"""Has STRICT tables."""

BUSY_MS = 5_000
"""How long a connection waits for a lock that somebody outside this process holds."""

_STORE = """
CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), opened INTEGER NOT NULL) STRICT;
INSERT INTO store VALUES (1, 0);
CREATE TABLE log (
    number INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, edge BLOB NOT NULL, logged_at INTEGER, directory INTEGER
) STRICT;
"""

_LOG = (
    "CREATE TABLE entry_{n} (n INTEGER PRIMARY KEY, entry BLOB NOT NULL, beside BLOB NOT NULL) STRICT",
    "CREATE TABLE body_{n} (digest BLOB NOT NULL UNIQUE, brought INTEGER NOT NULL, data BLOB, reason TEXT) STRICT",
    """CREATE TABLE id_{n} (id BLOB, sender TEXT, entry INTEGER NOT NULL, header_hash BLOB NOT NULL,
       PRIMARY KEY (id, sender)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE fact_{n} (key BLOB PRIMARY KEY, fact ANY NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE tile_{n} (place INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT",
    "CREATE TABLE note_{n} (size INTEGER PRIMARY KEY, root BLOB NOT NULL, lines BLOB NOT NULL) STRICT",
)

_LEVEL_BITS = 48
LEVELS = 8
"""Levels of tiles in the largest tree there can be."""
MAX_INDEX = 1 << 40
"""Above the index of any tile a disk can hold, and so that no two places have one key."""


def place_key(level: int, index: int) -> int:
    """Tiles of one level next to each other, in the order they are made."""
    return (level << _LEVEL_BITS) | index


def create_store(db: sqlite3.Connection) -> None:
    """The tables every store has, on an empty file, all or none of them."""
    db.executescript(
        f"BEGIN IMMEDIATE;{_STORE}PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={VERSION};COMMIT;"
    )


def create_log(db: sqlite3.Connection, number: int) -> None:
    """The tables of one log, inside the caller's transaction."""
    for statement in _LOG:
        db.execute(statement.format(n=number))


Synchronous = Literal["FULL", "OFF"]


def connect_writer(path: Path, *, synchronous: Synchronous = "FULL") -> sqlite3.Connection:
    """The one connection that writes and checkpoints. `OFF` is for showing that a test can fail."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    db.execute("PRAGMA trusted_schema=OFF")
    if not path.stat().st_size:
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # can be chosen for an empty file only
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={synchronous}")
    db.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten, in free pages too
    db.execute("PRAGMA wal_autocheckpoint=0")  # two connections that checkpoint at once can corrupt before 3.51.3
    db.execute("PRAGMA mmap_size=0")  # an I/O error under mmap is a signal, not an error code
    db.execute("PRAGMA cell_size_check=ON")
    db.execute("PRAGMA cache_size=-8192")
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor checkpoint. It needs a writer to be there, or to have been killed."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False,
        timeout=BUSY_MS / 1000,
    )  # fmt: skip
    db.execute("PRAGMA query_only=ON")
    db.execute("PRAGMA trusted_schema=OFF")
    db.execute("PRAGMA mmap_size=0")
    db.execute("PRAGMA cache_size=-2048")
    return db
