"""One channel at this node: what it reads and what it sends, over one log."""

from __future__ import annotations

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import Misbehaviour, Refused, RscError
from rsc_share.node.alarms import Alarms
from rsc_share.node.complaints import Complaints
from rsc_share.node.connect import own_of
from rsc_share.node.delivery import Deliveries
from rsc_share.node.docket import Seen
from rsc_share.node.follower import Follower
from rsc_share.node.heartbeat import Heartbeat
from rsc_share.node.identity import Identity, World
from rsc_share.node.keys import Keys
from rsc_share.node.reading import MOST_UNREAD, Reading
from rsc_share.node.records.tickets import error_wire, read_error
from rsc_share.node.sending import Sending
from rsc_share.node.store.protocol import Room, Shelf, Store
from rsc_share.node.tickets import Tickets
from rsc_share.node.trust import Trust
from rsc_share.node.uploads import Uploads
from rsc_share.rulebook.admit import Void
from rsc_share.rulebook.witnesses import fresh
from rsc_share.session.frames import Full, Tail
from rsc_share.session.port import Feed, RelayPort

READ_LIMIT = 256
TURN_ENTRIES = 4_096
"""Entries read in one turn: a long backlog must not keep a node from opening, or from what else there is to do."""
OWN_ENTRIES = 8
"""Of this node's own judged in one turn: about a millisecond, which messages that were published meanwhile wait."""
CONFIRMED, STOPPED = "confirmed", "stopped"
DIRECTORY_ROW = 5
"""The row of the admission table that compares `directory`; row 13 compares `seen`."""


