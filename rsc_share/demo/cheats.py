"""Two lines between a node and its relay that are not honest: one keeps what it is given, one shows another tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from rsc_share.crypto.signing import Signer
from rsc_share.errors import Unavailable
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.note import Note
from rsc_share.log.tree import MemoryTree
from rsc_share.session.frames import Bare, Offer, Outcome, Submission, Tail
from rsc_share.session.port import NOTHING, RelayPort, Shown
from rsc_share.testing.wire import RelayControl, Wire


class KeepingWire(Wire):
    """Takes signed entries and hands in none: a thief on the way, who tries them later."""

    def __init__(self, port: RelayPort, member: str) -> None:
        super().__init__(port, member, RelayControl())
        self.kept: list[tuple[str, Submission]] = []

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self.kept += [(log, entry) for entry in entries]
        raise Unavailable("kept on the way", code="cut-off")


class ForkingWire(Wire):
    """The relay's operator, who holds the log's key, shows one node a tree of its own making from `since` on.

    Every entry that arrived since then looks to the victim like one for somebody else, and the checkpoint over that
    tree carries the log's valid signature. What the other members cosigned it has to pass on: a node that gets no
    fresh quorum stops by itself.
    """

    def __init__(self, port: RelayPort, member: str, log: str, signer: Signer, tree: Callable[[], MemoryTree]) -> None:
        super().__init__(port, member, RelayControl())
        self.log, self._signer, self._tree = log, signer, tree
        self.since = tree().size
        self.forged: dict[int, bytes] = {}
        self.honest: dict[int, bytes] = {}
        """Checkpoints that were shown, by size: of the forged tree, and of the one everybody else sees."""

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        tail = await super().read(log, start, limit)
        if log != self.log or tail is None or start + len(tail.items) <= self.since:
            return tail
        if not tail.items:
            return None  # the honest tree's checkpoint would give the forged one away
        honest, end = self._tree(), start + len(tail.items)
        forged = MemoryTree(
            honest.leaf(i) if i < self.since else sha256(b"nothing happened" + honest.leaf(i)).digest()
            for i in range(end)
        )
        items = [item if i < self.since else Bare(forged.leaf(i)) for i, item in enumerate(tail.items, start)]
        checkpoint = Checkpoint(log, end, forged.root())
        note = self.forged[end] = Note(checkpoint.text(), (sign_checkpoint(checkpoint, self._signer),)).encode()
        return Tail(log, start, tuple(items), note)

    async def witnessed(self, log: str) -> bytes | None:
        note = await super().witnessed(log)
        if log == self.log and note is not None:
            self._passed_on(note)
        return note

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        found = await super().offers(heads, shown)
        for offer in found:
            if offer.log == self.log:
                self._passed_on(offer.note)
        return found

    def _passed_on(self, note: bytes) -> None:
        self.honest[Checkpoint.parse(Note.parse(note).text).size] = note

    def two_trees(self) -> tuple[bytes, bytes] | None:
        """The proof: two checkpoints of one size, both shown to the victim. None before there are two."""
        both = sorted(self.forged.keys() & self.honest.keys())
        return (self.forged[both[0]], self.honest[both[0]]) if both else None
