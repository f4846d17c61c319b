"""The sending half of one channel: sign late, send the same bytes until the outcome is known, believe only proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import takewhile

from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.entry import Signed, UnverifiedEntry
from rsc_share.envelope.parts import Head
from rsc_share.errors import Refused, RemoteError, RscError
from rsc_share.log import proofs
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.node.alarms import Alarms
from rsc_share.node.book import OutboxBook
from rsc_share.node.delivery import Addressed, Deliveries
from rsc_share.node.dispatch import MAX_ENTRIES, Dispatch, Standing
from rsc_share.node.elsewhere import CLONED, ROLLED_BACK, elsewhere, not_ours
from rsc_share.node.hold import Hold
from rsc_share.node.identity import Identity, World
from rsc_share.node.newest import Newest
from rsc_share.node.outbox import Item, Outbox, Sent
from rsc_share.node.runs import Answer, Runs
from rsc_share.node.store.late import Late
from rsc_share.node.store.numbered import Numbered
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.ticket import Place
from rsc_share.node.tickets import Tickets
from rsc_share.rulebook.facts import NO_HEAD, HeadFact
from rsc_share.rulebook.witnesses import open_witnessed
from rsc_share.session.calls import MAX_RUN
from rsc_share.session.frames import Logged, Turned
from rsc_share.session.port import RelayPort

MAX_ATTEMPTS = 5
LEAVES = 2
"""Rounds of the loop in which a call leaves, before the rest of a turn."""
REDO = frozenset(
    {"stale-directory", "directory-ahead", "stale-head", "under-granted", "over-granted", "dead-grant", "policy-denied"}
)
"""Refusals that may pass once the node has caught up: numbered, granted and signed again."""
REGRANT = frozenset({"under-granted", "over-granted", "dead-grant", "policy-denied"})


class _Shown:
    """The notes of one answer: all its receipts name the same one or two."""

    def __init__(self, log: str, view: DirectoryView, now: int) -> None:
        self._log, self.view, self._now = log, view, now
        self._opened: dict[bytes, Checkpoint] = {}

    def checkpoint(self, note: bytes) -> Checkpoint:
        """Raises `RemoteError` for one that is not signed by the log."""
        if note not in self._opened:
            self._opened[note] = open_witnessed(note, self.view, self._log, self._now).checkpoint
        return self._opened[note]


class Sending:
    """Outbox, numbering and receipts of one log at this node."""

    def __init__(
        self,
        log: str,
        identity: Identity,
        world: World,
        alarms: Alarms,
        deliveries: Deliveries,
        shelf: Shelf,
        tickets: Tickets,
    ) -> None:
        self._log, self._identity, self._world, self._shelf = log, identity, world, shelf
        self._alarms, self._deliveries, self.tickets = alarms, deliveries, tickets
        self._dispatch = Dispatch(log, identity, world)
        self.outbox = Outbox(OutboxBook(shelf, tickets))
        deliveries.delivered = self.outbox.forget
        self._hold, self.runs, self._more = Hold(), Runs(), False
        self.head: HeadFact = NO_HEAD
        self.begun = False
        """Whether this instance has signed here: from then on it knows every number that its key has signed."""
        self._counters: dict[str, int] = {}
        self._ours = Numbered(shelf, Room.OURS)
        """Hash by number of every header signed here that was not seen in the log yet."""
        self._promised = Numbered(shelf, Room.PROMISE)
        """Leaf by index of every receipt, until this node has read that far."""
        self._refused: dict[bytes, int] = dict(shelf.rows(Room.REFUSED))
        """Number by header hash of what the log has refused with its signature."""
        self._sender_row = Late(shelf, self._save_sender)
        self._seen: dict[bytes, Place] = {}
        """What the log has shown of what is under way, before its receipt came: by header hash."""
        self.newest = Newest(shelf)
        self.forbidden: frozenset[str] = frozenset()
        """Nodes revoked by an act the log does not show yet."""
        self._load()

    def _load(self) -> None:
        found = self._shelf.get(Room.SENDER, 0)
        if found is not None:
            self.begun, seq, digest, index, counters = found
            self.head, self._counters = HeadFact(seq, digest, index), dict(counters)

    def _save_sender(self) -> None:
        counters = [[node, n] for node, n in sorted(self._counters.items())]
        head = self.head
        self._shelf.put(Room.SENDER, 0, [self.begun, head.seq, head.header_hash, head.index, counters])

    def begin(self) -> None:
        """This instance may sign here: what its key signed before, it has found in the log or in its store."""
        if not self.begun:
            self.begun = True
            self._sender_row.touch()

    async def send(self, port: RelayPort, view: DirectoryView, seen: Head, directory: Head) -> bool:
        """Sign what is queued and hand it in, or hand in again what has no answer. Its answer is not waited for:
        `settle` takes it. True if more can be signed at once.

        Nothing leaves before the bytes and their numbers are durable: after a crash the same bytes go out again.
        """
        now, behind, self._more = self._world.now(), bool(self.runs), False
        batch = self._sign(self._ready_to_sign(view, now), view, seen, directory, now)
        if not (batch if behind else self.outbox.in_flight):
            return False
        if not behind and self._hold.rests(self.outbox.in_flight, now):
            return False
        await self._shelf.store.commit()
        sent, since = (batch, now) if behind else (self.outbox.in_flight, self.outbox.submitted_at)
        self.runs.begin(sent, since, port.submit(self._log, [row.submission for row in sent]))
        for _ in range(0 if self._world.busy() else LEAVES):
            await asyncio.sleep(0)
        self._more = bool(self._ready_to_sign(view, now))
        return self._more

    @property
    def more(self) -> bool:
        """Whether something waits here that no answer has to come for."""
        return self._more or (len(self.outbox) > 0 and not self.runs)

    def settle(self, view: DirectoryView) -> bool:
        """Take the answers that have come. True if something moved. Raises what a call, or an answer, is wrong with:
        the same bytes go out again then."""
        moved = False
        while (answer := self.runs.next()) is not None:
            try:
                moved = self._settle(answer, view) or moved
            except RscError:
                self.runs.drop()
                raise
            self._hold.answered(answer.sent, answer.outcomes, self._world.now())
        return moved

    def _ready_to_sign(self, view: DirectoryView, now: int) -> list[Item]:
        """The next batch; behind one that the relay did not take, only what is more urgent than that."""
        flying = self.outbox.in_flight
        if flying and not (self._hold.refusing or self.runs):
            return []
        room = min(MAX_ENTRIES, (MAX_RUN - len(flying)) // 2)  # each may need a grant of its own
        if self.runs:
            # Where there is much to do, one run of many messages costs everybody far less than many runs of one.
            found = [] if self._hold.refusing or self._world.busy() else self.outbox.next(room)
            found = found if self.runs.may_follow(found) else []
        else:
            found = self.outbox.next(room, self._hold.least(behind=bool(flying)))
            if not found and not flying and self._hold.probe(now):
                found = self.outbox.next(1)
        return [item for item in found if not self._held(item, view, now)]

    def _sign(self, items: list[Item], view: DirectoryView, seen: Head, directory: Head, now: int) -> list[Sent]:
        ready, failed = self._dispatch.prepare(items, view, now)
        self.outbox.drop(failed)
        if not ready:
            return []
        batch = self._dispatch.sign(ready, self._standing(seen, directory), view, now)
        self.outbox.signed(batch, now)
        for row in batch:
            self._ours.put(row.seq, row.header_hash)
        return batch

    def _standing(self, seen: Head, directory: Head) -> Standing:
        """After what is in flight: a signed refusal of one of those unwrites all that follow it. Of what is in flight
        some may stand in the log already, and await their receipts: numbers go on behind the newest of all."""
        head, counters = self.head, dict(self._counters)
        for row in self.outbox.in_flight:
            if row.seq > head.seq:
                head = HeadFact(row.seq, row.header_hash, -1)
                counters.update(row.counters)
        return Standing(head, counters, seen, directory)

    def _held(self, item: Item, view: DirectoryView, now: int) -> bool:
        """Whether it would reach a node whose revocation we obey already: it waits until the log shows that too."""
        return bool(self.forbidden) and not self.forbidden.isdisjoint(self._dispatch.audience(item, view, now))

    def _settle(self, answer: Answer, view: DirectoryView) -> bool:
        unknown = 0
        again: list[Item] = []
        refused: Sent | None = None
        shown = _Shown(self._log, view, self._world.now())
        for row, outcome in zip(answer.sent, answer.outcomes, strict=True):
            if isinstance(outcome, Logged) and not unknown:
                self._logged(row, outcome, shown, answer.since)
            elif isinstance(outcome, Turned) and row.header_hash in self._seen:
                self._refused_and_logged(row.header_hash, row.seq, self._seen[row.header_hash].index)
                self._take_place(row, self._seen[row.header_hash])
            elif isinstance(outcome, Turned):
                # Behind what has no outcome it was refused for that: not a word about the message.
                self._turned(row, outcome, view, again, counts=not unknown)
                refused = row
                break
            else:
                unknown += 1
        if refused is not None:
            again += self._unwrite_behind(refused)
        self.outbox.requeue(again)
        return unknown < len(answer.sent)

    def _unwrite_behind(self, refused: Sent) -> list[Item]:
        """A signed refusal of an *earlier* header refuses every header whose prev runs through it (I7), whatever else
        is said of that. Without one, another header for its number would be a fork in our own name."""
        behind = [row for row in self.outbox.in_flight if row.seq > refused.seq]
        for row in behind:
            self._unwrite(row)
        return [row.item for row in behind]

    def _unwrite(self, row: Sent) -> None:
        """These bytes will never stand in the log: their log has said so, over its signature."""
        self.outbox.answered(row)
        self._refused[row.header_hash] = row.seq
        self._shelf.put(Room.REFUSED, row.header_hash, row.seq)
        self._ours.discard(row.seq, row.header_hash)

    def _logged(self, row: Sent, outcome: Logged, shown: _Shown, since: int) -> None:
        now = self._world.now()
        signed = Signed.parse(row.submission.header, row.submission.block)
        entry = UnverifiedEntry.stamped(signed, outcome.stamp)
        checkpoint = shown.checkpoint(outcome.note)
        proofs.verify_inclusion(outcome.index, checkpoint.size, entry.leaf, outcome.proof, checkpoint.root)
        self.newest.take(outcome.note, checkpoint)
        skew = shown.view.parameters.skew
        if not since - skew <= outcome.stamp.logged_at <= now + skew:
            # Not a refusal of the receipt: the entry is in the tree. But its date is not ours to share silently.
            what = "the relay's receipt is dated off this node's clock"
            self._alarms.raise_("bad-receipt", row.header_hash.hex(), what, now, logged_at=outcome.stamp.logged_at)
        self._promised.put(outcome.index, entry.leaf)
        place = Place(outcome.index, row.seq, outcome.stamp, row.header_hash, entry.raw, outcome.note, outcome.proof)
        self._take_place(row, place)

    def broken_promise(self, size: int, leaf: Callable[[int], bytes]) -> int | None:
        """The index of a receipt that the tree of `size` this node has read contradicts; None if all are kept."""
        due = takewhile(lambda index: index < size, self._promised)
        return next((index for index in due if self._promised.pop(index) != leaf(index)), None)

    def _take_place(self, row: Sent, place: Place) -> None:
        """Once for each entry, whichever comes first of its receipt and the log."""
        self._seen.pop(row.header_hash, None)
        if not self.outbox.answered(row):
            return
        if row.seq > self.head.seq:  # else it was read in the log before its receipt came
            self.head = HeadFact(row.seq, row.header_hash, place.index)
            self._counters.update(row.counters)
            self._sender_row.touch()
        self._is_logged(row, place)

    def _is_logged(self, row: Sent, place: Place) -> None:
        item, ticket = row.item, row.item.ticket
        if ticket is not None:
            ticket.place(item.portion, place)
        if isinstance(item.content, RecallContent) and item.refs.target is not None:
            recalled = self._deliveries.item(item.refs.target.header_hash)
            if recalled is not None:
                self.outbox.forget(recalled)
        if item.kind != "message" or item.label is None:
            self.outbox.done(item)
            return
        self._deliveries.logged(Addressed(row.seq, row.header_hash, place.stamp.logged_at, item.id, item.nodes))
        self.outbox.logged(item)

    def seen_in_log(self, entry: UnverifiedEntry, index: int, now: int, *, started: bool) -> None:
        """An entry with our name stands in the verified log: the log is the truth for our own numbers.

        Before this instance has begun to sign, what it finds is the past of an earlier one. Afterwards it has written
        down everything its key signed, so what it does not know was signed elsewhere: by a copy of this node that runs
        (`cloned`), or by this node before somebody put an older `state/` in place (`rolled-back`).
        """
        header, digest = entry.header, entry.signed.header_hash
        row = next((sent for sent in self.outbox.in_flight if sent.header_hash == digest), None)
        if row is not None:
            place = Place(index, row.seq, entry.stamp, digest, entry.raw)
            if self.runs.hold(row):
                self._seen[digest] = place  # its receipt comes, and with it the proof
            else:
                self._take_place(row, place)
        elif digest in self._refused:
            self._refused_and_logged(digest, header.seq, index)
        elif self._ours.get(header.seq) != digest:
            self._not_ours(entry, index, now, started=started)
        self._forget_signed(digest, header.seq)
        if header.seq > self.head.seq:
            self.head = HeadFact(header.seq, digest, index)
            for node in header.nodes:
                self._counters[node] = self._counters.get(node, 0) + 1
            self._sender_row.touch()

    def _refused_and_logged(self, digest: bytes, seq: int, index: int) -> None:
        what = f"number {seq} was refused with the log's signature and is logged all the same"
        self._alarms.raise_("refused-then-logged", f"{self._log}/{index}", what, self._world.now(), header=digest.hex())

    def _not_ours(self, entry: UnverifiedEntry, index: int, now: int, *, started: bool) -> None:
        header = entry.header
        if started or self.begun:
            code = CLONED if started else ROLLED_BACK
            self._alarms.raise_(
                code, f"{self._log}/{header.seq}", f"{elsewhere(header, self._log)} and was not written here", now
            )
            raise not_ours(header, self._log, code, entry.raw)
        if (item := self.outbox.find(header.id)) is not None:
            # Queued in a backup, sent by the instance that was lost: it is in the log and goes out no second time.
            self.outbox.drop([item])
            if item.ticket is not None:
                self.tickets.keep(item.ticket)
                item.ticket.place(
                    item.portion, Place(index, header.seq, entry.stamp, entry.signed.header_hash, entry.raw)
                )

    def _forget_signed(self, digest: bytes, seq: int) -> None:
        """What stands in the log, and what can stand there no more, need not be recognised again."""
        self._ours.discard(seq, digest)
        for refused in [known for known, number in self._refused.items() if number <= seq]:
            del self._refused[refused]
            self._shelf.delete(Room.REFUSED, refused)

    def found_itself(self, size: int) -> bool:
        """Whether the newest entry this node knows as its own lies in a witnessed tree of `size` that it has read."""
        return self.head.index < size and not self._promised

    def _turned(self, row: Sent, outcome: Turned, view: DirectoryView, again: list[Item], *, counts: bool) -> None:
        refusal = outcome.refusal
        spec = view.log(self._log)
        if spec is None or refusal.header_hash != row.header_hash or refusal.log != self._log:
            raise RemoteError("a refusal of something else than was sent", code="bad-receipt")
        refusal.verify(spec.ed25519, view.framework_id)
        self._unwrite(row)
        item = row.item
        item.attempts += counts
        if refusal.code in REGRANT:
            self._dispatch.grants.drop(item.id if item.kind == "grant" else (item.sealed.grant if item.sealed else b""))
            item.sealed = None
        if refusal.code == "body-missing" and item.blobs and item.attempts < MAX_ATTEMPTS:
            item.uploaded = False  # nobody named them for a day: the relay is asked, and given them, again
            again.append(item)
        elif refusal.code not in REDO or item.attempts >= MAX_ATTEMPTS:
            self._give_up(item, refusal.error())
        elif item.kind != "grant":
            again.append(item)
        else:
            self.outbox.done(item)

    def _give_up(self, item: Item, error: Refused) -> None:
        if item.ticket is not None:
            item.ticket.fail(error)
        self.outbox.done(item)
