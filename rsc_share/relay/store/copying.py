"""Everything in a store for an export, read beside the relay that writes it, or without one.

Each read is short: an open one would keep the relay from cutting its write-ahead file, and with that from erasing.
Entries never change, so what is read later still belongs to the size that was read first. Bodies go: what stands
behind that size is read after them, for the orders they went on, and last the directory, which every stamp is within.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.errors import LocalError
from rsc_share.relay.commit import is_directory
from rsc_share.relay.directory_log import fold
from rsc_share.relay.fates import EXPIRED
from rsc_share.relay.notes import by_member, whole
from rsc_share.relay.snapshot import Snapshot, snapshot_of
from rsc_share.relay.store import selects
from rsc_share.relay.store.check import opened_beside
from rsc_share.relay.store.failures import told
from rsc_share.relay.store.protocol import Body, Erased, Note, Stored
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.state import kept_notes, newest_note


@dataclass(frozen=True, slots=True)
class Copied:
    """What a store holds. `left_out`: log -> entries behind the checkpoint that the copy ends with."""

    directory: Directory
    snapshots: tuple[Snapshot, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Copy:
    """The readable half of a store over a connection that cannot write. For a process that does nothing else: every
    read holds the loop."""

    db: sqlite3.Connection
    numbers: Mapping[str, int]

    async def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        given = 0
        while start < stop and given < max_bytes:
            with told("copying entries"):
                found = selects.entries(
                    self.db, log, self.numbers[log], start=start, stop=stop, max_bytes=selects.CHUNK
                )
            for stored in found:
                start, given = start + 1, given + len(stored.entry)
                yield stored

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        with told("copying bodies"):
            return selects.bodies(self.db, log, self.numbers[log], digests=digests)


async def copy_of(folder: Path, framework_id: bytes) -> Copied:
    """Every log up to its newest checkpoint that k members cosigned; up to the newest one where none did.

    Raises `LocalError` where there is no store or no directory in it, `StorageError` where it cannot be read.
    """
    if not (folder / FILE).is_file():
        raise LocalError(f"there is no store in {folder}", code="no-store", path=str(folder))
    with opened_beside(folder) as (db, _):
        with told("copying"):
            rows = db.execute("SELECT origin, number, size FROM log ORDER BY origin").fetchall()
        sizes = {origin: size for origin, _, size in rows}
        copy = Copy(db, {origin: number for origin, number, _ in rows})
        home = next((origin for origin in sizes if is_directory(origin) and sizes[origin]), None)
        if home is None:
            raise LocalError(f"the store in {folder} has no charter yet", code="no-charter")
        whole_directory, _ = await fold(copy, home, sizes[home], framework_id)
        view, now = whole_directory.at(sizes[home]), whole_directory.logged_at(sizes[home] - 1)
        found = {origin: _note(copy, origin, size, view, now) for origin, size in sizes.items()}
        notes = {origin: note for origin, note in found.items() if note is not None}
        if home not in notes:
            raise LocalError(f"{home} has no checkpoint yet", code="no-checkpoint", advice="start the relay once")
        channels = [(origin, note) for origin, note in sorted(notes.items()) if origin != home]
        snapshots = [await _snapshot(copy, origin, note) for origin, note in channels]
        if any(reason != EXPIRED for found in snapshots for reason in found.erased.values()):
            snapshots = [await _with_tail(copy, found) for found in snapshots]
        sizes[home] = _size(copy, home)
        notes[home] = _note(copy, home, sizes[home], view, now) or notes[home]
        directory, _ = await fold(copy, home, notes[home].size, framework_id)
        snapshots.append(await _snapshot(copy, home, notes[home]))
        snapshots.sort(key=lambda snapshot: snapshot.origin)
    return Copied(directory, tuple(snapshots), {origin: sizes[origin] - note.size for origin, note in notes.items()})


def _note(copy: Copy, origin: str, size: int, view: DirectoryView, now: int) -> Note | None:
    """The checkpoint to end with. A log keeps no other that only itself has signed than the newest."""
    with told("copying checkpoints"):
        kept = [note for note in kept_notes(copy.db, origin, copy.numbers[origin]) if note.size <= size]
    charter = view.charter
    k, members = charter.witness_quorum, view.witnesses(now, origin)
    witnessed = (note for note in kept if len(by_member(note.lines, charter.framework, members)) >= k)
    return next(witnessed, kept[0] if kept else None)


async def _snapshot(copy: Copy, origin: str, note: Note) -> Snapshot:
    data = whole(origin, note)
    return await snapshot_of(copy, origin, note.size, data, data)


async def _with_tail(copy: Copy, found: Snapshot) -> Snapshot:
    """With the entries behind its end, up to the newest checkpoint. Read after the bodies of every log: a recall may
    stand in another one than what it recalls. That checkpoint covers every order on which a body has gone: the store
    has both in one step."""
    size, note = len(found.entries), _newest(copy, found.origin)
    if note is None or note.size <= size:
        return found
    tail = [stored.entry async for stored in copy.read(found.origin, size, note.size, max_bytes=1 << 62)]
    return replace(found, tail=tuple(tail), tail_note=whole(found.origin, note))


def _size(copy: Copy, origin: str) -> int:
    with told("copying"):
        (size,) = copy.db.execute("SELECT size FROM log WHERE origin = ?", (origin,)).fetchone()
    return int(size)


def _newest(copy: Copy, origin: str) -> Note | None:
    with told("copying checkpoints"):
        return newest_note(copy.db, origin, copy.numbers[origin])
