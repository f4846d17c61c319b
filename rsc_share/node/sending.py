"""The sending half of one channel: sign late, send the same bytes until the outcome is known, believe only proofs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.entry import Signed, UnverifiedEntry
from rsc_share.envelope.parts import Head, Ref
from rsc_share.errors import Refused, RemoteError
from rsc_share.log import proofs
from rsc_share.node.alarms import Alarms
from rsc_share.node.delivery import Addressed, Deliveries
from rsc_share.node.dispatch import MAX_ENTRIES, Dispatch, Standing
from rsc_share.node.identity import Identity, World
from rsc_share.node.outbox import Item, Outbox, Sent
from rsc_share.node.ticket import Place, Ticket
from rsc_share.rulebook.facts import NO_HEAD, HeadFact
from rsc_share.rulebook.witnesses import open_witnessed
from rsc_share.session.frames import Logged, Outcome, Turned, Weather
from rsc_share.session.port import RelayPort

MAX_ATTEMPTS = 5
REDO = frozenset(
    {"stale-directory", "directory-ahead", "stale-head", "under-granted", "over-granted", "dead-grant", "policy-denied"}
)
"""Refusals that may pass once the node has caught up: numbered, granted and signed again."""
REGRANT = frozenset({"under-granted", "over-granted", "dead-grant", "policy-denied"})


class Sending:
    """Outbox, numbering and receipts of one log at this node."""

    def __init__(
        self, log: str, identity: Identity, world: World, alarms: Alarms, deliveries: Deliveries, own: dict[Ref, Ticket]
    ) -> None:
        self._log, self._identity, self._world = log, identity, world
        self._alarms, self._deliveries, self._own = alarms, deliveries, own
        self._dispatch = Dispatch(log, identity, world)
        self.outbox = Outbox()
        deliveries.delivered = self.outbox.forget
        self.head: HeadFact = NO_HEAD
        self._counters: dict[str, int] = {}
        self._ours: set[bytes] = set()
        self._promised: dict[int, bytes] = {}
        """Leaf by index of every receipt, until this node has read that far."""
        self._refused: set[bytes] = set()
        self._placed: set[bytes] = set()
        self.forbidden: frozenset[str] = frozenset()
        """Nodes revoked by an act the log does not show yet."""

    async def send(self, port: RelayPort, view: DirectoryView, seen: Head, directory: Head) -> bool:
        """Sign what is queued and hand it in, or hand in again what has no answer. True if something moved."""
        now = self._world.now()
        if not self.outbox.in_flight:
            self._sign(view, seen, directory, now)
        if not self.outbox.in_flight:
            return False
        sent = self.outbox.in_flight
        outcomes = await port.submit(self._log, [row.submission for row in sent])
        if len(outcomes) != len(sent):
            raise RemoteError("the relay answered another number of entries than were sent")
        return self._settle(sent, outcomes, view)

    def _sign(self, view: DirectoryView, seen: Head, directory: Head, now: int) -> None:
        items = [item for item in self.outbox.next(MAX_ENTRIES) if not self._held(item, view, now)]
        ready, failed = self._dispatch.prepare(items, view, now)
        self.outbox.take([*items, *failed])
        if not ready:
            return
        standing = Standing(self.head, self._counters, seen, directory)
        self.outbox.in_flight = self._dispatch.sign(ready, standing, view, now)
        self.outbox.submitted_at = now
        self._ours.update(row.header_hash for row in self.outbox.in_flight)

    def _held(self, item: Item, view: DirectoryView, now: int) -> bool:
        """Whether it would reach a node whose revocation we obey already: it waits until the log shows that too."""
        return bool(self.forbidden) and not self.forbidden.isdisjoint(self._dispatch.audience(item, view, now))

    def _settle(self, sent: Sequence[Sent], outcomes: Sequence[Outcome], view: DirectoryView) -> bool:
        unknown: list[Sent] = []
        again: list[Item] = []
        refused = False
        for row, outcome in zip(sent, outcomes, strict=True):
            if isinstance(outcome, Logged) and not refused and not unknown:
                self._logged(row, outcome, view)
            elif isinstance(outcome, Turned):
                self._turned(row, outcome, view, again)
                refused = True
            elif isinstance(outcome, Weather) and outcome.code == "not-tried" and refused:
                # A signed refusal of an *earlier* header refuses every header whose prev runs through it (I7). Without
                # one, another header for this number would be the second: a fork in our own name.
                again.append(row.item)
            else:
                unknown.append(row)
        self.outbox.in_flight = unknown
        self.outbox.requeue(again)
        return len(unknown) < len(sent)

    def _logged(self, row: Sent, outcome: Logged, view: DirectoryView) -> None:
        now = self._world.now()
        signed = Signed.parse(row.submission.header, row.submission.block)
        entry = UnverifiedEntry.stamped(signed, outcome.stamp)
        checkpoint = open_witnessed(outcome.note, view, self._log, now).checkpoint
        proofs.verify_inclusion(outcome.index, checkpoint.size, entry.leaf, outcome.proof, checkpoint.root)
        skew = view.parameters.skew
        if not self.outbox.submitted_at - skew <= outcome.stamp.logged_at <= now + skew:
            # Not a refusal of the receipt: the entry is in the tree. But its date is not ours to share silently.
            what = "the relay's receipt is dated off this node's clock"
            self._alarms.raise_("bad-receipt", row.header_hash.hex(), what, now, logged_at=outcome.stamp.logged_at)
        self._promised[outcome.index] = entry.leaf
        place = Place(outcome.index, row.seq, outcome.stamp, row.header_hash, entry.raw, outcome.note, outcome.proof)
        self._take_place(row, place)

    def broken_promise(self, size: int, leaf: Callable[[int], bytes]) -> int | None:
        """The index of a receipt that the tree of `size` this node has read contradicts; None if all are kept."""
        due = [index for index in self._promised if index < size]
        return next((index for index in due if self._promised.pop(index) != leaf(index)), None)

    def _take_place(self, row: Sent, place: Place) -> None:
        """Once for each entry: after a broken answer the same bytes are sent, and answered, again."""
        if row.header_hash in self._placed:
            return
        self._placed.add(row.header_hash)
        item, ticket = row.item, row.item.ticket
        self.head = HeadFact(row.seq, row.header_hash, place.index)
        self._counters.update(row.counters)
        if item.kind == "message" and item.label is not None:
            reference = names.reference(self._identity.node, names.channel_of(self._log), row.seq)
            addressed = Addressed(row.header_hash, place.stamp.logged_at, ticket, reference)
            self._deliveries.logged(item.nodes, addressed)
            self.outbox.kept[row.header_hash] = item
        if ticket is not None:
            self._own[Ref(self._log, place.index, row.header_hash)] = ticket
            ticket.place(item.portion, place)
        if isinstance(item.content, RecallContent) and item.refs.target is not None:
            self.outbox.kept.pop(item.refs.target.header_hash, None)

    def seen_in_log(self, entry: UnverifiedEntry, index: int, now: int, *, started: bool) -> None:
        """An entry with our name stands in the verified log: the log is the truth for our own numbers.

        Before this node has `started` to sign, what it finds is its own past, which it may have forgotten.
        """
        header = entry.header
        row = next((sent for sent in self.outbox.in_flight if sent.header_hash == entry.signed.header_hash), None)
        if row is not None:
            self._take_place(row, Place(index, row.seq, entry.stamp, row.header_hash, entry.raw))
            self.outbox.in_flight = [sent for sent in self.outbox.in_flight if sent is not row]
        elif entry.signed.header_hash in self._refused:
            what = f"number {header.seq} was refused with the log's signature and is logged all the same"
            self._alarms.raise_("refused-then-logged", f"{self._log}/{index}", what, now)
        elif started and entry.signed.header_hash not in self._ours:
            what = f"number {header.seq} is signed with this node's key and was not written here"
            self._alarms.raise_("cloned", f"{self._log}/{header.seq}", what, now)
        if header.seq > self.head.seq:
            self.head = HeadFact(header.seq, entry.signed.header_hash, index)
            for node in header.nodes:
                self._counters[node] = self._counters.get(node, 0) + 1

    def _turned(self, row: Sent, outcome: Turned, view: DirectoryView, again: list[Item]) -> None:
        refusal = outcome.refusal
        spec = view.log(self._log)
        if spec is None or refusal.header_hash != row.header_hash or refusal.log != self._log:
            raise RemoteError("a refusal of something else than was sent", code="bad-receipt")
        refusal.verify(spec.ed25519, view.framework_id)
        self._refused.add(row.header_hash)
        item = row.item
        item.attempts += 1
        if refusal.code in REGRANT:
            self._dispatch.grants.drop(item.id if item.kind == "grant" else (item.sealed.grant if item.sealed else b""))
            item.sealed = None
        if refusal.code not in REDO or item.attempts >= MAX_ATTEMPTS:
            self._give_up(item, refusal.error())
        elif item.kind != "grant":
            again.append(item)

    def _give_up(self, item: Item, error: Refused) -> None:
        if item.ticket is not None:
            item.ticket.fail(error)
