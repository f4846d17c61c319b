"""The relay: many logs of one host over one store, in memory or behind a network, with `now` from outside.

    async with await Relay.open(store, host=..., framework_id=..., keys=..., clock=...) as relay:
        await relay.found(charter_object, bodies)        # once, on an empty store
        port = relay.connect("EST/mod-1")                # a `RelayPort`

Time alone makes things happen (offers fall due, ML-DSA-44 lines are owed): whoever owns the clock calls `tick` once a
second, or after moving a test's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rsc_share import names
from rsc_share.errors import LocalError, StorageError, Unavailable
from rsc_share.policy.decide import decide_each
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.commit import is_directory, orders_since
from rsc_share.relay.heads import OutsideHeads
from rsc_share.relay.holdings import Fittings, Holdings
from rsc_share.relay.live import LiveLog, State
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.port import MemoryPort
from rsc_share.relay.queue import LogQueue, Submitted
from rsc_share.relay.quota import Quotas
from rsc_share.relay.room import Room, enough
from rsc_share.relay.session import Session
from rsc_share.relay.store.protocol import Erasing, Full, LogStore
from rsc_share.rulebook.view import Decide
from rsc_share.session.port import RelayPort


class Relay(Holdings):
    """Made by `Relay.open`. One event loop; one committing task for each log."""

    def __init__(self, given: Fittings) -> None:
        super().__init__(given)
        self.quotas = Quotas()
        self._sessions: dict[str, Session] = {}
        self._queues: dict[str, LogQueue] = {}

    # --- life

    @classmethod
    async def open(
        cls,
        store: LogStore,
        *,
        host: str,
        framework_id: bytes,
        keys: LogKeys,
        clock: Callable[[], int],
        decide: Decide = decide_each,
        blobs: Blobs | None = None,
        outside: OutsideHeads | None = None,
        room: Callable[[], Room] = enough,
        restored: bool = False,
    ) -> Relay:
        """Acquire every stored log, fold the directory, sign the stored heads. Every log begins `recovering`.

        `clock` gives ms UTC. `outside` says which store is an old copy; `restored` starts one of which that cannot be
        said: then all its readers have to. Raises `Broken` where the store contradicts itself, `StorageError` for an
        old copy, `LocalError` for another host's logs.
        """
        relay = cls(Fittings(store, host, framework_id, keys, clock, decide, blobs, outside, room, restored))
        stored = await store.logs()
        for origin in sorted(stored, key=lambda log: (not is_directory(log), log)):
            await relay._open_log(origin)
        if relay.directory.size:
            await relay._open_channels()
        return relay

    async def aclose(self) -> None:
        """Finish what is being written, turn away what is queued, cut every session off."""
        for queue in self._queues.values():
            await queue.close()
        for session in self._sessions.values():
            session.access.cut("the relay is closing")
        self.bell.ring()
        await self._sync_heads()

    async def __aenter__(self) -> Relay:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def _open_log(self, origin: str) -> None:
        if origin.partition("/")[0] != self.host:
            raise LocalError(f"the store holds {origin}, which is not a log of {self.host}")
        log = await LiveLog.open(self.store, origin, self.keys, self._outside, restored=self._restored)
        orders: list[Erasing] = []
        if is_directory(origin):
            await self._keeper.fold(log)
        else:
            orders = await orders_since(log, log.writer.noted, self.blobs)
        await log.show(self.now(), orders)
        self.logs[origin] = log
        self._queues[origin] = LogQueue(self, log)

    async def _open_channels(self) -> None:
        """Logs of this host that the newest charter names: a new one is signed at size 0 before anything else."""
        for origin, spec in self.view.logs.items():
            if spec.host == self.host and origin not in self.logs:
                await self._open_log(origin)

    @property
    def working(self) -> bool:
        """Whether every log's committing task still runs."""
        return all(queue.working for queue in self._queues.values())

    # --- sessions

    def connect(self, node: str) -> RelayPort:
        """The port of an authenticated `node` in this process."""
        return MemoryPort(self.session(node))

    def session(self, node: str) -> Session:
        """A session of an authenticated `node`. It fences the node's older one, whose queue is dropped."""
        names.node(node)
        before = self._sessions.get(node)
        if before is not None:
            before.access.cut("a newer session of this node")
            self.bell.ring()
        session = self._sessions[node] = Session(self, node)
        return session

    async def submit(self, origin: str, submitted: Submitted) -> None:
        """Queue a run for its log's next commit and wait until it is answered."""
        await self._queues[origin].put(submitted)

    # --- the directory

    async def found(self, charter: bytes, bodies: Mapping[bytes, bytes]) -> int:
        """Log charter version 1 in an empty store. Only ever an operator's own act, never a consequence of a start:
        a relay that lost its store and founded again would fork every log it has."""
        if any(head.size for head in (await self.store.logs()).values()):
            raise LocalError("this store has logs already")
        home = self._keeper.home(charter, bodies, self.now())
        if home.partition("/")[0] != self.host:
            raise LocalError(f"the directory of this charter is kept by {home}, not by {self.host}")
        if home not in self.logs:
            await self._open_log(home)
        return await self._log_object(charter, bodies)

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        """Log a self-proving object; its index, the same again for the same bytes. Raises `Refused`."""
        if self.directory_log.state is not State.READY:
            raise Unavailable("the directory is recovering", code="not-ready", retry_after=1.0)
        return await self._log_object(found, bodies)

    async def _log_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        try:
            return await self._keeper.log_object(found, bodies, self.now(), self._directory_grew)
        except Full:
            raise Unavailable("the relay has no space", code="no-space", retry_after=60.0) from None
        except StorageError as error:
            self.stop(self.directory_log, error)
            raise Unavailable("the directory has stopped", code="not-ready") from error

    async def _directory_grew(self) -> None:
        await self._open_channels()
        self.bell.ring()
