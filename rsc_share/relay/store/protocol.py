"""The store protocol: ten methods, nine promises. The relay's core never knows which store it has.

1. `append` is all or nothing and returns only when entries, bodies, facts and head would survive the loss of power of
   everything the store tolerates losing.
2. `append` succeeds only if the head is `writer.head` and no later `acquire` succeeded. Entries get the indices from
   `head.size` on, without a gap; they never change, move or disappear.
3. `acquire` returns only when every earlier append is decided and durable: what was `Unknown` is in `writer.head` or
   never will be. It begins with a durable write, because reading a file syncs nothing (a process that was killed
   inside its sync leaves rows that the next one can read and a power cut still takes).
4. `logs`, `lookup`, `read`, `wait`, `bodies` and `tile` show decided entries only, always a prefix, and what this
   process was told is written. `lookup` is as of the newest head. An iterator holds no transaction between two items.
5. `wait` is level triggered: it returns at once if the log is larger already. No wake-up is lost.
6. `erase` removes bodies only, can be repeated, and returns when the bytes are out of reach of every read and of the
   store's own files. Bodies that an order takes away go together with the note that covers the order (`keep_note`):
   after a crash either both are done, or neither is.
7. `keep_note` keeps the first note of a size, merges cosignature lines into it (the newest of each key), and raises
   `Broken` for a root that is not the tree's at that size, or a size never appended. The caller verifies every line
   before. A note is signed only after `append` returned. One that bears more than the log's own Ed25519 line is shown
   only after `keep_note` returned; cosigners' lines are durable then. What only the log itself signed may be lost in a
   crash, and forgotten once a larger one is kept: whoever asks again gets the log's word again, over the same bytes.
8. No method holds the loop for more than 5 ms; all may be cancelled. Cancelling `append` leaves `Unknown`.
9. The store never repairs: where entries, edge and root do not fit together it raises `Broken`, and answers nothing
   more for that log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening
from rsc_share.errors import StorageError
from rsc_share.log.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from rsc_share.log.note import NoteSignature
from rsc_share.rulebook.facts import Fact, Key
from rsc_share.session.frames import Statement


class Fenced(StorageError):
    """Somebody acquired this log later. Nothing was written; stop writing."""

    default_code = "fenced"


class Conflict(StorageError):
    """The head is not the one the batch was made for. Nothing was written; acquire again."""

    default_code = "conflict"


class Full(StorageError):
    """No space. Nothing was written, and the store is sound: go on with what fits."""

    default_code = "full"


class Taken(StorageError):
    """Bodies of a batch that brings only its own are here already, or were. Nothing was written."""

    default_code = "taken"

    def __init__(self, log: str, digests: frozenset[bytes]) -> None:
        super().__init__(f"{len(digests)} bodies of {log} belong to other entries", log=log)
        self.digests = digests


class Unknown(StorageError):
    """The append may or may not be written. Acquire again: only then is it decided."""

    default_code = "unknown"


class Broken(StorageError):
    """What is stored contradicts itself or what was signed. Stop the process; sign nothing."""

    default_code = "broken"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: its tree's size, 32-byte root and right edge, and the stamp of its last entry."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    edge: tuple[bytes, ...] = ()
    last: Stamp | None = None

    def grown(self, entries: Sequence[bytes], last: Stamp) -> Head:
        """The head after appending `entries` (packed, as they stand in the log)."""
        tree = CompactRange.from_edge(self.size, self.edge)
        for entry in entries:
            tree.append(leaf_hash(entry))
        return Head(tree.size, tree.root(), tree.edge, last)


EMPTY = Head()
MANY = 128 << 10
"""Bytes of signatures on one note: both lines of fifty nodes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry and what came beside it: the openings by node of `to`, a heartbeat's statements in their order.

    Openings and statements are kept for ever: an auditor needs them, and they say nothing that the body says.
    """

    entry: bytes
    openings: Mapping[str, Opening] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """A ciphertext or sealed key, and the index of the entry that brought it. Without data: a blob, whose bytes lie in
    the `BlobStore`.

    While it is here it stays the first one's: whoever read a ciphertext can name it in an entry of his own, and must
    not thereby become the one who may recall it.
    """

    index: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Erased:
    """A body that was here and is not any more."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Erasing:
    """Bodies of `log` that go, and why."""

    log: str
    digests: tuple[bytes, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one append writes: entries, bodies by SHA-256, changed facts, and the head they lead to.

    A body that is here already is left as it is; one that was erased is here again. Unless they are to be its `own`:
    then either is `Taken`.
    Ids composed before `ids_since` (ms) will never be asked for again: a store may forget those facts.
    """

    entries: tuple[Stored, ...]
    bodies: Mapping[bytes, Body]
    facts: Mapping[Key, Fact]
    after: Head
    ids_since: int = 0
    own: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """A fencing token, not a lock: whoever acquires later wins. `head` is what the next batch continues.

    `noted` is the largest size a note was kept for when this log was acquired: what was done before a note was kept
    need not be done again after a crash.
    """

    log: str
    epoch: int
    head: Head
    noted: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """The signature lines a log's checkpoint of `size` has. No lines at all asks for what is kept."""

    size: int
    root: bytes
    lines: tuple[NoteSignature, ...] = ()

    def merged(self, others: Sequence[NoteSignature]) -> Note:
        """With `others` added: the log's own first line stays, of a cosigner's lines the newest of each key.

        Above `MANY` bytes only the newest of each member: a member has one vote, whatever its nodes, and a note with
        both lines of some hundreds of nodes would be larger than any reader takes.
        """
        kept = {(line.name, line.key_id): line for line in self.lines}
        for line in others:
            before = kept.get((line.name, line.key_id))
            if before is None or _time(before) < _time(line):
                kept[line.name, line.key_id] = line
        lines = tuple(kept.values())
        if sum(len(line.blob) for line in lines) > MANY:
            # By time, so that the newest is the one that stays; of the same length: of the same kind of key.
            newest = {(line.name.rpartition("/")[0], len(line.blob)): line for line in sorted(lines, key=_time)}
            lines = tuple(line for line in lines if newest[line.name.rpartition("/")[0], len(line.blob)] is line)
        return Note(self.size, self.root, lines)


def _time(line: NoteSignature) -> int:
    """A cosignature's POSIX seconds; 0 for a plain 64-byte Ed25519 signature, which has no time and never changes."""
    return int.from_bytes(line.blob[:8], "big") if len(line.blob) > 64 else 0


class Readable(Protocol):
    """What can be read of logs without owning them: by the index of an entry, or the digest of a body."""

    def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        """As `LogStore.read`."""
        ...

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        """As `LogStore.bodies`."""
        ...


class LogStore(Protocol):
    """The logs of one relay host, by origin. The promises are those at the head of this module, by number."""

    async def logs(self) -> Mapping[str, Head]:
        """Every log that was ever acquired, with its head (promise 4)."""
        ...

    async def acquire(self, log: str) -> Writer:
        """The right to append to `log`, which begins to exist here if it did not (promise 3)."""
        ...

    async def append(self, writer: Writer, batch: Batch) -> Writer:
        """Write the batch and return the next writer (promises 1, 2).

        Raises `Fenced`, `Conflict`, `Full`, `Unknown`, or `Broken` where `batch.after` does not follow.
        """
        ...

    async def lookup(self, log: str, keys: Collection[Key]) -> Mapping[Key, Fact]:
        """The facts there are for these keys (promise 4)."""
        ...

    def read(self, log: str, start: int, stop: int, *, max_bytes: int) -> AsyncIterator[Stored]:
        """Entries `start` to `stop` - 1 as far as there are any; ends early once `max_bytes` of entries were given,
        never before the first (promise 4)."""
        ...

    async def wait(self, log: str, size: int, timeout_s: float) -> int:
        """The log's size, as soon as it is more than `size` or when `timeout_s` is over (promise 5)."""
        ...

    async def tile(self, log: str, level: int, index: int) -> bytes:
        """The hashes there are now of a tile of C2SP tlog-tiles, at most 256 of 32 bytes; none beyond the edge
        (promise 4). With these a reader computes every root and proof without the entries."""
        ...

    async def bodies(self, log: str, digests: Collection[bytes]) -> Mapping[bytes, Body | Erased]:
        """The bodies there are, or were; a digest that never came is not in the answer (promise 4)."""
        ...

    async def erase(self, log: str, digests: Collection[bytes], reason: str) -> int:
        """Remove bodies; how many were still there (promise 6)."""
        ...

    async def keep_note(self, log: str, note: Note, erasing: Sequence[Erasing] = ()) -> Note:
        """Merge verified lines into the note kept for `note.size` and return it whole (promise 7).

        `erasing`: what entries under this note order away, of this log or another one. Note and erasure are durable in
        one step, and as with `erase` nothing is left of the bodies when this returns (promise 6).
        """
        ...
