"""What was judged of a log, as this node keeps it: facts for the entries to come, and entries they may refer to.

FACT   sender -> [head, count, newest id]: where it stands, how many of its entries were for this node
ENTRY  a ledger: [index, sender, id, header hash, grant or nil, header or nil, block or nil] of every entry that
       advanced its sender; header and block of those that were admitted. Records are the index, and the id in short
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rsc_share.envelope.entry import Signed
from rsc_share.node.records.facts import grant_wire, read_grant
from rsc_share.node.store.ledger import Ledger, fingerprint
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.rulebook.facts import (
    NO_HEAD,
    Fact,
    GrantFact,
    HeadFact,
    IdFact,
    Key,
    count_key,
    grant_key,
    head_key,
    id_key,
)
from rsc_share.rulebook.view import Source
from rsc_share.value import Value

IDS: Final = 4096
"""Ids in memory. An older one is looked for on disk, and only where the sender has used a newer one that is not here:
ids begin with the time, so this is rare."""
GRANTS: Final = 1024
"""Grants in memory: those that were named last."""
SOURCES: Final = 1024
"""Entries whose content is in memory; others are read when something refers to them."""
LARGE: Final = 8_192
"""Bytes of a header above which its content is not kept in memory: a member may write any number of fifty KB."""
_INDEX, _ID = 0, 1


class Judged(Value, frozen=True):
    """One entry that advanced its sender."""

    index: int
    sender: str
    id: bytes
    header_hash: bytes
    grant: GrantFact | None
    signed: Signed | None
    """None for one that was not admitted."""


def _mark(entry: Judged) -> tuple[int, ...]:
    return entry.index, fingerprint(entry.sender, entry.id)


def _wire(entry: Judged) -> list[Any]:
    grant = None if entry.grant is None else grant_wire(entry.grant)
    signed = (None, None) if entry.signed is None else (entry.signed.header_bytes, entry.signed.block_bytes)
    return [entry.index, entry.sender, entry.id, entry.header_hash, grant, *signed]


class Stretches(Mapping[Key, Fact]):
    """The facts of one log, and its sources. Only added to; `save` stages what was added since the last one."""

    def __init__(self, shelf: Shelf, me: str) -> None:
        self._shelf, self._me = shelf, me
        self._entries = Ledger[Judged](shelf, Room.ENTRY, 2, _mark, _wire, late=False, often=_ID)
        self._heads: dict[str, HeadFact] = {}
        self._counts: dict[str, int] = {}
        self._newest: dict[str, bytes] = {}
        """The largest id of each sender."""
        self._ids: OrderedDict[tuple[str, bytes], IdFact] = OrderedDict()
        self._past: dict[str, bytes] = {}
        """The largest id of each sender that is on disk only."""
        self._grants: OrderedDict[tuple[str, bytes], GrantFact] = OrderedDict()
        self._sources: OrderedDict[int, Source] = OrderedDict()
        self._changed: set[str] = set()
        self._load()

    def _load(self) -> None:
        for sender, (head, count, newest) in self._shelf.rows(Room.FACT):
            self._heads[sender] = HeadFact(*head)
            if count:
                self._counts[sender] = count
            self._newest[sender] = self._past[sender] = newest

    # --- adding

    def add(self, index: int, effects: Mapping[Key, Fact], admitted: Signed | None) -> None:
        """What one entry changed."""
        for key, fact in effects.items():
            if key[0] == "head" and isinstance(fact, HeadFact):
                self._heads[key[1]] = fact
            elif key[0] == "count" and isinstance(fact, int):
                self._counts[key[1]] = fact
            elif isinstance(fact, IdFact):
                grant = effects.get(grant_key(key[1], _id(key)))
                known = grant if isinstance(grant, GrantFact) else None
                self._used(Judged(index, key[1], _id(key), fact.header_hash, known, admitted))
            self._changed.add(key[1])
        if admitted is not None:
            self._said(index, admitted)

    def _used(self, entry: Judged) -> None:
        """An id, and with it perhaps a grant."""
        sender, key = entry.sender, (entry.sender, entry.id)
        self._entries.add(entry)
        self._newest[sender] = max(self._newest.get(sender, b""), entry.id)
        if entry.grant is not None:
            _remember(self._grants, key, entry.grant, GRANTS)
        for whose, gone in _remember(self._ids, key, IdFact(entry.index, entry.header_hash), IDS):
            self._past[whose] = max(self._past.get(whose, b""), gone)

    def save(self) -> None:
        self._entries.write()
        for sender in sorted(self._changed):
            head = self._heads.get(sender, NO_HEAD)
            row = [[head.seq, head.header_hash, head.index], self._counts.get(sender, 0), self._newest.get(sender, b"")]
            self._shelf.put(Room.FACT, sender, row)
        self._changed.clear()

    # --- facts

    def __getitem__(self, key: Key) -> Fact:
        found: Fact | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: Key, default: Any = None) -> Any:
        """As any mapping. Asked twenty times for each entry, most often for somebody else's count."""
        kind, sender = key[0], key[1]
        found: Fact | None
        if kind == "count":
            found = self._counts.get(sender) if key[2] == self._me else None
        elif kind == "head":
            found = self._heads.get(sender)
        else:
            found = self._id(sender, _id(key)) if kind == "id" else self._grant(sender, _id(key))
        return default if found is None else found

    def _id(self, sender: str, entry_id: bytes) -> IdFact | None:
        found = self._ids.get((sender, entry_id))
        if found is None and entry_id <= self._past.get(sender, b""):
            row = next(self._rows(sender, entry_id), None)
            return None if row is None else IdFact(row[0], row[3])
        return found

    def _grant(self, sender: str, grant_id: bytes) -> GrantFact | None:
        found = self._grants.get((sender, grant_id))
        if found is not None:
            self._grants.move_to_end((sender, grant_id))
            return found
        if grant_id > self._newest.get(sender, b""):
            return None
        # An id that was used twice is void the second time, and does not take the grant of the first one away.
        wire = next((row[4] for row in self._rows(sender, grant_id) if row[4] is not None), None)
        if wire is None:
            return None
        found = read_grant(wire)
        _remember(self._grants, (sender, grant_id), found, GRANTS)
        return found

    def _rows(self, sender: str, entry_id: bytes) -> Iterator[list[Any]]:
        """What used an id, newest first: more than one entry only where a sender has broken the rules."""
        for number in self._entries.find(_ID, fingerprint(sender, entry_id)):
            row: list[Any] = self._entries.value(number)
            if row[1] == sender and row[2] == entry_id:
                yield row

    def __iter__(self) -> Iterator[Key]:
        """All of them, from disk: for tests and for whoever copies them."""
        yield from map(head_key, self._heads)
        yield from (count_key(sender, self._me) for sender in self._counts)
        for number in range(len(self._entries)):
            _, sender, entry_id, _, grant, *_ = self._entries.value(number)
            yield id_key(sender, entry_id)
            if grant is not None:
                yield grant_key(sender, entry_id)

    def __len__(self) -> int:
        return len(set(self))

    # --- sources

    def source(self, index: int) -> Source | None:
        """What the admitted entry at `index` said; None if there is none, or it is none of this node's."""
        return self._sources.get(index) or self._read(index)

    def _read(self, index: int) -> Source | None:
        number = self._entries.bisect(index)
        if number == len(self._entries) or self._entries.record(number)[_INDEX] != index:
            return None
        *_, header, block = self._entries.value(number)
        return None if header is None else self._said(index, Signed.parse(header, block))

    def _said(self, index: int, signed: Signed) -> Source:
        found = Source.of(index, signed)
        if len(signed.header_bytes) <= LARGE:
            _remember(self._sources, index, found, SOURCES)
        return found


def _id(key: Key) -> bytes:
    last = key[-1]
    return last if isinstance(last, bytes) else b""


def _remember(held: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> list[Any]:
    """Put it at the end; the keys that had to go for it."""
    held[key] = value
    held.move_to_end(key)
    return [held.popitem(last=False)[0]] if len(held) > most else []


def kept_headers(shelf: Shelf) -> dict[int, bytes]:
    """Index and header of every entry that is kept."""
    entries = Ledger[Judged](shelf, Room.ENTRY, 2, _mark, _wire)
    rows = (entries.value(number) for number in range(len(entries)))
    return {index: header for index, _, _, _, _, header, _ in rows if header is not None}
