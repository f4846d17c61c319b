"""One channel log as this node follows it: every leaf is checked, every entry for this node is judged."""

from __future__ import annotations

from collections.abc import Sequence

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Head, Ref
from rsc_share.errors import RemoteError, StorageError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import HASH_SIZE, CompactRange, leaf_hash
from rsc_share.log.proofs import verify_consistency
from rsc_share.log.tree import MemoryTree
from rsc_share.node.docket import Docket, Seen
from rsc_share.node.newest import Newest
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.times import Times
from rsc_share.node.trust import Trust, same_tree
from rsc_share.rulebook.facts import Facts
from rsc_share.rulebook.view import Source
from rsc_share.rulebook.witnesses import Witnessed, open_witnessed
from rsc_share.session.frames import Bare, Full, Item, Tail

TILE = 256
"""Leaf hashes in one row."""


class Follower:
    """Feeds on tails. Entries are judged only when the tree they stand in has been checked against a signed root."""

    def __init__(self, log: str, me: str, trust: Trust, signatures: VerifyCache, shelf: Shelf) -> None:
        self.log, self.trust, self._shelf = log, trust, shelf
        self.tree = MemoryTree()
        self._docket = Docket(log, me, trust, signatures, self.tree.root, shelf)
        self.unreadable = self._docket.unreadable
        """Entries of the tree that cannot be parsed, and why: whoever tells of them takes them away."""
        self.times = Times()
        """Of the entries shown to this node, judged or not, for the cosigning rule."""
        self.head: Head | None = None
        self.newest = Newest(shelf)
        self.witnessed_size = 0
        self.quorum_time: int | None = None
        self.checked = 0
        """Entries below this size stand in a tree whose root a signed checkpoint confirmed."""
        self._kept = 0
        self._load()

    def _load(self) -> None:
        found = self._shelf.get(Room.FOLLOWER, 0)
        if found is None:
            return
        self._kept, head, self.witnessed_size, last, times = found
        self.head = None if head is None else Head.from_wire(head, "head")
        self._docket.last = None if last is None else Stamp(*last)
        self.times = Times(times)
        for _, leaves in sorted(self._shelf.rows(Room.TILE)):
            self.tree.extend(leaves[at : at + HASH_SIZE] for at in range(0, len(leaves), HASH_SIZE))
        if self.tree.size != self._kept:
            raise StorageError(
                f"the store holds {self.tree.size} hashes of {self._kept} of {self.log}", code="damaged-state"
            )
        self.checked = self._kept

    def save(self) -> None:
        """Stage how far this log has been judged. What lies beyond is read, and judged, again after a restart.

        The quorum's time is left out: after a restart only a cosignature seen since then lets this node sign.
        """
        size = self.judged
        for first in range(self._kept - self._kept % TILE, size, TILE):
            self._shelf.put(Room.TILE, first, self.tree.row(0, first, min(TILE, size - first)))
        self._docket.facts.save()
        self._kept = size
        head = self.head.wire() if self.head is not None and self.head.size <= size else None
        last = None if self.last is None else [self.last.logged_at, self.last.directory]
        witnessed = min(self.witnessed_size, size)
        self._shelf.put(Room.FOLLOWER, 0, [size, head, witnessed, last, self.times.wire(size)])

    def cosigned(self, size: int) -> None:
        """The times of the first `size` entries have been looked at, and need not be again."""
        self.times.forget(size)

    @property
    def facts(self) -> Facts:
        """What everything judged so far says for the entries to come."""
        return self._docket.facts

    @property
    def last(self) -> Stamp | None:
        """Of the entry that was judged last."""
        return self._docket.last

    @property
    def size(self) -> int:
        return self.tree.size

    def take(self, tail: Tail, now: int, own: int | None = None) -> list[Seen]:
        """Check a tail; what it shows, judged as `judge_pending` says, in log order.

        Raises `Misbehaviour` (equivocation) or `RemoteError`.
        """
        if tail.log != self.log or tail.start != self.size:
            raise RemoteError(f"entries from {tail.start} where {self.size} follow", code="out-of-order")
        found = open_witnessed(tail.note, self.trust.of(self.log), self.log, now)
        checkpoint = found.checkpoint
        self.newest.take(found.head)
        leaves = [_leaf(item) for item in tail.items]
        whole = checkpoint.size == self.size + len(leaves)
        if not whole:
            self._begins(leaves, checkpoint, tail.proof)
        self.tree.extend(leaves)
        shown = [(index, item) for index, item in enumerate(tail.items, tail.start) if isinstance(item, Full)]
        for waiting in self._docket.add(shown):
            self.times.add(waiting.index, waiting.entry.stamp.logged_at)
        if whole:
            same_tree(self.tree.root(), checkpoint)
            self.head = found.head
            self._count(found)
        self.checked = self.size
        return self.judge_pending(own)

    def _begins(self, leaves: Sequence[bytes], checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
        """The signed tree begins with ours and these. Nothing is kept before that is proved: a relay could sign a tree
        without end and feed a node until its memory is gone; and who is far behind would hold all of it at once.

        Raises `RemoteError` (`out-of-order`, `bad-proof`).
        """
        grown = CompactRange.from_edge(self.size, self.tree.edge())
        for leaf in leaves:
            grown.append(leaf)
        if checkpoint.size < grown.size:
            raise RemoteError("more entries than the checkpoint covers", code="out-of-order")
        verify_consistency(grown.size, checkpoint.size, grown.root(), checkpoint.root, proof)

    def confirm(self, note: bytes, now: int) -> bool:
        """Take the newest checkpoint that k members cosigned, of a tree as large as ours or smaller.

        True if more is witnessed now, or more freshly. Raises `Misbehaviour` for a tree that is not a prefix of ours.
        """
        found = open_witnessed(note, self.trust.of(self.log), self.log, now)
        checkpoint = found.checkpoint
        if checkpoint.size > self.size:
            return False  # read first
        same_tree(self.tree.root(checkpoint.size), checkpoint)
        before = self.witnessed_size, self.quorum_time
        self._count(found)
        return (self.witnessed_size, self.quorum_time) != before

    def _count(self, found: Witnessed) -> None:
        quorum = found.quorum_time(self.trust.of(self.log).charter.witness_quorum)
        if quorum is not None and found.checkpoint.size >= self.witnessed_size:
            self.witnessed_size = found.checkpoint.size
            self.quorum_time = max(quorum, self.quorum_time or 0)

    def judge_pending(self, own: int | None = None) -> list[Seen]:
        """Judge what can be judged: an entry under a directory newer than ours waits until we hold that.

        `own`: at most so many of this node's own entries behind the last one of others. They tell it nothing that it
        waits for, and half a hundred of them at once would hold up what does.
        """
        return self._docket.judge(self._docket.ready(self.checked, own))

    @property
    def judged(self) -> int:
        """Everything before this index has been judged."""
        first = self._docket.first
        return self.checked if first is None else min(self.checked, first)

    @property
    def due(self) -> bool:
        """Whether something waits that can be judged now."""
        return self._docket.due(self.checked)

    @property
    def waiting(self) -> bool:
        """Whether checked entries wait for a newer directory."""
        return self.judged < self.checked and not self.due

    @property
    def full(self) -> bool:
        """Whether so many entries wait that no more should be read."""
        return self._docket.full

    def logged_times(self, start: int, stop: int) -> list[int] | None:
        """When the entries shown to this node between two sizes were logged (ms). Judged or not: one that waits for
        its directory can be back-dated, too. None where that is not known of so small a tree any more."""
        return self.times.between(start, stop)

    def source(self, index: int) -> Source | None:
        """What the entry at `index` said, if this node was shown it and admitted it."""
        return self._docket.facts.source(index)

    def known(self, ref: Ref) -> Source | None:
        return self._docket.known(ref)


def _leaf(item: Item) -> bytes:
    return item.leaf if isinstance(item, Bare) else leaf_hash(item.entry)
