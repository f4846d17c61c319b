"""What a relay answers to what was handed in, entry by entry. Only what is proven counts: receipts, signed refusals."""

from __future__ import annotations

from rsc_share.charter.view import DirectoryView
from rsc_share.errors import RemoteError
from rsc_share.node.grants import Grants
from rsc_share.node.identity import World
from rsc_share.node.numbers import Numbers
from rsc_share.node.outbox import Item, Outbox, Sent
from rsc_share.node.places import Places
from rsc_share.node.promises import Notes, Promises
from rsc_share.node.runs import Answer
from rsc_share.session.frames import Logged, Turned
from rsc_share.session.refusal import Refusal

MAX_ATTEMPTS = 5
REDO = frozenset(
    {"stale-directory", "directory-ahead", "stale-head", "under-granted", "over-granted", "dead-grant", "policy-denied"}
)
"""Refusals that may pass once the node has caught up: numbered, granted and signed again."""
REGRANT = frozenset({"under-granted", "over-granted", "dead-grant", "policy-denied"})


class Answers:
    """To the runs of one log."""

    def __init__(
        self,
        log: str,
        world: World,
        outbox: Outbox,
        numbers: Numbers,
        grants: Grants,
        promises: Promises,
        places: Places,
    ) -> None:
        self._log, self._world, self._outbox, self._numbers = log, world, outbox, numbers
        self._grants, self._promises, self._places = grants, promises, places

    def take(self, answer: Answer, view: DirectoryView) -> bool:
        """True if it says anything. Raises what is wrong with it."""
        unknown = 0
        notes = Notes(self._log, view, self._world.now())
        for row, outcome in zip(answer.sent, answer.outcomes, strict=True):
            if isinstance(outcome, Logged) and not unknown:
                self._places.take(row, self._promises.take(row, outcome, notes, answer.since))
            elif not isinstance(outcome, Turned):
                unknown += 1
            elif not self._places.contradict(row):
                # Behind what has no outcome it was refused for that: not a word about the message.
                again = self._turned(row, outcome.refusal, view, counts=not unknown)
                self._outbox.requeue(again + self._unwrite_behind(row))
                break
        return unknown < len(answer.sent)

    def _turned(self, row: Sent, refusal: Refusal, view: DirectoryView, *, counts: bool) -> list[Item]:
        """What is handed in again of it."""
        spec = view.log(self._log)
        if spec is None or refusal.header_hash != row.header_hash or refusal.log != self._log:
            raise RemoteError("a refusal of something else than was sent", code="bad-receipt")
        refusal.verify(spec.ed25519, view.framework_id)
        self._unwrite(row)
        item = row.item
        item.attempts += counts
        if refusal.code in REGRANT:
            self._grants.drop(item.id if item.kind == "grant" else (item.sealed.grant if item.sealed else b""))
            item.sealed = None
        return self._again(item, refusal)

    def _again(self, item: Item, refusal: Refusal) -> list[Item]:
        last = item.attempts >= MAX_ATTEMPTS
        if refusal.code == "body-missing" and item.blobs and not last:
            item.uploaded = False  # nobody named them for a day: the relay is asked, and given them, again
            return [item]
        if refusal.code not in REDO or last:
            if item.ticket is not None:
                item.ticket.fail(refusal.error())
        elif item.kind != "grant":
            return [item]
        self._outbox.done(item)
        return []

    def _unwrite_behind(self, refused: Sent) -> list[Item]:
        """A signed refusal of an *earlier* header refuses every header whose prev runs through it (I7), whatever else
        is said of that. Without one, another header for its number would be a fork in our own name."""
        behind = [row for row in self._outbox.in_flight if row.seq > refused.seq]
        for row in behind:
            self._unwrite(row)
        return [row.item for row in behind]

    def _unwrite(self, row: Sent) -> None:
        self._outbox.answered(row)
        self._numbers.refused(row)
