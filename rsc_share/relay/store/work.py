"""What one call does inside a transaction of the writer: claim a log, append, erase, keep a note.

Each checks everything before it writes its first row: what it refuses leaves nothing behind, and the other calls of
the same transaction go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import Place, TileTree
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.protocol import Batch, Body, Broken, Conflict, Erasing, Fenced, Head, Note, Taken, Writer
from rsc_share.relay.store.rows import fact_key, head_row, pack_beside, pack_fact, pack_lines
from rsc_share.relay.store.schema import create_log, place_key
from rsc_share.relay.store.state import LogState, is_plain, new_state, note_row
from rsc_share.rulebook.facts import Fact, IdFact, Key

TRIM = 1_024
"""Ids forgotten in one append: more than an append brings, so that the table shrinks to what is asked for."""

Pending = dict[tuple[str, int], Note]


@dataclass(slots=True)
class Transaction:
    """One transaction of the writer. `staged` states and `unsynced` notes count once it is committed.

    `unsynced`: notes only the log itself signed. They are written with whatever is written next: a sync for each would
    double what a commit costs, to keep what can be signed again. It is this transaction's own: a note that found no
    space must not be written later without the erasure it came with.
    """

    db: sqlite3.Connection
    states: dict[str, LogState]
    unsynced: Pending
    staged: dict[str, LogState] = field(default_factory=dict)
    tiles: dict[str, dict[Place, MemoryTree]] = field(default_factory=dict)
    bodies: list[tuple[str, bytes, Body | None]] = field(default_factory=list)
    """What was brought, and what was erased (None), by log and digest, in this order."""
    facts: list[tuple[str, Mapping[Key, Fact]]] = field(default_factory=list)
    urgent: bool = False
    """Whether `unsynced` holds something that must not wait: a cosigner's line, or the note of an erasure."""
    written: int = 0
    """Roughly how many bytes the log before the database has grown by."""

    def state(self, log: str) -> LogState | None:
        return self.staged.get(log) or self.states.get(log)

    def flush(self) -> None:
        """Write the notes that waited for a transaction."""
        for (log, _), note in self.unsynced.items():
            if (state := self.state(log)) is not None:
                write_note(self, state, note)


def acquire(txn: Transaction, log: str) -> Writer:
    """A later fence for this log, which begins to exist. Always a write, and so a sync."""
    state = txn.state(log)
    if state is None:
        (number,) = txn.db.execute(
            "INSERT INTO log (origin, epoch, size, root, edge) VALUES (?, 0, 0, ?, ?) RETURNING number",
            (log, Head().root, b""),
        ).fetchone()
        create_log(txn.db, number)
        state = new_state(txn.db, log, number)
    state = txn.staged[log] = replace(state, epoch=state.epoch + 1)
    txn.db.execute("UPDATE log SET epoch = ? WHERE number = ?", (state.epoch, state.number))
    txn.written += 4_096
    return Writer(log, state.epoch, state.head, state.noted)


def append(txn: Transaction, writer: Writer, batch: Batch) -> Writer:
    """Write the whole batch. Raises `Fenced`, `Conflict`, `Taken`, and `Broken` where it leads to another head."""
    state = txn.state(writer.log)
    if state is None or writer.epoch != state.epoch:
        raise Fenced(f"{writer.log} has a later writer", log=writer.log)
    if writer.head != state.head:
        raise Conflict(f"{writer.log} stands at {state.head.size}, not {writer.head.size}", log=writer.log)
    tree = state.tree.copy()
    touched = tree.extend(leaf_hash(stored.entry) for stored in batch.entries)
    if not batch.entries or batch.after.last is None or _head(tree, batch) != batch.after:
        raise Broken("the batch does not lead to the head it names", log=writer.log)
    if batch.own and (taken := _taken(txn, state, batch.bodies)):
        raise Taken(writer.log, taken)
    _write(txn, state, batch, touched)
    txn.staged[writer.log] = replace(state, head=batch.after, tree=tree)
    txn.tiles.setdefault(writer.log, {}).update(touched)
    return replace(writer, head=batch.after)


def _taken(txn: Transaction, state: LogState, digests: Iterable[bytes]) -> frozenset[bytes]:
    """Those of bodies that are here, or were."""
    query = f"SELECT 1 FROM body_{state.number} WHERE digest = ?"
    return frozenset(digest for digest in digests if txn.db.execute(query, (digest,)).fetchone() is not None)


def _head(tree: TileTree, batch: Batch) -> Head:
    return Head(tree.size, tree.root(), tree.edge(), batch.after.last)


