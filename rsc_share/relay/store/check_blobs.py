"""The attachments of one log read again, a chunk at a time: is each file there, and is it what its digest names?

Which blobs there must be stands in the log's body table, as rows without data; whose each is, in the entry that brought
it. A file that is not there is looked for again at the end: a recall deletes the file first and the row after.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.relay.store.file_blobs import path_of
from rsc_share.relay.store.recompute import Finding

ROWS = 4_096
"""Rows of bodies looked through in one read: most of them are not blobs."""


@dataclass(frozen=True, slots=True)
class Row:
    """A blob there should be."""

    rowid: int
    digest: bytes
    brought: int
    owner: str
    size: int


@dataclass(slots=True)
class BlobCheck:
    """How far it has come. `last`: the newest row that is done with; `tree`: the chunks of the next one so far."""

    origin: str
    number: int
    last: int = 0
    tree: CompactRange = field(default_factory=CompactRange)
    read: int = 0
    """Blobs that are whole and right."""
    missing: list[int] = field(default_factory=list)
    """Rows whose file was not there."""
    done: bool = False

    def step(self, db: sqlite3.Connection, blobs: Path) -> tuple[int, list[Finding]]:
        """The next chunk: how many bytes were read, and what does not fit."""
        try:
            row = self._next(db)
            if row is None:
                return 0, []
            return self._chunk(row, blobs)
        except RemoteError as error:  # the entry that brought it: the check of entries has said so already
            self._over()
            return 0, [self._found("a blob", f"the entry that brought it cannot be read: {error.what}")]

    def missed(self, db: sqlite3.Connection, blobs: Path) -> list[Finding]:
        """Look once more for what was not there; what nothing has erased since, and is still not there."""
        found = (self._raw(db, rowid, rowid) for rowid in self.missing)
        rows = [_row(*raw) for raw in found if raw is not None]
        gone = [row for row in rows if not path_of(blobs, row.owner, row.digest).exists()]
        self.missing = [row.rowid for row in gone]
        return [self._wrong(row, "its file is not there") for row in gone]

    # --- rows

    def end(self, db: sqlite3.Connection) -> int:
        """The last row there is."""
        (end,) = db.execute(f"SELECT max(rowid) FROM body_{self.number}").fetchone()
        return int(end or 0)

    def _next(self, db: sqlite3.Connection) -> Row | None:
        """The next blob; None where the next rows are none, and `done` where there are no more rows."""
        stop = self.last + ROWS
        raw = self._raw(db, self.last + 1, stop)
        if raw is None:
            self.done = stop >= self.end(db)
            self.last = stop if not self.done else self.last
            return None
        self.last = raw[0] - 1
        return _row(*raw)

    def _raw(self, db: sqlite3.Connection, first: int, last: int) -> tuple[int, bytes, int, bytes | None] | None:
        query = (
            f"SELECT body.rowid, digest, brought, entry FROM body_{self.number} AS body"
            f" LEFT JOIN entry_{self.number} ON n = brought"
            " WHERE body.rowid BETWEEN ? AND ? AND length(data) = 0 ORDER BY body.rowid LIMIT 1"
        )
        found: tuple[int, bytes, int, bytes | None] | None = db.execute(query, (first, last)).fetchone()
        return found

    # --- files

    def _chunk(self, row: Row, blobs: Path) -> tuple[int, list[Finding]]:
        path = path_of(blobs, row.owner, row.digest)
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self.missing.append(row.rowid)
            self._over()
            return 0, []
        except OSError as error:
            return self._end(row, 0, f"its file cannot be opened: {error.strerror}")
        try:
            return self._read(row, file)
        except OSError as error:
            return self._end(row, 0, f"its file cannot be read: {error.strerror}")
        finally:
            os.close(file)

    def _read(self, row: Row, file: int) -> tuple[int, list[Finding]]:
        size = os.fstat(file).st_size
        if size != row.size:
            return self._end(row, 0, f"has {size} bytes, where its entry says {row.size}")
        at = self.tree.size * SEALED_CHUNK
        os.posix_fadvise(file, at, SEALED_CHUNK, os.POSIX_FADV_DONTNEED)  # the disk is asked, not what is held of it
        chunk = os.pread(file, SEALED_CHUNK, at)
        self.tree.append(leaf_hash(chunk))
        if at + len(chunk) < size:
            return len(chunk), []
        right = self.tree.root() == row.digest
        self.read += right
        return self._end(row, len(chunk), "" if right else "its chunks are not those its digest names")

    def _end(self, row: Row, size: int, what: str) -> tuple[int, list[Finding]]:
        self._over()
        return size, [self._wrong(row, what)] if what else []

    def _over(self) -> None:
        self.last, self.tree = self.last + 1, CompactRange()

    def _wrong(self, row: Row, what: str) -> Finding:
        return self._found(f"blob {row.digest.hex()} of {row.owner}", f"brought by entry {row.brought}, {what}")

    def _found(self, where: str, what: str) -> Finding:
        return Finding(self.origin, where, what, stops=False)


def _row(rowid: int, digest: bytes, brought: int, entry: bytes | None) -> Row:
    """Raises `RemoteError` for an entry that is not there or cannot be read."""
    header = UnverifiedEntry.parse(entry or b"").header
    size = next((part.size for part in header.parts if part.digest == digest), 0)
    return Row(rowid, digest, brought, header.member, size)
