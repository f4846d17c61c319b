"""The node without its network: one `turn` does everything that can be done now, and says whether anything was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from rsc_share import names
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.errors import LocalError, Refused, RscError, Unavailable
from rsc_share.node.alarms import Alarms
from rsc_share.node.carrier import Carrier
from rsc_share.node.connect import Connection, close
from rsc_share.node.cosigner import Cosigner
from rsc_share.node.directory_feed import DirectoryFeed
from rsc_share.node.failures import Failures, KeepEvidence, keep_nothing
from rsc_share.node.identity import Identity, World
from rsc_share.node.instance import LOGS, Instance
from rsc_share.node.keys import Keys
from rsc_share.node.line import Line
from rsc_share.node.prekeys import Prekeys
from rsc_share.node.rounds import Rounds
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import Room, Shelf, Store
from rsc_share.node.told import NOTHING, Told
from rsc_share.node.trust import Trust
from rsc_share.node.witness import AGAIN, Witness
from rsc_share.session.frames import News
from rsc_share.session.port import Feed, RelayPort

IDLE_SECONDS = 1.0
"""The longest a node rests before it looks at the clock: heartbeats, prekeys and deadlines depend on time alone."""
SIGNATURES = 4_096
"""Verified signatures that are remembered: those of a batch come together, and those of heads again and again."""
SOON = 200
"""ms between two cosignatures of one log by a node at work: each costs a sync that a message may wait for, and what k
of them make is news for everybody."""
P = TypeVar("P")


class Engine:
    """One node over its relays. `ports` maps relay host to an authenticated session."""

    def __init__(
        self,
        identity: Identity,
        directory_log: str,
        ports: Mapping[str, RelayPort],
        world: World,
        keep_evidence: KeepEvidence = keep_nothing,
        store: Store | None = None,
    ) -> None:
        """`store`: where everything that must outlive this process is; without one it lives in memory."""
        self.identity, self.world, self.ports, self.directory_log = identity, world, ports, directory_log
        self.store: Store = MemoryStore() if store is None else store
        self._shelf = shelf = Shelf(self.store)
        self.instance = Instance.of(shelf, identity.node, world.random)
        self.alarms = Alarms(shelf)
        self.trust = Trust(identity.charter_digest, shelf)
        self.keys = Keys(identity.node, identity.charter_digest, shelf)
        self.witness = Witness(identity, shelf, lost=self.instance.follows)
        self.lines: dict[str, Line] = {}
        self._kept: list[str] = shelf.get(Room.META, LOGS) or []
        """Logs that were read here before: one that was closed since has messages that nobody took yet."""
        self._failures = Failures(directory_log, world, self.alarms, self.lines, keep_evidence, shelf)
        self.feed = DirectoryFeed(directory_log, identity, world, self.trust, self.alarms, self._failures.stop, shelf)
        self._cache = VerifyCache(SIGNATURES)
        self._moved = False
        self.cosigner = Cosigner(
            identity, world, directory_log, self.trust, self.lines, self.witness, self.alarms, self.store,
            self._failures.accuse,
        )  # fmt: skip
        self._rounds = Rounds(self.cosigner)
        self._prekeys = Prekeys(identity, world, self.trust, self.keys, self.store)
        self.carrier = Carrier(self)
        self._ask = True
        """Whether the next turn asks for everything: after a start, a failure, or a log that is new here."""
        for host, port in ports.items():
            if isinstance(port, Connection):
                port.trust(partial(self.trust.pins, host))
        if self.trust.ready:
            self._open_lines()

    @property
    def stopped(self) -> RscError | None:
        """Why this node does nothing any more."""
        return self._failures.stopped

    @property
    def turned_away(self) -> Refused | None:
        """Why the relay does not let this node in, as of the last turn."""
        return self._failures.turned_away

    def line(self, channel: str) -> Line:
        """The channel's line. `LocalError` if the charter has no such channel for this node."""
        found = [line for line in self.lines.values() if names.channel_of(line.log) == channel]
        if found:  # a channel that has moved has a log that is closed as well
            return next((line for line in found if line.log in self.trust.view.logs), found[-1])
        known = ", ".join(sorted(names.channel_of(log) for log in self.lines)) or "none yet"
        raise LocalError(f"{self.identity.node} takes part in no channel {channel}", advice=f"it has: {known}")

    def port(self, log: str) -> RelayPort:
        return _of(self.ports, log)

    async def aclose(self) -> None:
        """Give up every connection."""
        for line in self.lines.values():
            line.sending.runs.drop()
        await self._rounds.aclose()
        await close(self.ports.values())

    def notes(self) -> dict[str, bytes]:
        """The newest witnessed checkpoint of every log this node reads: what a member gives an auditor directly."""
        held = {self.directory_log: self.feed.confirmed, **{log: line.confirmed for log, line in self.lines.items()}}
        return {log: note for log, note in held.items() if note}

    def sizes(self) -> dict[str, int]:
        """How far this node has read each log that it would read more of."""
        lines = {log: line.follower.size for log, line in self.lines.items() if not line.held_up}
        return {self.directory_log: self.trust.size, **lines}

    @property
    def more(self) -> bool:
        """Whether another turn may find something to do without being told anything."""
        return self._ask or self.behind or any(line.more for line in self.lines.values())

    @property
    def judging(self) -> bool:
        """Whether entries of its own wait for the next turn, so that others need not wait for all of them."""
        return any(line.follower.due for line in self.lines.values())

    def under_way(self) -> list[asyncio.Task[Any]]:
        """What relays have not answered yet of what turns handed in."""
        cosigning = self._rounds.tasks()
        if self.stopped is not None:
            return cosigning  # nobody takes the others any more
        lines = [line for line in self.lines.values() if line.stopped is None]
        return [task for line in lines for task in line.sending.runs.tasks()] + cosigning

    @property
    def behind(self) -> bool:
        """Whether there is more to be read than one turn does."""
        return any(line.behind and line.stopped is None and not line.held_up for line in self.lines.values())

    async def turn(self, news: Mapping[str, News] | None = None, *, wait: bool = True) -> bool:
        """One round over everything. True if anything moved; errors of one log do not stop the others.

        `news`: what the relays have said is new, by host; None asks them for everything. `wait` until what is handed in
        is answered; else a later turn takes the answers (`under_way`).
        """
        self._failures.turned_away = None
        asks = news is None or self._ask or self.behind
        self._ask = False
        ports: dict[str, Feed] = dict(self.ports)
        if news is not None and not asks:
            ports = {host: Told(port, news.get(host, NOTHING)) for host, port in self.ports.items()}
        moved = await self._turn(ports, AGAIN if self._moved else (0 if news is None else SOON), wait)
        self._moved = moved
        if news is None:
            await self.store.commit()
        else:
            self.store.flush()  # whoever must not go on before it is durable waits for that
        await self.store.rotate(self.world.now())
        return moved

    async def _turn(self, ports: Mapping[str, Feed], gap: int, wait: bool) -> bool:
        moved = self.stopped is None and await self._guarded(self.feed.follow(_of(ports, self.directory_log)))
        if not self.trust.ready or self.stopped is not None:
            return await self._cosign(ports, gap, wait) or moved
        self._open_lines()
        taken, resting = await self._settle()
        reachable = []
        for line in self.lines.values():
            self._failures.cut_off = False
            moved = await self._guarded(line.read(_of(ports, line.log))) or moved
            if not self._failures.cut_off and line not in resting:
                reachable.append(line)
        moved = taken or moved
        if moved and not self.world.busy():
            await asyncio.sleep(0)  # what was read is handed out before anything else is done
        if self.stopped is not None:
            return moved  # what was just read says that this instance must not sign: not in this turn either
        moved = await self._send(reachable) or moved
        if wait:
            moved = await self._answered(reachable) or moved
        return await self._cosign(ports, gap, wait) or moved

    async def _cosign(self, feeds: Mapping[str, Feed], gap: int, wait: bool) -> bool:
        """True if this turn cosigned anything; a round beside it makes no turn follow."""
        moved = await self._guarded(self._rounds.ended(wait=wait))
        if wait:
            return await self._guarded(self.cosigner.round(self.ports, feeds, gap)) or moved
        self._rounds.begin(self.ports, feeds, gap)
        return False

    async def _settle(self) -> tuple[bool, list[Line]]:
        """Take the answers that have come: before anything is read, so that receipts come before the log. True if
        something moved, and the lines of which nothing was taken: what is in flight there is not offered again at
        once."""
        moved, resting = False, []
        for line in self.lines.values():
            if line.sending.runs.heard:
                taken = await self._guarded(line.settle())
                moved = moved or taken
                if not taken:
                    resting.append(line)
        return moved, resting

    async def _answered(self, lines: Sequence[Line]) -> bool:
        """Wait for what was handed in, and take it."""
        moved = False
        for line in lines:
            await line.sending.runs.answered()
            moved = await self._guarded(line.settle()) or moved
        return moved

    async def _send(self, reachable: Sequence[Line]) -> bool:
        """Before anything is cosigned: a witness has a quarter of a second, a message has none."""
        moved = False
        self.feed.watch_pending()
        self._forbid()
        moved = await self._guarded(self._prekeys.rotate(self.port(self.directory_log), self.lines.values())) or moved
        # Signing is for the moment of leaving: without a relay a message would be bound to an audience of the past.
        for line in reachable:
            moved = await self._guarded(line.send(self.port(line.log))) or moved
        return moved

    async def _guarded(self, step: Awaitable[bool]) -> bool:
        try:
            return await step
        except RscError as error:
            self._ask = True
            self._failures.answer_for(error)
            return False

    def obey(self, found: bytes) -> None:
        """A revocation that came by another way than the log: obeyed at once, restrictively, and said so."""
        self.feed.obey(found)
        self._forbid()

    def _forbid(self) -> None:
        for line in self.lines.values():
            line.sending.forbidden = frozenset(self.feed.forbidden)

    def _open_lines(self) -> None:
        view, known = self.trust.view, len(self.lines)
        for log, spec in view.logs.items():
            if log not in self.lines and spec.spec is not None and self.identity.member in spec.members:
                self._open_line(log)
        for log in self._kept:
            if log not in self.lines and view.closed(log) is not None and log in self.trust.of(log).logs:
                self._open_line(log)
        if len(self.lines) > known:
            self._ask = True  # no relay was told yet where this node stands there
            self._shelf.put(Room.META, LOGS, sorted({*self._kept, *self.lines}))

    def _open_line(self, log: str) -> None:
        line = self.lines[log] = Line(
            log, self.identity, self.world, self.trust, self.keys, self._cache, self.alarms, self.store
        )
        line.tickets.forget_keys(self.world.now() - self.trust.view.parameters.outbox_age)


def _of(ports: Mapping[str, P], log: str) -> P:
    """What leads to the relay of a log. Raises `Unavailable` where nothing does."""
    host = log.partition("/")[0]
    if host not in ports:
        raise Unavailable(f"no session with {host}")
    return ports[host]
