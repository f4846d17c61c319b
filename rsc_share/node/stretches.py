"""What was judged of a log, as this node keeps it: facts for the entries to come, and entries they may refer to.

FACT   first index -> [[key, fact], ...] of the entries from there to the next row, in log order
ENTRY  first index -> [[index, header, block], ...] of those among them that were admitted
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from rsc_share.envelope.entry import Signed
from rsc_share.node.records.facts import entry_wire, fact_wire, read_fact, read_source
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.rulebook.facts import Fact, Key
from rsc_share.rulebook.view import Source

RUN = 64
"""Entries in one row at most."""
REMEMBERED = 4096
"""Entries whose content is in memory; older ones are read when something refers to them."""


class Stretches:
    """Append only. `save` stages what was added since the last one."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._firsts: list[int] = []
        self._sources: dict[int, Source] = {}
        self._new: list[tuple[int, Mapping[Key, Fact], Signed | None]] = []

    def load(self) -> dict[Key, Fact]:
        """The facts of everything judged so far."""
        facts: dict[Key, Fact] = {}
        for first, rows in sorted(self._shelf.rows(Room.FACT), key=lambda row: int(row[0])):
            self._firsts.append(first)
            facts.update(read_fact(key, value) for key, value in rows)
        return facts

    def add(self, index: int, effects: Mapping[Key, Fact], admitted: Signed | None) -> None:
        self._new.append((index, effects, admitted))
        if admitted is not None:
            self._remember(Source.of(index, admitted))

    def save(self) -> None:
        for at in range(0, len(self._new), RUN):
            run = self._new[at : at + RUN]
            first = run[0][0]
            facts = {key: fact for _, effects, _ in run for key, fact in effects.items()}
            self._shelf.put(Room.FACT, first, [[list(key), fact_wire(fact)] for key, fact in facts.items()])
            entries = [[index, *entry_wire(signed)] for index, _, signed in run if signed is not None]
            self._shelf.put(Room.ENTRY, first, entries)
            self._firsts.append(first)
        self._new = []

    def source(self, index: int) -> Source | None:
        """What the admitted entry at `index` said; None if there is none, or it is none of this node's."""
        if index not in self._sources:
            self._read(index)
        return self._sources.get(index)

    def _read(self, index: int) -> None:
        at = bisect_right(self._firsts, index) - 1
        rows = () if at < 0 else self._shelf.get(Room.ENTRY, self._firsts[at]) or ()
        for found, header, block in rows:
            if found == index:
                self._remember(read_source(found, [header, block]))

    def _remember(self, source: Source) -> None:
        self._sources[source.ref.index] = source
        if len(self._sources) > REMEMBERED:
            del self._sources[next(iter(self._sources))]


def kept_headers(shelf: Shelf) -> dict[int, bytes]:
    """Index and header of every entry that is kept."""
    return {index: header for _, rows in shelf.rows(Room.ENTRY) for index, header, _ in rows}