def _write(txn: Transaction, state: LogState, batch: Batch, touched: dict[Place, MemoryTree]) -> None:
    db, number = txn.db, state.number
    entries = [(n, s.entry, pack_beside(s)) for n, s in enumerate(batch.entries, state.head.size)]
    db.executemany(f"INSERT INTO entry_{number} VALUES (?, ?, ?)", entries)
    _write_bodies(txn, state, batch.bodies)
    _write_facts(db, number, batch.facts.items())
    txn.facts.append((state.origin, batch.facts))
    _trim(db, number, batch.ids_since)
    rows = [(place_key(*p), t.row(0, 0, t.size)) for p, t in touched.items() if p[0] or t.size == WIDTH]
    db.executemany(f"INSERT OR REPLACE INTO tile_{number} VALUES (?, ?)", rows)
    db.execute(
        "UPDATE log SET size = ?, root = ?, edge = ?, logged_at = ?, directory = ? WHERE number = ?",
        (*head_row(batch.after), number),
    )
    txn.written += sum(len(entry) + len(beside) + 200 for _, entry, beside in entries)
    txn.written += sum(len(body.data) + 100 for body in batch.bodies.values()) + sum(len(t) for _, t in rows) + 16_384


def _write_bodies(txn: Transaction, state: LogState, bodies: Mapping[bytes, Body]) -> None:
    """A body that is here stays the one that brought it first: only what is new is said to be brought."""
    insert = (
        f"INSERT INTO body_{state.number} (digest, brought, data) VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET brought = excluded.brought, data = excluded.data, reason = NULL WHERE data IS NULL RETURNING 1"
    )
    for digest, body in bodies.items():
        if txn.db.execute(insert, (digest, body.index, body.data)).fetchone() is not None:
            txn.bodies.append((state.origin, digest, body))


def _write_facts(db: sqlite3.Connection, number: int, facts: Iterable[tuple[Key, Fact]]) -> None:
    ids, others = [], []
    for key, fact in facts:
        if isinstance(fact, IdFact):
            _, sender, id_ = key
            ids.append((id_, sender, fact.index, fact.header_hash))
        else:
            others.append((fact_key(key), pack_fact(fact)))
    # By time, so that they go to the end of their table and not all over it.
    db.executemany(f"INSERT OR REPLACE INTO id_{number} VALUES (?, ?, ?, ?)", sorted(ids))
    db.executemany(f"INSERT OR REPLACE INTO fact_{number} VALUES (?, ?)", sorted(others))


def _trim(db: sqlite3.Connection, number: int, since: int) -> None:
    """Forget ids composed before `since` (ms): the first 48 bits of an id are its time."""
    cut = min(since, (1 << 48) - 1).to_bytes(6, "big")
    query = f"SELECT id FROM id_{number} WHERE id < ? ORDER BY id LIMIT 1 OFFSET {TRIM}"
    beyond = db.execute(query, (cut,)).fetchone()
    db.execute(f"DELETE FROM id_{number} WHERE id < ?", (cut if beyond is None else beyond[0],))


def erase(txn: Transaction, log: str, digests: Collection[bytes], reason: str) -> int:
    """Overwrite bodies. They are out of every file once the log before the database has been cut."""
    state = txn.state(log)
    if state is None:
        return 0
    query = f"UPDATE body_{state.number} SET data = NULL, reason = ? WHERE digest = ? AND data IS NOT NULL"
    erased = sum(txn.db.execute(query, (reason, digest)).rowcount for digest in set(digests))
    txn.bodies += ((log, digest, None) for digest in digests)
    txn.written += 8_192 * erased
    return erased


def keep_note(txn: Transaction, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
    """Merge lines into the note of its size, and erase. Raises `Broken` for a tree this log never had."""
    kept = _merged(txn, log, note)
    for item in erasing:
        erase(txn, item.log, item.digests, item.reason)
    # Whoever reads beside it must see on which signed order a body went.
    txn.urgent |= bool(erasing)
    return kept


def _merged(txn: Transaction, log: str, note: Note) -> Note:
    state = txn.state(log)
    head = Head() if state is None else state.head
    root = head.root if note.size == head.size else _root(state, note.size)
    if note.root != root:
        raise Broken(f"no tree of {log} has size {note.size} and this root", log=log, size=note.size)
    if state is None:
        if note.lines:
            raise Broken(f"a note of {log}, which was never acquired", log=log, size=note.size)
        return note
    unsynced = txn.unsynced.get((log, note.size))
    before = unsynced or note_row(txn.db, log, state.number, note.size)
    kept = (before or Note(note.size, note.root)).merged(note.lines)
    if before is not None and set(before.lines) == set(kept.lines):
        if unsynced is None:
            return before
        kept = before
    txn.unsynced[log, note.size] = kept
    txn.urgent |= any(line.name != log for line in kept.lines)  # the log's own words can be said again
    return kept


def _root(state: LogState | None, size: int) -> bytes | None:
    return state.tree.root(size) if state is not None and 0 <= size <= state.head.size else None


def write_note(txn: Transaction, state: LogState, note: Note) -> None:
    """One row for a size. A larger note takes the place of one that only the log itself signed."""
    number = state.number
    query = f"INSERT OR REPLACE INTO note_{number} VALUES (?, ?, ?)"
    txn.db.execute(query, (note.size, note.root, pack_lines(note.lines)))
    txn.written += 4_096
    if note.size < state.noted:
        return
    if state.plain and note.size > state.noted:
        txn.db.execute(f"DELETE FROM note_{number} WHERE size = ?", (state.noted,))
    now = txn.state(state.origin) or state
    txn.staged[state.origin] = replace(now, noted=note.size, plain=is_plain(state.origin, note))
