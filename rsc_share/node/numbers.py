"""The numbers of this node's entries in one log: what the next one stands behind, and what each was given to.

A number is used once, unless the log has refused its header with its signature.
"""

from __future__ import annotations

from collections.abc import Iterable

from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Head
from rsc_share.node.dispatch import Standing
from rsc_share.node.outbox import Sent
from rsc_share.node.store.late import Late
from rsc_share.node.store.numbered import Numbered
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.rulebook.facts import NO_HEAD, HeadFact


class Numbers:
    """Written down before anything leaves under them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.head: HeadFact = NO_HEAD
        self.begun = False
        """Whether this instance has signed here: from then on it knows every number that its key has signed."""
        self._counters: dict[str, int] = {}
        self._row = Late(shelf, self._save)
        self._ours = Numbered(shelf, Room.OURS)
        """Hash by number of every header signed here that was not seen in the log yet."""
        self._refused: dict[bytes, int] = dict(shelf.rows(Room.REFUSED))
        """Number by header hash of what the log has refused with its signature."""
        self._load()

    def _load(self) -> None:
        found = self._shelf.get(Room.SENDER, 0)
        if found is not None:
            self.begun, seq, digest, index, counters = found
            self.head, self._counters = HeadFact(seq, digest, index), dict(counters)

    def _save(self) -> None:
        counters = [[node, n] for node, n in sorted(self._counters.items())]
        head = self.head
        self._shelf.put(Room.SENDER, 0, [self.begun, head.seq, head.header_hash, head.index, counters])

    def begin(self) -> None:
        """This instance may sign here: what its key signed before, it has found in the log or in its store."""
        if not self.begun:
            self.begun = True
            self._row.touch()

    def standing(self, in_flight: Iterable[Sent], seen: Head, directory: Head) -> Standing:
        """After what is in flight: a signed refusal of one of those unwrites all that follow it. Of what is in flight
        some may stand in the log already, and await their receipts: numbers go on behind the newest of all."""
        head, counters = self.head, dict(self._counters)
        for row in in_flight:
            if row.seq > head.seq:
                head = HeadFact(row.seq, row.header_hash, -1)
                counters.update(row.counters)
        return Standing(head, counters, seen, directory)

    def signed(self, batch: Iterable[Sent]) -> None:
        for row in batch:
            self._ours.put(row.seq, row.header_hash)

    def refused(self, row: Sent) -> None:
        """The log has said over its signature that these bytes will never stand in it."""
        self._refused[row.header_hash] = row.seq
        self._shelf.put(Room.REFUSED, row.header_hash, row.seq)
        self._ours.discard(row.seq, row.header_hash)

    def knows(self, seq: int, digest: bytes) -> bool:
        """Whether this header was signed here, and may come to stand in the log."""
        return self._ours.get(seq) == digest

    def was_refused(self, digest: bytes) -> bool:
        return digest in self._refused

    def placed(self, row: Sent, index: int) -> None:
        """These bytes stand at `index` of the log."""
        if row.seq > self.head.seq:  # else it was read in the log before its receipt came
            self.head = HeadFact(row.seq, row.header_hash, index)
            self._counters.update(row.counters)
            self._row.touch()

    def read(self, header: Header, digest: bytes, index: int) -> None:
        """An entry of this node in the verified log, whoever wrote it there."""
        self._forget(digest, header.seq)
        if header.seq > self.head.seq:
            self.head = HeadFact(header.seq, digest, index)
            for node in header.nodes:
                self._counters[node] = self._counters.get(node, 0) + 1
            self._row.touch()

    def _forget(self, digest: bytes, seq: int) -> None:
        """What stands in the log, and what can stand there no more, need not be recognised again."""
        self._ours.discard(seq, digest)
        for refused in [known for known, number in self._refused.items() if number <= seq]:
            del self._refused[refused]
            self._shelf.delete(Room.REFUSED, refused)
