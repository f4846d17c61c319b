"""The directory as this node has verified it: who is trusted, up to which witnessed size, and how fresh that is.

What is permissive counts only from the witnessed directory; what is restrictive is obeyed at once (see `pending`).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from rsc_share.charter.amendment import body_digests
from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.envelope.parts import Head
from rsc_share.errors import LocalError, Misbehaviour, RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.log.proofs import verify_consistency
from rsc_share.log.tree import MemoryTree
from rsc_share.node.newest import Newest
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.rulebook.witnesses import open_witnessed
from rsc_share.session.frames import Full, Tail


class Trust:
    """Fold over the directory log, fed with tails from a relay. Nothing in a tail is believed before it verifies."""

    def __init__(self, charter_digest: bytes, shelf: Shelf) -> None:
        self._shelf = shelf
        self.directory = Directory(charter_digest)
        self.tree = MemoryTree()
        self.raw: list[bytes] = []
        self.voids: list[tuple[int, str, str]] = []
        """Index, code and reason of entries that prove nothing and count for nothing."""
        self.witnessed = 0
        self.confirmed_at: int | None = None
        self.head: Head | None = None
        """The newest head that k members cosigned: what `header.directory` names."""
        self.newest = Newest(shelf)
        self._closed: dict[str, int] = {}
        self._load()

    def _load(self) -> None:
        """Fold what was kept. It was verified when it came, and is verified again: the fold knows no other way."""
        for _, (raw, bodies) in sorted(self._shelf.rows(Room.DIRECTORY)):
            self._apply(raw, {sha256(body).digest(): body for body in bodies})
            self.tree.append(leaf_hash(raw))
            self.raw.append(raw)
        self.voids.clear()  # told when they were read
        found = self._shelf.get(Room.TRUST, 0)
        if found is not None:
            self.witnessed, self.confirmed_at, head = found
            self.head = None if head is None else Head.from_wire(head, "head")

    def _save(self) -> None:
        head = None if self.head is None else self.head.wire()
        self._shelf.put(Room.TRUST, 0, [self.witnessed, self.confirmed_at, head])

    def _keep(self, raw: bytes, bodies: Mapping[bytes, bytes]) -> None:
        wanted = [bodies[digest] for digest in needed(object_of(raw), bodies) if digest in bodies]
        self._shelf.put(Room.DIRECTORY, self.size, [raw, wanted])

    @property
    def size(self) -> int:
        return self.tree.size

    @property
    def ready(self) -> bool:
        """Whether any witnessed directory is held."""
        return self.witnessed > 0

    @property
    def view(self) -> DirectoryView:
        """Trust as of the newest witnessed size. RemoteError before there is one."""
        if not self.witnessed:
            raise RemoteError("no witnessed directory yet", code="no-directory")
        return self.directory.at(self.witnessed)

    def of(self, log: str) -> DirectoryView:
        """Trust as of the newest witnessed size at which a log is in use. Who is behind when the charter closes one
        reads what is left of it by the keys it had, and counts the witnesses it had."""
        view = self.view
        if log in view.logs:
            return view
        if log not in self._closed:
            size = self.directory.last_using(log, self.witnessed)
            if size is None:
                return view  # a later charter may begin it
            self._closed[log] = size  # a log that is closed stays closed
        return self.directory.at(self._closed[log])

    def fresh(self, now: int) -> bool:
        """Whether this node may send, grant and admit: the k-th newest cosignature is younger than LAG/2 (I3)."""
        if self.confirmed_at is None:
            return False
        return now - self.confirmed_at < self.view.charter.parameters.lag // 2

    def pins(self, host: str) -> tuple[str, ...]:
        """SHA-256 of the TLS keys that the newest verified charter names for a relay; empty before there is one."""
        if self.directory.size == 0:
            return ()
        relay = self.directory.at(self.directory.size).charter.relays.get(host)
        return relay.tls_pins if relay is not None else ()

    def take(self, tail: Tail, bodies: Mapping[bytes, bytes], now: int) -> list[bytes]:
        """Verify and apply a tail of the directory log; the objects that are new.

        The order is: log signature and root first, then the objects, then the witnesses by the newest charter inside
        (I4). Raises `Misbehaviour` (equivocation) and `RemoteError`.
        """
        entries = self.verify(tail, bodies, now)
        for raw in entries:
            self.add(raw, bodies)
        self.end(tail, now)
        return [found for found in map(object_of, entries) if found]

    def verify(self, tail: Tail, first: Mapping[bytes, bytes], now: int) -> list[bytes]:
        """The entries of a tail, which continue what is held as the log has signed it; to be added one by one. `first`:
        the bodies of the very first one of all, which proves itself by the pinned digest: before it no key is known."""
        if tail.start != self.size:
            raise RemoteError(f"directory entries from {tail.start} where {self.size} follow", code="out-of-order")
        entries = [item.entry for item in tail.items if isinstance(item, Full)]
        if len(entries) != len(tail.items):
            raise RemoteError("a directory entry was kept back: every member reads all of them", code="kept-back")
        if self.directory.size == 0 and entries:
            self._apply(entries[0], first)
        self._check_root(tail, entries, now)
        return entries

    def add(self, raw: bytes, bodies: Mapping[bytes, bytes]) -> None:
        """Apply the next one. Where a body is missing this raises `Refused`, and the next tail begins here."""
        if self.directory.size == self.size:
            self._apply(raw, bodies)
        self._keep(raw, bodies)
        self.tree.append(leaf_hash(raw))
        self.raw.append(raw)

    def end(self, tail: Tail, now: int) -> None:
        """All entries of a tail are added: count the witnesses on its note."""
        self._note(tail.note, now)

    def _apply(self, raw: bytes, bodies: Mapping[bytes, bytes]) -> None:
        """Fold an entry; one that does not apply, or cannot even be read, is void and reading goes on.

        The fold counts by the log's index. A stamp that says another one is the relay's slip, told by the auditor.
        """
        index = self.directory.size
        logged_at = self.directory.logged_at(index - 1) if index else 0
        try:
            entry = DirectoryEntry.parse(raw)
            logged_at = entry.stamp.logged_at
            self.directory.apply(entry.object, logged_at, bodies)
        except (RemoteError, LocalError) as error:
            if index == 0:
                raise  # a directory that does not begin with the pinned charter is another framework's
            self.directory.void(logged_at, error.code)
            self.voids.append((index, error.code, error.what))

    def _check_root(self, tail: Tail, entries: list[bytes], now: int) -> None:
        view = self.directory.at(self.directory.size)
        found = open_witnessed(tail.note, view, view.charter.directory, now)
        checkpoint = found.checkpoint
        grown = CompactRange.from_edge(self.size, self.tree.edge())
        for raw in entries:
            grown.append(leaf_hash(raw))
        if checkpoint.size < grown.size:
            raise RemoteError("more directory entries than the checkpoint covers", code="out-of-order")
        if checkpoint.size == grown.size:
            same_tree(grown.root(), checkpoint)
        else:
            verify_consistency(grown.size, checkpoint.size, grown.root(), checkpoint.root, tail.proof)
        self.newest.take(found.head)

    def confirm(self, note: bytes, now: int) -> bool:
        """Take the newest checkpoint that k members cosigned; its tree may be smaller than what was read.

        True if this node now trusts more, or more freshly. Raises `Misbehaviour` for a tree that is not ours.
        """
        before = self.witnessed, self.confirmed_at
        self._note(note, now)
        return (self.witnessed, self.confirmed_at) != before

    def _note(self, note: bytes, now: int) -> None:
        view = self.directory.at(self.directory.size)
        found = open_witnessed(note, view, view.charter.directory, now)
        checkpoint = found.checkpoint
        if checkpoint.size > self.size:
            return  # the rest of the tail is still to come
        same_tree(self.tree.root(checkpoint.size), checkpoint)
        # Counted by the newest charter inside that very tree (I4), which may be older than the one we know.
        inside = self.directory.at(max(1, checkpoint.size))
        counted = found if inside is view else open_witnessed(note, inside, inside.charter.directory, now)
        quorum = counted.quorum_time(inside.charter.witness_quorum)
        if quorum is None or checkpoint.size < self.witnessed:
            return
        self.witnessed = checkpoint.size
        self.confirmed_at = max(quorum, self.confirmed_at or 0)
        self.head = found.head
        self._save()

    def logged_times(self, start: int, stop: int) -> list[int]:
        """When the entries from `start` to before `stop` were logged (ms)."""
        return [self.directory.logged_at(index) for index in range(start, stop)]

    def root(self, size: int) -> bytes | None:
        return self.tree.root(size) if size <= self.tree.size else None


def object_of(raw: bytes) -> bytes:
    """The object of an entry; nothing for one that cannot be read."""
    try:
        return DirectoryEntry.parse(raw).object
    except RemoteError:
        return b""


def needed(found: bytes, bodies: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """Digests of the bodies an object needs; none for one that cannot be read, which the fold will call void."""
    try:
        return body_digests(found, bodies)
    except RemoteError:
        return ()


def same_tree(root: bytes, checkpoint: Checkpoint) -> None:
    """The tree this node has read, against the one a log signed. Raises `Misbehaviour` (`equivocation`)."""
    if root != checkpoint.root:
        what = f"{checkpoint.origin} signed another tree of {checkpoint.size} entries than it has shown here"
        raise Misbehaviour(what, code="equivocation", log=checkpoint.origin)
