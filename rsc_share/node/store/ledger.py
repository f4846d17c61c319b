"""Things that are only ever added: in memory a few numbers of each, on disk the whole of it, read when asked for.

    room, key n    the n-th run: [records, [value, ...]] of up to 64 things that became durable together
    room, key [k]  runs 64 k to 64 k + 63 in short: [their lengths, one byte each; their records], what a start reads

A record is a row of big-endian u64: numbers, or fingerprints of what is looked for by equality. A fingerprint may stand
for two things: who looks one up compares the value. One row for each thing would cost what a hundred of them cost
together; an index over fingerprints would cost every addition what a search, which is rare, costs without one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import pairwise
from struct import Struct
from typing import Any, Final, Generic, TypeVar

from rsc_share.errors import StorageError
from rsc_share.node.store.late import Late
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.recent import Recent

T = TypeVar("T")
RUN: Final = 64
"""Things in one run at most."""
SUMMED: Final = 64
"""Runs that one row says in short."""
REMEMBERED: Final = 8
"""Runs whose values are in memory."""
BLOCK: Final = 8192
"""Things whose values of one field are sorted together, where it is searched for what is mostly not there."""
FIELD: Final = 8


def fingerprint(*parts: str | bytes) -> int:
    """64 bits of a hash over the parts; never 0, which stands for nothing."""
    said = [part.encode() if isinstance(part, str) else part for part in parts]
    data = b"".join([len(part).to_bytes(4, "big") + part for part in said])
    return int.from_bytes(blake2b(data, digest_size=FIELD, person=b"rsc ledger").digest(), "big") or 1


def no_value(thing: Any) -> None:
    """For ledgers whose records say it all."""


class Ledger(Generic[T]):
    """`fields` u64 of every thing stay in memory, 8 bytes each, and 8 bytes for every run."""

    def __init__(
        self,
        shelf: Shelf,
        room: Room,
        fields: int,
        mark: Callable[[T], tuple[int, ...]],
        wire: Callable[[T], Any] = no_value,
        *,
        late: bool = True,
        often: int | None = None,
    ) -> None:
        """`late`: what is added is written before the next commit; otherwise when `write` is called. `often`: a field
        that is searched often, and for what is not there. Each search sorts a block of it, which costs 8 bytes more of
        everything there: sorting all at once would hold up a node with a million messages for a second."""
        self._shelf, self._room, self._mark, self._wire = shelf, room, mark, wire
        self._struct = Struct(f">{fields}Q")
        self._records = bytearray()
        self._starts = array("Q")
        """Number of the first thing of every run."""
        self._often = often
        self._sorted: list[array[int]] = []
        self._new: list[T] = []
        self._runs = Recent[int, list[Any]](REMEMBERED)
        self._late = Late(shelf, self.write) if late else None
        self._load()

    def _load(self) -> None:
        while (found := self._shelf.get(self._room, [len(self._starts) // SUMMED])) is not None:
            lengths, records = found
            at = len(self)
            for length in lengths:
                self._starts.append(at)
                at += length
            self._records += records
            if len(lengths) != SUMMED or at != len(self):
                raise self._damaged("a summary says another number of things than it holds")
        while (found := self._shelf.get(self._room, len(self._starts))) is not None:
            self._starts.append(len(self))
            self._records += found[0]

    def _damaged(self, what: str) -> StorageError:
        return StorageError(f"the store's {self._room.name} room does not add up: {what}", code="damaged-state")

    # --- adding

    def add(self, thing: T) -> int:
        """Its number: 0 is the first thing that was ever added."""
        number = len(self)
        self._records += self._struct.pack(*self._mark(thing))
        self._new.append(thing)
        if self._late is not None:
            self._late.touch()
        return number

    def write(self) -> None:
        """Stage what was added since the last time."""
        new, self._new = self._new, []
        first = len(self) - len(new)
        for at in range(0, len(new), RUN):
            run = new[at : at + RUN]
            self._put(first + at, run)

    def _put(self, first: int, run: list[T]) -> None:
        records = self._slice(first, first + len(run))
        self._shelf.put(self._room, len(self._starts), [records, [self._wire(thing) for thing in run]])
        self._starts.append(first)
        if len(self._starts) % SUMMED == 0:
            starts = [*self._starts[-SUMMED:], first + len(run)]
            lengths = bytes(after - before for before, after in pairwise(starts))
            row = [lengths, self._slice(starts[0], starts[-1])]
            self._shelf.put(self._room, [len(self._starts) // SUMMED - 1], row)

    def _slice(self, start: int, stop: int) -> bytes:
        return bytes(self._records[start * self._struct.size : stop * self._struct.size])

    # --- reading

    def __len__(self) -> int:
        return len(self._records) // self._struct.size

    def record(self, number: int) -> tuple[int, ...]:
        return self._struct.unpack_from(self._records, number * self._struct.size)

    def records(self) -> Iterator[tuple[int, ...]]:
        """Of everything, in order."""
        return self._struct.iter_unpack(bytes(self._records))

    def value(self, number: int) -> Any:
        """What `wire` made of it; from disk, unless it is new or its run was asked for lately."""
        written = len(self) - len(self._new)
        if number >= written:
            return self._wire(self._new[number - written])
        run = bisect_right(self._starts, number) - 1
        return self._run(run)[number - self._starts[run]]

    def _run(self, run: int) -> list[Any]:
        values = self._runs.get(run)
        if values is None:
            found = self._shelf.get(self._room, run)
            if found is None:
                raise self._damaged(f"run {run} is not there")
            values = found[1]
            self._runs.keep(run, values)
        return values

    def find(self, field: int, value: int) -> Iterator[int]:
        """Numbers of all things with this value in a field, newest first. A pass over memory: a GB in a second."""
        if field != self._often:
            yield from self._scan(field, value, 0, len(self))
            return
        self._sort(field)
        yield from self._scan(field, value, len(self._sorted) * BLOCK, len(self))
        for number in reversed(range(len(self._sorted))):
            block = self._sorted[number]
            at = bisect_left(block, value)
            if at < len(block) and block[at] == value:
                yield from self._scan(field, value, number * BLOCK, (number + 1) * BLOCK)

    def _scan(self, field: int, value: int, start: int, stop: int) -> Iterator[int]:
        needle, width, offset = value.to_bytes(FIELD, "big"), self._struct.size, field * FIELD
        low = start * width
        at = self._records.rfind(needle, low, stop * width)
        while at >= 0:
            if at % width == offset:
                yield at // width
            at = self._records.rfind(needle, low, at + FIELD - 1)

    def _sort(self, field: int) -> None:
        """One block more, if one is full."""
        start = len(self._sorted) * BLOCK
        if start + BLOCK <= len(self):
            records = self._struct.iter_unpack(self._slice(start, start + BLOCK))
            self._sorted.append(array("Q", sorted(record[field] for record in records)))

    def bisect(self, value: int) -> int:
        """Number of the first thing whose first field is not below `value`; for ledgers in which it never falls."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.record(middle)[0] < value:
                low = middle + 1
            else:
                high = middle
        return low
