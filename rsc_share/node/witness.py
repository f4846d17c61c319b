"""This node as a witness: it cosigns what extends every tree of that log it has seen, and nothing else.

The head is stored before the cosignature leaves: C2SP tlog-witness gives the race that would otherwise let a witness
that crashes sign two trees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rsc_share.charter.view import DirectoryView
from rsc_share.errors import Misbehaviour, RemoteError
from rsc_share.log import proofs
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.merkle import EMPTY_ROOT
from rsc_share.log.tree import MemoryTree
from rsc_share.node.identity import Identity
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.trust import same_tree
from rsc_share.rulebook.witnesses import Witnessed, open_witnessed, witness_name
from rsc_share.session.frames import Offer


class Reader(Protocol):
    """Whoever reads the log that is to be cosigned: a channel's follower, or the directory's."""

    tree: MemoryTree

    @property
    def size(self) -> int: ...

    def logged_times(self, start: int, stop: int) -> list[int] | None: ...


AGAIN = 250
"""ms before the same tree is cosigned again, and between two trees of one log while there is much to do."""
PQ_EVERY = 10 * 60_000
"""ms between ML-DSA-44 cosignatures of one log."""


@dataclass(frozen=True, slots=True)
class WitnessHead:
    """The largest tree of a log this node has cosigned, and when (ms)."""

    size: int
    root: bytes
    time: int
    pq_time: int


class Witness:
    """Heads by log. They live in the node's store and are in no backup: who lost them begins where k others stand."""

    def __init__(self, identity: Identity, shelf: Shelf, *, lost: bool = False) -> None:
        """`lost`: an earlier instance of this node may have cosigned more than anybody here remembers."""
        self._identity, self._shelf, self._lost = identity, shelf, lost
        self.heads: dict[str, WitnessHead] = {log: WitnessHead(*row) for log, row in shelf.rows(Room.WITNESS)}

    def sizes(self) -> dict[str, int]:
        return {log: head.size for log, head in self.heads.items()}

    def last(self, log: str) -> int:
        """When a log was cosigned last (ms); 0 for never."""
        head = self.heads.get(log)
        return 0 if head is None else head.time

    def answer(self, offer: Offer, view: DirectoryView, reader: Reader | None, now: int) -> list[bytes]:
        """Cosignature lines for an offer, or none where the time to answer has not come.

        The caller makes the store durable before a line leaves, and asks the less often the more there is to do: a
        line says more the later it is made, and each costs a sync.

        Raises `Misbehaviour` (equivocation) for a tree that contradicts one seen before, `RemoteError` for a bad offer.
        """
        parameters = view.charter.parameters
        if abs(offer.time - now) > parameters.skew:
            return []  # whose clock is off we cannot say: unanswered offers make no quorum
        found = open_witnessed(offer.note, view, offer.log, now)
        size, root = found.checkpoint.size, found.checkpoint.root
        head = self.heads.get(offer.log)
        same = head is not None and (head.size, head.root) == (size, root)
        if head is not None and same and now - head.time < AGAIN:
            return []  # a relay that asks without end gets no work without end
        if head is None and size > 0 and (reader is None or self._lost) and not self._others(found, view):
            return []
        self._extends(offer, head, size, root)
        if reader is not None:
            if reader.size < size:
                return []  # read first, cosign then
            same_tree(reader.tree.root(size), found.checkpoint)
            times = reader.logged_times(0 if head is None else head.size, size)
            if times is None:
                return []  # far behind what was read since: a larger tree is offered soon
            self._times_plausible(times, head, found.checkpoint, now, parameters.skew)
        pq = head is None or now - head.pq_time >= PQ_EVERY or offer.log == view.charter.directory
        kept = self.heads[offer.log] = WitnessHead(size, root, now, now if pq or head is None else head.pq_time)
        self._shelf.put(Room.WITNESS, offer.log, [kept.size, kept.root, kept.time, kept.pq_time])
        name, seconds = witness_name(view, self._identity.node), now // 1000
        lines = [cosign_ed25519(found.checkpoint, name, self._identity.witness, seconds).line()]
        if pq:
            lines.append(cosign_mldsa44(found.checkpoint, name, self._identity.witness_pq, seconds).line())
        return lines

    def _others(self, found: Witnessed, view: DirectoryView) -> bool:
        """A witness without a head begins with what it has read from the first entry on, or where k others stand."""
        others = {member: time for member, time in found.times.items() if member != self._identity.member}
        return len(others) >= view.charter.witness_quorum

    def _extends(self, offer: Offer, head: WitnessHead | None, size: int, root: bytes) -> None:
        if head is None or head.size == 0:
            if size == 0 and root != EMPTY_ROOT:
                raise RemoteError("an empty tree with a root of its own", code="bad-proof")
            return
        if size < head.size:
            raise Misbehaviour(f"{offer.log} went back from {head.size} to {size}", code="equivocation", log=offer.log)
        if offer.old != head.size:
            raise RemoteError("a consistency proof from another size than asked for", code="bad-proof")
        try:
            proofs.verify_consistency(head.size, size, head.root, root, list(offer.proof))
        except RemoteError as error:
            raise Misbehaviour(
                f"{offer.log} signed a tree that does not extend the one seen before: {error.what}",
                code="equivocation",
                log=offer.log,
            ) from None

    def _times_plausible(
        self, times: list[int], head: WitnessHead | None, checkpoint: Checkpoint, now: int, skew: int
    ) -> None:
        """No entry beyond the tree last cosigned is dated before that cosigning, or in the future (I2: back-dating)."""
        floor = (head.time - skew) if head is not None else 0
        for at in times:
            if not floor <= at <= now + skew:
                what = f"{checkpoint.origin} dates a new entry at {at} ms; this node cosigned without it after that"
                raise RemoteError(what, code="back-dated", log=checkpoint.origin, logged_at=at)