class Line:
    """Joins follower, reading and sending of one log. Stops for good on a tree or fork error, and on nothing else."""

    def __init__(
        self,
        log: str,
        identity: Identity,
        world: World,
        trust: Trust,
        keys: Keys,
        cache: VerifyCache,
        alarms: Alarms,
        store: Store,
    ) -> None:
        self.log, self._identity, self._world, self._trust, self._alarms = log, identity, world, trust, alarms
        self.shelf = shelf = Shelf(store, log)
        self.tickets = Tickets(shelf)
        self.follower = Follower(log, identity.node, trust, cache, shelf)
        self.heartbeat = Heartbeat(log, identity.node, world.random, shelf)
        self.deliveries = Deliveries(alarms, log, identity.node, shelf)
        self.deliveries.held, self.tickets.stated = self.tickets.held, self.deliveries.steps
        self.reading = Reading(log, identity.node, keys, self.heartbeat, self.deliveries, shelf, self.tickets)
        self.sending = Sending(log, identity, world, alarms, self.deliveries, shelf, self.tickets, self.follower.newest)
        self.uploads = Uploads(log, identity, self.sending.outbox)
        self._started = False
        self.behind = False
        """Whether a turn left something of this log to be read, and none has come to its end since. Until then nothing
        is sent: what is not read yet may be an entry of this node that an old copy of its store does not know."""
        self.confirmed: bytes = shelf.get(Room.META, CONFIRMED) or b""
        stopped = shelf.get(Room.META, STOPPED)
        self.stopped: RscError | None = None if stopped is None else read_error(stopped)
        """Why nothing of this log is believed any more. A restart does not make a log true again."""
        if self.stopped is not None:
            self.reading.inbox.stop(self.stopped)
        self._complaints = Complaints(log, alarms, trust)

    async def read(self, port: Feed) -> bool:
        """Take what is new, or as much as one turn does (`behind`). True if something was."""
        moved, most = False, self.follower.size + TURN_ENTRIES
        if self.follower.full and self.stopped is None:
            self.behind = True  # what there is more is asked for in the turn after
            return self._judge() or await self._confirm(port)
        while self.stopped is None:
            tail = await port.read(self.log, self.follower.size, READ_LIMIT)
            if tail is not None:
                moved = self._follow(tail) or moved
            if tail is None or not tail.items:
                self.behind = False
                moved = self._judge() or moved
                self._tell_unread()
                return await self._confirm(port) or moved
            if self.follower.size >= most or self.follower.full:
                self.behind = True
                return True
        return moved

    def _judge(self) -> bool:
        """What waits and can be judged now. True if there was something."""
        judged = self._take(self.follower.judge_pending(self._slice), self._world.now())
        if judged:
            self.follower.save()
        return judged

    @property
    def held_up(self) -> bool:
        """Whether nothing more is read here until the directory has come that what was read waits for."""
        return self.follower.full and not self.follower.due

    @property
    def over(self) -> bool:
        """Whether the charter has closed this log, and it is read to its end."""
        closed = self._trust.view.closed(self.log)
        return closed is not None and self.follower.judged >= closed.size

    @property
    def _slice(self) -> int | None:
        """How many of its own entries this node judges in a turn, once it knows which those are; None for all."""
        return OWN_ENTRIES if self._started and not self.behind and not self._world.busy() else None

    def _follow(self, tail: Tail) -> bool:
        """True if there is more than before, or it is better witnessed: the same note without end is no news."""
        now, before = self._world.now(), (self.follower.witnessed_size, self.follower.quorum_time)
        try:
            self._take(self.follower.take(tail, now, None if self._slice is None else 0), now)
            self._promises_kept()
            self.follower.save()
        except Misbehaviour as error:
            self.stop(error, now)
            raise
        self.reading.inbox.wake()
        return bool(tail.items) or (self.follower.witnessed_size, self.follower.quorum_time) != before

    def _take(self, seen: list[Seen], now: int) -> bool:
        self._complaints.unreadable(self.follower.unreadable, now)
        self.follower.unreadable.clear()
        for item in seen:
            self._entry(item, now)
        if len(self.reading.unread) > MOST_UNREAD:
            self._tell_unread()
        self.reading.stretch_ends(self._trust.of(self.log))
        self._complaints.waiting(self.follower.checked if self.follower.waiting else None, now)
        return bool(seen)

    def _tell_unread(self) -> None:
        unread, self.reading.unread = self.reading.unread, {}
        self._complaints.unread(unread, self._world.now())

    async def _confirm(self, port: Feed) -> bool:
        note, now = await port.witnessed(self.log), self._world.now()
        # What was confirmed before a restart is confirmed again: its quorum must be shown to this process.
        if note is None or (note == self.confirmed and self.follower.quorum_time is not None):
            return False
        try:
            moved = self.follower.confirm(note, now)
        except Misbehaviour as error:
            self.stop(error, now)
            raise
        if note != self.confirmed:
            self.confirmed = note
            self.shelf.put(Room.META, CONFIRMED, note)
        self.follower.save()
        self.reading.inbox.wake()
        return moved

    def stop(self, error: RscError, now: int) -> None:
        """Nothing of this log is believed any more; everybody who waits hears it."""
        self.stopped = error
        self.shelf.put(Room.META, STOPPED, error_wire(error))
        self._alarms.raise_(error.code, self.log, error.what, now)
        self.reading.inbox.stop(error)

    def _entry(self, seen: Seen, now: int) -> None:
        verdict = seen.verdict
        header = verdict.signed.header
        own = header.sender == self._identity.node
        if own and verdict.effects:  # what advances nobody, forged or out of order, moves no number of ours either
            entry = UnverifiedEntry.stamped(verdict.signed, verdict.stamp)
            self.sending.places.read(entry, verdict.index, now, started=self._started)
        if isinstance(verdict, Void):
            self._complaints.void(verdict, now)
            self._gossip(verdict, seen.item)
        elif not own:
            self._complaints.kept_back(verdict, now, opening_true=seen.opening_true)
            self.reading.entry(verdict, seen, self._trust.of(self.log), now)

    def _gossip(self, void: Void, item: Full) -> None:
        """An entry that shows another tree, signed by the log itself, is proof against the log: stop here."""
        if void.refused.code == "equivocation":
            log = self._trust.view.charter.directory if void.refused.row == DIRECTORY_ROW else self.log
            raise Misbehaviour(void.refused.what, code="equivocation", log=log, entry=item.entry)

    def _promises_kept(self) -> None:
        """Every receipt named an entry of ours and its place: it must stand there in the tree this node reads."""
        index = self.sending.promises.broken(self.follower.checked, self.follower.tree.leaf)
        if index is not None:
            what = f"{self.log} signed a receipt for entry {index} and shows another entry there"
            raise Misbehaviour(what, code="equivocation", log=self.log)

    def ready(self, now: int) -> bool:
        """Whether this node may sign here: fresh directory, and once since start a log head fresh by k members."""
        if self.stopped is not None or not self._trust.fresh(now) or self.follower.head is None:
            return False
        if not self._started and not self.behind and fresh(self._trust.view, self.follower.quorum_time, now):
            # Fresh, and consistent with what was read before; and it holds the newest entry we know to be ours. A
            # store that was put back from a copy has met the entries it does not know by now (`rolled-back`).
            self._started = self.sending.found_itself(self.follower.witnessed_size)
            if self._started:
                self.sending.numbers.begin()
        return self._started

    @property
    def more(self) -> bool:
        """Whether another turn may find something to do here without being told anything."""
        return self.sending.more or (self.stopped is None and self.follower.due)

    def wake(self) -> None:
        """Everybody who waits looks again."""
        self.reading.inbox.wake()
        self.sending.outbox.wake()

    def may_send(self, now: int) -> None:
        """Raises `Refused`, row 3, if this node is revoked, suspended or has no voice: nobody would admit it."""
        self._trust.view.sender(self._identity.node, now, self.log, "message")

    def _behind(self, port: RelayPort) -> bool:
        """Whether the relay says that an entry of this node stands where it has not read yet: it may not know that
        one, and its number would be used twice. Only ever a reason to wait; the relay's word proves nothing."""
        own = own_of(port).get(self.log)
        return own is not None and own[2] >= self.follower.judged

    async def settle(self) -> bool:
        """Take the answers to what was handed in. True if something moved."""
        return self.stopped is None and self.sending.settle(self._trust.of(self.log))

    async def send(self, port: RelayPort) -> bool:
        now, view, directory = self._world.now(), self._trust.view, self._trust.head
        if self.behind or self._behind(port):
            return False
        if self.over:  # also where this process has never sent here: nobody cosigns it any more
            return self.sending.outbox.give_up(Refused("unknown-log", f"{self.log} is closed", row=2, log=self.log))
        if not self.ready(now) or directory is None or self.follower.head is None:
            if self._started and len(self.sending.outbox):
                self._complaints.stale_directory(now)
            return False
        try:
            self.may_send(now)
        except Refused as error:
            return self.sending.outbox.give_up(error)
        active = view.active_nodes(self.log, now)
        self.deliveries.watch(now, view.parameters.ack_deadline, tuple(n for n in active if n != self._identity.node))
        if self._identity.node in active and len(active) > 1 and self.heartbeat.due(now, view.parameters):
            self.sending.outbox.add([self.heartbeat.compose(now)])
        return await self.sending.send(port, view, self.follower.head, directory)
