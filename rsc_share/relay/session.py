"""One node's session: what it may ask, within which limits. Values in and out; `MemoryPort` adds the encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rsc_share import names
from rsc_share.errors import Refused, RemoteError, Unavailable
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.note import parse_signatures
from rsc_share.relay.commit import is_directory
from rsc_share.relay.fanout import Line, bodies_for, item
from rsc_share.relay.intake import take
from rsc_share.relay.live import CHUNK, LiveLog, State
from rsc_share.relay.notes import shown
from rsc_share.relay.port import MemoryPort
from rsc_share.relay.queue import Submitted
from rsc_share.relay.store.protocol import Body
from rsc_share.relay.witnessing import RETRY, Quorum
from rsc_share.rulebook.witnesses import verify_lines, witness_keys
from rsc_share.session.frames import MAX_ITEMS, Full, Item, Offer, Outcome, Submission, Tail, Weather

if TYPE_CHECKING:
    from rsc_share.relay.service import Relay

MAX_RUN = 256
"""Entries in one call."""
IN_FLIGHT = 512
"""Entries of one session that may wait for their outcome."""
MAX_DIGESTS = 256
MAX_LINES = 4
RATE_LIMITED = Weather("rate-limited", 100)
NOT_TRIED = Weather("not-tried", None)


class Session:
    """What the relay knows of one connected node. Made by `Relay.connect`."""

    def __init__(self, relay: Relay, node: str) -> None:
        self.node, self.member = node, names.member_of(node)
        self._relay = relay
        self._cut: str | None = None
        self._in_flight = 0
        self._shown: dict[str, tuple[int, Quorum | None]] = {}
        self._told: dict[str, tuple[int, Quorum | None]] = {}
        self._handed: dict[str, tuple[int, int]] = {}

    def port(self) -> MemoryPort:
        return MemoryPort(self)

    @property
    def closed(self) -> bool:
        return self._cut is not None

    def cut(self, why: str) -> None:
        self._cut = why

    # --- who may ask what

    def _alive(self) -> None:
        if self._cut is not None:
            raise Unavailable(f"the session is closed: {self._cut}", code="cut-off")

    def _may_enter(self) -> None:
        """Known to the directory and not revoked. Checked on every call: a revocation ends a session, too."""
        self._alive()
        facts = self._relay.view.node_facts(self.node) if self._relay.directory.size else ()
        if not facts:
            raise Refused("unknown-sender", f"{self.node} is not certified in this directory", row=3, node=self.node)
        if all(fact.revoked for fact in facts):
            raise Refused("revoked", f"{self.node} is revoked", row=3, node=self.node)

    def _log(self, origin: str) -> LiveLog:
        self._may_enter()
        log = self._relay.logs.get(origin)
        if log is None:
            raise Refused("unknown-log", f"no log {origin} on this relay", row=2, log=origin)
        if log.state is State.STOPPED:
            raise Unavailable(f"{origin} has stopped: its operator has to look", code="not-ready")
        if not is_directory(origin):
            # Waiting for NODE_DELAY, suspended, frozen: the directory stays open to it, so that it learns of changes.
            self._relay.view.subject(self.node, self._relay.now())
        return log

    def _visible(self) -> dict[str, LiveLog]:
        self._may_enter()
        active = self._relay.view.is_active(self.node, self._relay.now())
        return {origin: log for origin, log in self._relay.logs.items() if active or is_directory(origin)}

    def _is_witness(self, log: LiveLog) -> bool:
        view = self._relay.view
        if view.log(log.origin) is None:
            return False  # closed by the charter: read for ever, cosigned no more
        return any(key.node == self.node for key in view.witnesses(self._relay.now(), log.origin).get(self.member, ()))

    async def logs(self) -> Mapping[str, int]:
        return {origin: log.size for origin, log in self._visible().items()}

    # --- writing

    async def submit(self, origin: str, entries: Sequence[Submission]) -> Sequence[Outcome]:
        log = self._log(origin)
        if is_directory(origin):
            raise Refused("unknown-log", "the directory takes objects, not entries", row=2, log=origin)
        if not 0 < len(entries) <= MAX_RUN:
            raise RemoteError(f"{len(entries)} entries in one call; at most {MAX_RUN}")
        run = [take(submission, self.node) for submission in entries]
        if self._in_flight + len(run) > IN_FLIGHT:
            return [RATE_LIMITED] + [NOT_TRIED] * (len(run) - 1)
        submitted = Submitted(self, run)
        self._in_flight += len(run)
        submitted.outcomes.add_done_callback(lambda _: self._landed(len(run)))
        await self._relay.submit(log.origin, submitted)
        return submitted.outcomes.result()

    def _landed(self, count: int) -> None:
        self._in_flight -= count

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        self._may_enter()
        return await self._relay.submit_object(found, bodies)

    # --- reading

    async def read(self, origin: str, start: int, limit: int) -> Tail | None:
        log = self._log(origin)
        size, quorum = log.size, log.witnessing.quorum
        if start > size:
            raise RemoteError(f"asked for entries from {start} of a log of {size}", code="out-of-range")
        if start == size:
            return self._better_note(log)
        # With a witnessed note where the reader is behind it: only such a note confirms what it covers.
        end = quorum.size if quorum is not None and start < quorum.size else size
        items = await self._items(log, start, min(end, start + max(1, min(limit, MAX_ITEMS))))
        if start + len(items) == end:
            self._shown[origin] = (end, quorum if quorum is not None and quorum.size == end else None)
        return Tail(origin, start, tuple(items), log.note(end))

    def _better_note(self, log: LiveLog) -> Tail | None:
        """No new entries; the note alone, once k members have cosigned it, and again when they have done so again."""
        quorum = log.witnessing.quorum
        if quorum is None or quorum.size != log.size or self._shown.get(log.origin) == (log.size, quorum):
            return None
        self._shown[log.origin] = (log.size, quorum)
        return Tail(log.origin, log.size, (), log.note())

    async def _items(self, log: LiveLog, start: int, stop: int) -> list[Item]:
        if is_directory(log.origin):
            found = log.store.read(log.origin, start, stop, max_bytes=CHUNK)
            return [Full(stored.entry, None, (), ()) async for stored in found]
        items: list[Item] = []
        weight = 0
        for line in await log.lines(start, stop):
            if weight >= CHUNK:
                break
            items.append(item(line, self.node, await self._travelling(log, line)))
            weight += _weight(items[-1])
        return items

    async def _travelling(self, log: LiveLog, line: Line) -> dict[bytes, bytes]:
        header = line.entry.header
        digests = bodies_for(header, self.node) if self.node != header.sender else ()
        found = await log.store.bodies(log.origin, digests) if digests else {}
        return {digest: body.data for digest, body in found.items() if isinstance(body, Body)}

    async def witnessed(self, origin: str) -> bytes | None:
        log = self._log(origin)
        quorum = log.witnessing.quorum
        return None if quorum is None else log.note(quorum.size)

    async def bodies(self, origin: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        log = self._log(origin)
        if len(digests) > MAX_DIGESTS:
            raise RemoteError(f"{len(digests)} digests in one call; at most {MAX_DIGESTS}")
        found = await log.store.bodies(origin, digests)
        return {
            digest: body.data
            for digest, body in found.items()
            if isinstance(body, Body) and await self._entitled(log, body.index, digest)
        }

    async def _entitled(self, log: LiveLog, index: int, digest: bytes) -> bool:
        if is_directory(log.origin):
            return True
        line = await log.line(index)
        return line is not None and digest in bodies_for(line.entry.header, self.node)

    # --- witnessing

    async def offers(self, heads: Mapping[str, int]) -> list[Offer]:
        now = self._relay.now()
        offers = []
        for origin, log in self._visible().items():
            if not self._is_witness(log):
                continue
            head = heads.get(origin, 0)
            log.witnessing.heard(self.node, self.member, head, log.size)
            self._relay.recover(log)
            note = log.offered(self._relay.quorum_of(origin, log.witnessing.target), now)
            if note is None or head > note.size or not log.witnessing.due(self.node, now, self._interval()):
                continue
            self._handed[origin] = (note.size, now)
            proof = tuple(log.tree.consistency(head, note.size))
            offers.append(Offer(origin, head, shown(origin, note), now, proof))
        return offers

    def _interval(self) -> int:
        return self._relay.view.parameters.lag // 4

    async def cosign(self, origin: str, size: int, lines: Sequence[bytes]) -> None:
        log, now = self._log(origin), self._relay.now()
        if size not in log.notes or len(lines) > MAX_LINES:
            return  # a round that is over: the next offer asks again
        view = self._relay.counting_view(origin, size)
        found = [signature for line in lines for signature in parse_signatures(line)]
        mine = [key for key in witness_keys(view, origin, now) if key.name == f"{view.charter.framework}/{self.node}"]
        verified = verify_lines(found, Checkpoint(origin, size, log.notes[size].root), mine)
        if any(int.from_bytes(line.blob[:8], "big") * 1000 > now + view.parameters.skew for line in verified):
            raise RemoteError("a cosignature dated in the future would be fresh for ever", code="clock")
        if verified:
            await self._relay.cosigned(log, self.node, await log.cosigned(size, verified))

    # --- waiting

    async def changed(self, known: Mapping[str, int]) -> None:
        while True:
            bell = self._relay.bell.next()
            if self._news(known):
                return
            await bell.wait()

    def _news(self, known: Mapping[str, int]) -> bool:
        """Whether a log is longer than known, better witnessed than this session was told, or to be cosigned."""
        now, news = self._relay.now(), False
        for origin, log in self._visible().items():
            state = (log.size, log.witnessing.quorum)
            longer = origin in known and log.size > known[origin]
            if longer or self._told.get(origin) != state or self._offer_waits(log, now):
                self._told[origin] = state
                news = True
        return news

    def _offer_waits(self, log: LiveLog, now: int) -> bool:
        if not self._is_witness(log):
            return False
        note = log.offered(self._relay.quorum_of(log.origin, log.witnessing.target), now)
        if note is None or not log.witnessing.due(self.node, now, self._interval()):
            return False
        size, time = self._handed.get(log.origin, (-1, 0))
        return size != note.size or now - time >= RETRY


def _weight(found: Item) -> int:
    return len(found.entry) + sum(map(len, found.bodies)) if isinstance(found, Full) else 32
