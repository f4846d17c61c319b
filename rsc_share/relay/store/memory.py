"""A store in memory: for tests, demonstrations and as the plain meaning of the protocol's nine promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tiles import WIDTH
from rsc_share.log.tiletree import HEIGHT
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.protocol import (
    EMPTY,
    Batch,
    Body,
    Broken,
    Conflict,
    Erased,
    Erasing,
    Fenced,
    Full,
    Head,
    Note,
    Stored,
    Taken,
    Writer,
)
from rsc_share.rulebook.facts import Fact, Key


@dataclass(slots=True)
class _Log:
    head: Head = EMPTY
    epoch: int = 0
    entries: list[Stored] = field(default_factory=list)
    tree: MemoryTree = field(default_factory=MemoryTree)
    bodies: dict[bytes, Body | Erased] = field(default_factory=dict)
    facts: dict[Key, Fact] = field(default_factory=dict)
    notes: dict[int, Note] = field(default_factory=dict)
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryStore:
    """A `LogStore` that tolerates losing nothing. `limit` (bytes of entries and bodies) makes it raise `Full`."""

    def __init__(self, *, limit: int | None = None) -> None:
        self._logs: dict[str, _Log] = {}
        self.limit = limit
        self.used = 0

    async def logs(self) -> Mapping[str, Head]:
        return {origin: log.head for origin, log in self._logs.items() if log.epoch}

    async def acquire(self, log: str) -> Writer:
        await _turn()
        found = self._log(log)
        found.epoch += 1
        return Writer(log, found.epoch, found.head, max(found.notes, default=0))

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        await _turn()  # cancelled here: not written
        found = self._log(writer.log)
        if writer.epoch != found.epoch:
            raise Fenced(f"{writer.log} has a later writer", log=writer.log)
        if writer.head != found.head:
            raise Conflict(f"{writer.log} stands at {found.head.size}, not {writer.head.size}", log=writer.log)
        entries = [stored.entry for stored in batch.entries]
        if not entries or batch.after.last is None or writer.head.grown(entries, batch.after.last) != batch.after:
            raise Broken("the batch does not lead to the head it names", log=writer.log)
        if batch.own and (taken := found.bodies.keys() & batch.bodies.keys()):
            raise Taken(writer.log, frozenset(taken))
        self._take_space(sum(map(len, entries)) + sum(len(body.data) for body in batch.bodies.values()))
        self._write(found, batch)
        await _turn()  # cancelled here: written, and the caller does not know
        return replace(writer, head=batch.after)

    def _take_space(self, size: int) -> None:
        if self.limit is not None and self.used + size > self.limit:
            raise Full(f"{size} bytes do not fit", used=self.used, limit=self.limit)
        self.used += size

    @staticmethod
    def _write(found: _Log, batch: Batch) -> None:
        found.entries.extend(batch.entries)
        found.tree.extend(leaf_hash(stored.entry) for stored in batch.entries)
        for digest, body in batch.bodies.items():
            if not isinstance(found.bodies.get(digest), Body):
                found.bodies[digest] = body
        found.facts.update(batch.facts)
        found.head = batch.after
        found.grown.set()
        found.grown = asyncio.Event()

    async def lookup(self, log: str, keys: Collection[Key]) -> Mapping[Key, Fact]:
        facts = self._log(log).facts
        return {key: facts[key] for key in keys if key in facts}

    async def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        entries, given = self._log(log).entries, 0
        for index in range(start, min(stop, len(entries))):
            if given >= max_bytes:
                return
            given += len(entries[index].entry)
            yield entries[index]

    async def wait(self, log: str, size: int, timeout_s: float) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                while (found := self._log(log)).head.size <= size:
                    await found.grown.wait()
        except TimeoutError:
            pass
        return self._log(log).head.size

    async def tile(self, log: str, level: int, index: int) -> bytes:
        tree = self._log(log).tree
        first, have = index * WIDTH, tree.size >> HEIGHT * level
        return tree.row(HEIGHT * level, first, min(WIDTH, have - first)) if first < have else b""

    def whole_tree(self, log: str) -> MemoryTree:
        """The tree itself, for tests and demonstrations that forge another."""
        return self._log(log).tree

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        bodies = self._log(log).bodies
        return {digest: bodies[digest] for digest in digests if digest in bodies}

    async def erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        return self._erase(log, digests, reason)

    def _erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        bodies, erased = self._log(log).bodies, 0
        for digest in digests:
            body = bodies.get(digest)
            if isinstance(body, Body):
                bodies[digest] = Erased(body.index, reason)
                self.used -= len(body.data)
                erased += 1
        return erased

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        found = self._log(log)
        root = found.tree.root(note.size) if note.size <= found.head.size else None
        if note.root != root:
            raise Broken(f"no tree of {log} has size {note.size} and this root", log=log, size=note.size)
        kept = found.notes.get(note.size, Note(note.size, note.root)).merged(note.lines)
        found.notes[note.size] = kept
        for item in erasing:
            self._erase(item.log, item.digests, item.reason)
        return kept

    def _log(self, log: str) -> _Log:
        # A log nobody acquired is empty; it is kept all the same, or a reader would wait for another one to grow.
        return self._logs.setdefault(log, _Log())


async def _turn() -> None:
    """Give way once, so that a race or a cancellation can happen where a real store would wait for its disk."""
    await asyncio.sleep(0)
