"""One log while its relay runs: the writer, the tree, the newest signed notes, and what its witnesses have said.

Everything here follows the order of a commit: append (synced), sign, keep the note and erase what was ordered, show.
`size` is what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import NoteSignature
from rsc_share.relay.fanout import Line
from rsc_share.relay.heads import OutsideHeads, Signed, proved
from rsc_share.relay.lines import RECENT, RecentLines
from rsc_share.relay.logtree import LogTree
from rsc_share.relay.notes import PQ_EVERY, LogKeys, own_lines, shown
from rsc_share.relay.store.protocol import Batch, Broken, Erasing, LogStore, Note, Stored, Writer
from rsc_share.relay.witnessing import Witnessing
from rsc_share.rulebook.view import Source

NO_HURRY = 250
"""ms for which a node need not be told of entries that it does nothing about."""
LOOKED_AT = 64
"""Entries looked at for others among them; more are news whatever they are."""
CHUNK = 1 << 20
"""Bytes of entries read from the store at a time."""


class State(StrEnum):
    """Whether a log takes entries. Reads are served in every state but `stopped`."""

    RECOVERING = "recovering"
    """Since the start k witnesses have not yet said that what they saw is a prefix of what is here."""
    READY = "ready"
    STOPPED = "stopped"
    """The store failed or contradicted itself: nothing more is signed until a person has looked."""


@dataclass(slots=True)
class LiveLog:
    """Made by `LiveLog.open`; used by one task at a time, read by many."""

    origin: str
    store: LogStore
    keys: LogKeys
    writer: Writer
    tree: LogTree
    state: State = State.RECOVERING
    size: int = 0
    notes: dict[int, Note] = field(default_factory=dict)
    witnessing: Witnessing = field(default_factory=Witnessing)
    last_pq: int | None = None
    pq_size: int = -1
    outside: OutsideHeads | None = None
    """Where what was shown is remembered beside the store; None for a store in memory."""
    proved: bool = True
    """Whether the outside head says that nothing is missing here. If not, every reader must, or nothing goes on."""
    _written: dict[int, tuple[Note, bytes]] = field(default_factory=dict)
    """The notes as they were last told, by size."""
    _lines: RecentLines = field(default_factory=RecentLines)

    @classmethod
    async def open(
        cls,
        store: LogStore,
        origin: str,
        keys: LogKeys,
        outside: OutsideHeads | None = None,
        *,
        restored: bool = False,
    ) -> LiveLog:
        """Acquire (a durable write) and compare the last tiles and entries with the stored head, and with what the log
        is known to have shown.

        Raises `Broken` where they differ, `StorageError` as `heads.proved`. The caller does what the last process may
        have left undone, and then calls `show`, before anybody else has this log. Signing again is harmless: the same
        bytes were synced before.
        """
        writer = await store.acquire(origin)
        tree = await LogTree.open(store, origin, writer.head)
        known = outside is None or await proved(outside, origin, writer.head.size, tree, restored=restored)
        return cls(origin, store, keys, writer, tree, size=writer.head.size, outside=outside, proved=known)

    async def append(self, batch: Batch) -> None:
        """Write a batch and grow the tree. Nothing is shown before `show`."""
        self.writer = await self.store.append(self.writer, batch)
        self.tree.extend(leaf_hash(stored.entry) for stored in batch.entries)

    async def show(self, now: int, erasing: Sequence[Erasing] = ()) -> None:
        """Sign the synced head, keep the note, and only then let anybody see it.

        `erasing`: what entries that were not shown yet order away. It goes in one step with the note, so that whoever
        has the store, also of a relay that died, shows on which signed order it went (ADR 0157).
        """
        head = self.writer.head
        lines = own_lines(self.keys, Checkpoint(self.origin, head.size, head.root), now, self.last_pq)
        if len(lines) > 1 or erasing:
            await self._keep(head.size, lines, erasing)
            if len(lines) > 1:
                self.last_pq, self.pq_size = now, head.size
        else:  # the store would keep it in memory, too: a start signs the same bytes again
            self._note(Note(head.size, head.root, lines))
        if self.proved:
            self.prove(head.size, head.root)
        self.size = max(self.size, head.size)  # a slower call for an earlier head must not take anything back

    def prove(self, size: int, root: bytes) -> None:
        """Remember outside what is signed. For a restored store: everybody has said that nothing is missing."""
        if self.outside is not None:
            self.outside.write(self.origin, Signed(size, root))
        self.proved = True

    def owes_pq(self, now: int) -> bool:
        """Whether the shown head lacks an ML-DSA-44 line that is due. A commit under way will show its own head."""
        if self.size != self.writer.head.size:
            return False
        return self.pq_size < self.size and (self.last_pq is None or now - self.last_pq >= PQ_EVERY)

    async def _keep(self, size: int, lines: Iterable[NoteSignature], erasing: Sequence[Erasing] = ()) -> Note:
        root = await self.tree.root(size)
        # With the lines there are: the store may have forgotten a note that nobody had cosigned.
        mine = self.notes[size].lines if size in self.notes else ()
        return self._note(await self.store.keep_note(self.origin, Note(size, root, (*mine, *lines)), erasing))

    def _note(self, note: Note) -> Note:
        """Merge a note into those that are shown; the whole one. Forgets those that nobody asks for any more."""
        size = note.size
        self.notes[size] = note = self.notes.get(size, note).merged(note.lines)
        wanted = {size, self.size, self.writer.head.size, self.witnessing.target}
        if self.witnessing.quorum is not None:
            wanted.add(self.witnessing.quorum.size)
        self.notes = {kept: found for kept, found in self.notes.items() if kept in wanted}
        self._written = {kept: found for kept, found in self._written.items() if kept in wanted}
        return note

    async def cosigned(self, size: int, lines: Iterable[NoteSignature]) -> Note:
        """Keep verified cosignature lines of the tree of `size`; the whole note."""
        return await self._keep(size, lines)

    def offered(self, k: int, now: int) -> Note | None:
        """The checkpoint that witnesses are to cosign now."""
        return self.notes.get(self.witnessing.aim(self.size, k, now))

    def note(self, size: int | None = None) -> bytes:
        """The newest signed note, or that of a `size` still kept, as a frame carries it: written once for every sender,
        reader and witness."""
        size = self.size if size is None else size
        note, known = self.notes[size], self._written.get(size)
        if known is None or known[0] is not note:
            known = self._written[size] = (note, shown(self.origin, note))
        return known[1]

    def root(self, size: int) -> bytes | None:
        """Root of the first `size` entries, near the end of the log or just asked for; None beyond what is here."""
        return self.tree.root_in_memory(size) if 0 <= size <= self.tree.size else None

    async def lines(self, start: int, stop: int) -> list[Line]:
        """Parsed channel entries from `start`: all up to `stop`, or as many as fit one read."""
        stop = min(stop, self.size)
        found = []
        while start < stop and (line := self._lines.get(start)) is not None:
            found.append(line)
            start += 1
        if found or start >= stop:
            return found
        async for stored in self.store.read(self.origin, start, stop, max_bytes=CHUNK):
            index, line = start + len(found), self._parsed(stored)
            if index >= self.writer.head.size - RECENT:
                self._lines.offer(index, line)
            found.append(line)
        return found

    def _parsed(self, stored: Stored) -> Line:
        try:
            return Line.of(stored)
        except RemoteError as error:
            raise Broken(f"an entry of {self.origin} cannot be read: {error.what}", log=self.origin) from None

    def remember(self, index: int, line: Line) -> None:
        """One that was just logged: its readers ask for it in a moment."""
        self._lines.keep(index, line)

    def has_news(self, size: int, node: str, now: int) -> bool:
        """Whether a reader that knows `size` entries must be told of more at once. Its own, for which it has receipts,
        and those that are not for it are told with whatever else is, or a moment later: none costs it a turn."""
        if self.size <= size:
            return False
        newer = [self._lines.get(index) for index in range(size, min(self.size, size + LOOKED_AT))]
        if self.size > size + LOOKED_AT or any(line is None or line.waits(node) for line in newer):
            return True
        return any(line is not None and now - line.entry.stamp.logged_at >= NO_HURRY for line in newer[:1])

    async def line(self, index: int) -> Line | None:
        """One parsed channel entry."""
        found = await self.lines(index, index + 1) if 0 <= index < self.size else []
        return found[0] if found else None

    async def source(self, ref: Ref) -> Source | None:
        """What the entry at `ref` said, if it is that entry: a point read, no hash index."""
        line = await self.line(ref.index)
        if line is None or line.entry.signed.header_hash != ref.header_hash:
            return None
        return Source.of(ref.index, line.entry.signed)


Logs = Mapping[str, LiveLog]
