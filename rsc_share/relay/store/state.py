"""One log as its writer knows it, and how that is read back from the rows at a start: quickly, and never believed.

Nothing here reads the whole log: head, edge, the last tiles and the newest note must fit together. Whether every entry
fits too is for `check` to find.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rsc_share.errors import RemoteError
from rsc_share.log.merkle import HASH_SIZE, leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import HEIGHT, Place, TileCache, TileTree, edge_widths, read_tile
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.failures import Damaged, told
from rsc_share.relay.store.protocol import Head, Note
from rsc_share.relay.store.rows import read, read_head, read_lines
from rsc_share.relay.store.schema import place_key

_LOGS = "SELECT origin, number, epoch, size, root, edge, logged_at, directory FROM log"

CACHED_TILES = 16
"""Full tiles a writer keeps for each log: enough for the root of any size a witness may still be asked about."""


@dataclass(frozen=True, slots=True)
class LogState:
    """`number` names the log's tables; `noted` is the size of its newest note, `plain` whether only the log signed it.

    Frozen: a transaction makes new states, and they count once it is committed.
    """

    origin: str
    number: int
    epoch: int
    head: Head
    tree: TileTree
    cache: TileCache
    noted: int = 0
    plain: bool = False


def is_plain(origin: str, note: Note) -> bool:
    """A note that says nothing the log will not say again: its own Ed25519 line and no other."""
    return all(line.name == origin and len(line.blob) == 64 for line in note.lines)


def new_state(db: sqlite3.Connection, origin: str, number: int) -> LogState:
    """A log nobody has written to."""
    cache = TileCache(CACHED_TILES)
    return LogState(origin, number, 0, Head(), TileTree(_full(db, origin, number, cache)), cache)


def load_states(db: sqlite3.Connection) -> dict[str, LogState]:
    """Every log there is. Raises `Damaged` where head, edge, tiles and newest note do not fit together."""
    with told("reading what a start needs"):
        return {
            origin: _load(db, origin, number, epoch, read_head(*head))
            for origin, number, epoch, *head in db.execute(_LOGS).fetchall()
        }


def _load(db: sqlite3.Connection, origin: str, number: int, epoch: int, head: Head) -> LogState:
    cache = TileCache(CACHED_TILES)
    try:
        edge = [_edge_tile(db, number, level, head.size) for level in range(len(edge_widths(head.size)))]
        tree = TileTree(_full(db, origin, number, cache), head.size, edge)
    except RemoteError as error:
        raise Damaged(f"the last tiles of {origin} do not fit its size: {error.what}", log=origin) from None
    if (tree.root(), tree.edge()) != (head.root, head.edge):
        raise Damaged(f"the tiles of {origin} do not make its head", log=origin, size=head.size)
    (last,) = db.execute(f"SELECT max(n) FROM entry_{number}").fetchone()
    if (-1 if last is None else last) != head.size - 1:
        raise Damaged(f"the entries of {origin} do not end where its head is", log=origin, size=head.size)
    note = newest_note(db, origin, number)
    if note is None:
        return LogState(origin, number, epoch, head, tree, cache)
    if note.size > head.size or tree.root(note.size) != note.root:
        raise Damaged(f"{origin} has signed a tree that is not here", log=origin, size=note.size)
    return LogState(origin, number, epoch, head, tree, cache, note.size, is_plain(origin, note))


def _edge_tile(db: sqlite3.Connection, number: int, level: int, size: int) -> MemoryTree:
    """The last tile of a level: of level 0 from the entries, because it grows with every commit."""
    if level == 0:
        first = size - size % WIDTH
        rows = db.execute(f"SELECT entry FROM entry_{number} WHERE n >= ? AND n < ? ORDER BY n", (first, size))
        return MemoryTree(leaf_hash(entry) for (entry,) in rows)
    return read_tile(tile_row(db, number, (level, size >> HEIGHT * (level + 1))))


def tile_row(db: sqlite3.Connection, number: int, place: Place) -> bytes:
    found = db.execute(f"SELECT hashes FROM tile_{number} WHERE place = ?", (place_key(*place),)).fetchone()
    return b"" if found is None else bytes(found[0])


def _full(db: sqlite3.Connection, origin: str, number: int, cache: TileCache) -> Callable[[Place], MemoryTree]:
    def full(place: Place) -> MemoryTree:
        tile = cache.get(place)
        if tile is None:
            hashes = tile_row(db, number, place)
            if len(hashes) != WIDTH * HASH_SIZE:
                raise Damaged(f"a tile of {origin} is missing", log=origin, level=place[0], index=place[1])
            cache.keep(place, tile := read_tile(hashes))
        return tile

    return full


def note_row(db: sqlite3.Connection, origin: str, number: int, size: int) -> Note | None:
    """The note kept for `size`."""
    found = db.execute(f"SELECT size, root, lines FROM note_{number} WHERE size = ?", (size,)).fetchone()
    return None if found is None else _note(origin, *found)


def newest_note(db: sqlite3.Connection, origin: str, number: int) -> Note | None:
    found = db.execute(f"SELECT size, root, lines FROM note_{number} ORDER BY size DESC LIMIT 1").fetchone()
    return None if found is None else _note(origin, *found)


def kept_notes(db: sqlite3.Connection, origin: str, number: int) -> Iterator[Note]:
    """Every kept note, the newest first."""
    for size, root, lines in db.execute(f"SELECT size, root, lines FROM note_{number} ORDER BY size DESC"):
        yield _note(origin, size, root, lines)


def _note(origin: str, size: int, root: bytes, lines: bytes) -> Note:
    return Note(size, root, read(read_lines, lines, origin))


def newest_ids(db: sqlite3.Connection, states: Iterable[LogState]) -> dict[str, bytes]:
    """By log: the latest id that any sender has used, of those that are remembered."""
    found = {state.origin: db.execute(f"SELECT max(id) FROM id_{state.number}").fetchone()[0] for state in states}
    return {log: id_ for log, id_ in found.items() if id_ is not None}
