"""One log recomputed from its entries, a tile at a time. Every read is short; between two of them nothing is held."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from rsc_share.errors import RemoteError
from rsc_share.log.merkle import HASH_SIZE, CompactRange, leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import HEIGHT, read_tile
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.rows import read_beside, read_head, read_lines
from rsc_share.relay.store.state import tile_row

BODIES = 64
"""Bodies in one read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit: in which log, where, and what."""

    log: str
    where: str
    what: str
    stops: bool = True
    """Whether no relay may start on it. An attachment that is damaged harms who asks for it, and nothing signed."""


@dataclass(slots=True)
class LogCheck:
    """How far one log has been checked. `target`: the size it had when its check began; it may grow meanwhile."""

    origin: str
    number: int
    target: int
    root: bytes
    edge: tuple[bytes, ...]
    tree: CompactRange = field(default_factory=CompactRange)
    last_body: int = 0
    entries_done: bool = False
    bodies_done: bool = False

    @classmethod
    def begin(cls, db: sqlite3.Connection, origin: str) -> LogCheck:
        query = "SELECT number, size, root, edge, logged_at, directory FROM log WHERE origin = ?"
        number, *row = db.execute(query, (origin,)).fetchone()
        head = read_head(*row)
        return cls(origin, number, head.size, head.root, head.edge)

    def step(self, db: sqlite3.Connection) -> tuple[int, list[Finding]]:
        """The next tile of entries, or the next bodies: how many bytes were read, and what does not fit."""
        if not self.entries_done:
            return self._entries(db)
        return self._bodies(db)

    def _found(self, where: str, what: str) -> Finding:
        return Finding(self.origin, where, what)

    # --- entries, tiles, notes

    def _entries(self, db: sqlite3.Connection) -> tuple[int, list[Finding]]:
        first = self.tree.size
        stop = min(first + WIDTH, self.target)
        rows = db.execute(
            f"SELECT n, entry, beside FROM entry_{self.number} WHERE n >= ? AND n < ? ORDER BY n", (first, stop)
        ).fetchall()
        if [n for n, _, _ in rows] != list(range(first, stop)):
            self.entries_done = True  # no root can follow from what is left
            return 0, [self._found(f"entries {first} to {stop - 1}", "not all are here")]
        findings = [found for row in rows if (found := self._beside(*row)) is not None]
        leaves = [leaf_hash(entry) for _, entry, _ in rows]
        findings += self._notes(db, first, stop, leaves)
        if len(leaves) == WIDTH:
            findings += self._tiles(db, first // WIDTH, leaves)
        if stop == self.target:
            self.entries_done = True
            findings += self._end(db)
        return sum(len(entry) + len(beside) for _, entry, beside in rows), findings

    def _beside(self, index: int, entry: bytes, beside: bytes) -> Finding | None:
        try:
            read_beside(entry, beside)
        except RemoteError as error:
            return self._found(f"entry {index}", f"what lies beside it cannot be read: {error.what}")
        return None

    def _notes(self, db: sqlite3.Connection, first: int, stop: int, leaves: list[bytes]) -> Iterator[Finding]:
        """Grow the tree, and compare it at each size that was signed."""
        query = f"SELECT size, root, lines FROM note_{self.number} WHERE size >= ? AND size <= ?"
        notes = {size: (root, lines) for size, root, lines in db.execute(query, (first, stop)).fetchall()}
        yield from self._note(notes, 0) if first == 0 else ()
        for leaf in leaves:
            self.tree.append(leaf)
            yield from self._note(notes, self.tree.size)

    def _note(self, notes: dict[int, tuple[bytes, bytes]], size: int) -> Iterator[Finding]:
        if size not in notes:
            return
        root, lines = notes[size]
        if root != self.tree.root():
            yield self._found(f"note of size {size}", "another tree was signed than the entries make")
        try:
            read_lines(lines)
        except RemoteError as error:
            yield self._found(f"note of size {size}", f"its lines cannot be read: {error.what}")

    def _tiles(self, db: sqlite3.Connection, index: int, leaves: list[bytes]) -> Iterator[Finding]:
        """The tile of these leaves, and its hash in the tile above; and so on, where that is full too."""
        if tile_row(db, self.number, (0, index)) != b"".join(leaves):
            yield self._found(f"tile 0/{index}", "is not that of its entries")
        level, tile = 0, MemoryTree(leaves)
        while True:
            above, cell = index >> HEIGHT, index % WIDTH
            row = tile_row(db, self.number, (level + 1, above))
            if row[cell * HASH_SIZE : (cell + 1) * HASH_SIZE] != tile.root():
                yield self._found(f"tile {level + 1}/{above}", f"does not hold the root of tile {level}/{index}")
                return
            if cell != WIDTH - 1:
                return
            level, index, tile = level + 1, above, read_tile(row)

    def _end(self, db: sqlite3.Connection) -> Iterator[Finding]:
        if (self.tree.root(), self.tree.edge) != (self.root, self.edge):
            yield self._found(f"head of size {self.target}", "is not what the entries make")
        if self._beyond(db):
            yield self._found(f"after size {self.target}", "there is more than the head covers")

    def _beyond(self, db: sqlite3.Connection) -> bool:
        """Entries or notes after the head, in one read: a log may be written to meanwhile."""
        number = self.number
        (beyond,) = db.execute(
            f"SELECT EXISTS (SELECT 1 FROM entry_{number}, log WHERE number = {number} AND n >= size)"
            f" OR EXISTS (SELECT 1 FROM note_{number} AS note, log WHERE number = {number} AND note.size > log.size)"
        ).fetchone()
        return bool(beyond)

    # --- bodies

    # A row without data is a blob's: its bytes are files, see `check_blobs`.

    def _bodies(self, db: sqlite3.Connection) -> tuple[int, list[Finding]]:
        query = (
            f"SELECT rowid, digest, brought, data FROM body_{self.number} WHERE rowid > ? ORDER BY rowid LIMIT {BODIES}"
        )
        rows = db.execute(query, (self.last_body,)).fetchall()
        if len(rows) < BODIES:
            self.bodies_done = True
        findings = []
        for rowid, digest, brought, data in rows:
            self.last_body = rowid
            if data and hashlib.sha256(data).digest() != digest:
                findings.append(self._found(f"body {digest.hex()}", f"brought by entry {brought}, has another digest"))
        return sum(len(data) for *_, data in rows if data is not None), findings
