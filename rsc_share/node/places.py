"""Where the entries of this node stand in one log: each is found once, by its receipt or in the log itself."""

from __future__ import annotations

from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.node.alarms import Alarms
from rsc_share.node.delivery import Addressed, Deliveries
from rsc_share.node.elsewhere import CLONED, ROLLED_BACK, elsewhere, not_ours
from rsc_share.node.identity import World
from rsc_share.node.numbers import Numbers
from rsc_share.node.outbox import Item, Outbox, Sent
from rsc_share.node.runs import Runs
from rsc_share.node.ticket import Place
from rsc_share.node.tickets import Tickets


class Places:
    """The log is the truth for our own numbers, whatever a relay answers."""

    def __init__(
        self,
        log: str,
        world: World,
        alarms: Alarms,
        outbox: Outbox,
        numbers: Numbers,
        runs: Runs,
        deliveries: Deliveries,
        tickets: Tickets,
    ) -> None:
        self._log, self._world, self._alarms = log, world, alarms
        self._outbox, self._numbers, self._runs = outbox, numbers, runs
        self._deliveries, self._tickets = deliveries, tickets
        self._seen: dict[bytes, Place] = {}
        """What the log has shown of what is under way, before its receipt came: by header hash."""

    def take(self, row: Sent, place: Place) -> None:
        """Once for each entry, whichever comes first of its receipt and the log."""
        self._seen.pop(row.header_hash, None)
        if self._outbox.answered(row):
            self._numbers.placed(row, place.index)
            self._tell(row, place)

    def _tell(self, row: Sent, place: Place) -> None:
        item = row.item
        if item.ticket is not None:
            item.ticket.place(item.portion, place)
        if isinstance(item.content, RecallContent) and item.refs.target is not None:
            recalled = self._deliveries.item(item.refs.target.header_hash)
            if recalled is not None:
                self._outbox.forget(recalled)
        if item.kind != "message" or item.label is None:
            self._outbox.done(item)
            return
        self._deliveries.logged(Addressed(row.seq, row.header_hash, place.stamp.logged_at, item.id, item.nodes))
        self._outbox.logged(item)

    def contradict(self, row: Sent) -> bool:
        """Whether the log has shown what its relay refuses now: then it stands there, and the refusal is told."""
        place = self._seen.get(row.header_hash)
        if place is None:
            return False
        self._refused_and_logged(row.header_hash, row.seq, place.index)
        self.take(row, place)
        return True

    def read(self, entry: UnverifiedEntry, index: int, now: int, *, started: bool) -> None:
        """An entry with our name stands in the verified log.

        Before this instance has begun to sign, what it finds is the past of an earlier one. Afterwards it has written
        down everything its key signed, so what it does not know was signed elsewhere: by a copy of this node that runs
        (`cloned`), or by this node before somebody put an older `state/` in place (`rolled-back`).
        """
        header, digest = entry.header, entry.signed.header_hash
        row = next((sent for sent in self._outbox.in_flight if sent.header_hash == digest), None)
        if row is not None:
            self._read_in_flight(row, Place(index, row.seq, entry.stamp, digest, entry.raw))
        elif self._numbers.was_refused(digest):
            self._refused_and_logged(digest, header.seq, index)
        elif not self._numbers.knows(header.seq, digest):
            self._not_ours(entry, index, now, started=started)
        self._numbers.read(header, digest, index)

    def _read_in_flight(self, row: Sent, place: Place) -> None:
        if self._runs.hold(row):
            self._seen[row.header_hash] = place  # its receipt comes, and with it the proof
        else:
            self.take(row, place)

    def _refused_and_logged(self, digest: bytes, seq: int, index: int) -> None:
        what = f"number {seq} was refused with the log's signature and is logged all the same"
        self._alarms.raise_("refused-then-logged", f"{self._log}/{index}", what, self._world.now(), header=digest.hex())

    def _not_ours(self, entry: UnverifiedEntry, index: int, now: int, *, started: bool) -> None:
        header = entry.header
        if started or self._numbers.begun:
            code = CLONED if started else ROLLED_BACK
            what = f"{elsewhere(header, self._log)} and was not written here"
            self._alarms.raise_(code, f"{self._log}/{header.seq}", what, now)
            raise not_ours(header, self._log, code, entry.raw)
        if (item := self._outbox.find(header.id)) is not None:
            self._sent_before(item, Place(index, header.seq, entry.stamp, entry.signed.header_hash, entry.raw))

    def _sent_before(self, item: Item, place: Place) -> None:
        """Queued in a backup, sent by the instance that was lost: it is in the log and goes out no second time."""
        self._outbox.drop([item])
        if item.ticket is not None:
            self._tickets.keep(item.ticket)
            item.ticket.place(item.portion, place)
