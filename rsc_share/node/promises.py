"""The receipts of one log: each promises, over the log's signature, that an entry of ours stands at its index."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.entry import Signed, UnverifiedEntry
from rsc_share.envelope.parts import Head
from rsc_share.log import proofs
from rsc_share.node.alarms import Alarms
from rsc_share.node.identity import World
from rsc_share.node.newest import Newest
from rsc_share.node.outbox import Sent
from rsc_share.node.store.numbered import Numbered
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Place
from rsc_share.rulebook.witnesses import open_witnessed
from rsc_share.session.frames import Logged


class Notes:
    """Those of one answer: all its receipts name the same one or two."""

    def __init__(self, log: str, view: DirectoryView, now: int) -> None:
        self._log, self.view, self._now = log, view, now
        self._opened: dict[bytes, Head] = {}

    def head(self, note: bytes) -> Head:
        """The tree it is of. Raises `RemoteError` for one that is not signed by the log."""
        if note not in self._opened:
            self._opened[note] = open_witnessed(note, self.view, self._log, self._now).head
        return self._opened[note]


class Promises:
    """Kept until this node has read the log as far as they go."""

    def __init__(self, world: World, alarms: Alarms, newest: Newest, shelf: Shelf) -> None:
        self._world, self._alarms, self._newest = world, alarms, newest
        self._leaves = Numbered(shelf, Room.PROMISE)
        """By index."""

    def __bool__(self) -> bool:
        """Whether one is about what this node has not read yet."""
        return bool(self._leaves)

    def take(self, row: Sent, receipt: Logged, notes: Notes, since: int) -> Place:
        """Where the entry stands, by a receipt that holds. Raises `RemoteError` for any other. `since`: when the bytes
        were first handed in."""
        signed = Signed.parse(row.submission.header, row.submission.block)
        entry = UnverifiedEntry.stamped(signed, receipt.stamp)
        head = notes.head(receipt.note)
        proofs.verify_inclusion(receipt.index, head.size, entry.leaf, receipt.proof, head.root)
        self._newest.take(head)
        self._check_date(row, receipt.stamp.logged_at, since, notes.view.parameters.skew)
        self._leaves.put(receipt.index, entry.leaf)
        return Place(receipt.index, row.seq, receipt.stamp, row.header_hash, entry.raw, receipt.note, receipt.proof)

    def _check_date(self, row: Sent, logged_at: int, since: int, skew: int) -> None:
        """Not a refusal of the receipt: the entry is in the tree. But its date is not ours to share silently."""
        now = self._world.now()
        if not since - skew <= logged_at <= now + skew:
            what = "the relay's receipt is dated off this node's clock"
            self._alarms.raise_("bad-receipt", row.header_hash.hex(), what, now, logged_at=logged_at)

    def broken(self, size: int, leaf: Callable[[int], bytes]) -> int | None:
        """The index of a receipt that the tree of `size` this node has read contradicts; None if all are kept."""
        due = takewhile(lambda index: index < size, self._leaves)
        return next((index for index in due if self._leaves.pop(index) != leaf(index)), None)
