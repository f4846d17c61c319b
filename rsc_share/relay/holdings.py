"""The logs of one host: what is known by them, who has vouched for them, and what stops one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rsc_share import names
from rsc_share.bell import Bell
from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.parts import Head as SignedHead
from rsc_share.errors import Refused, StorageError, Unavailable
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.commit import is_directory
from rsc_share.relay.heads import OutsideHeads
from rsc_share.relay.keeper import DirectoryKeeper
from rsc_share.relay.live import LiveLog, State
from rsc_share.relay.notes import LogKeys, by_member
from rsc_share.relay.recovery import missed, recovered, remembered
from rsc_share.relay.room import Room
from rsc_share.relay.sequencer import Ground
from rsc_share.relay.snapshot import Snapshot, take_snapshot
from rsc_share.relay.store.protocol import Broken, LogStore, Note
from rsc_share.relay.witnessing import Quorum
from rsc_share.rulebook.view import Decide

SIGNATURES = 4_096
"""Signatures remembered that verified: of batches under way, and of the few checkpoints that senders name."""


@dataclass(frozen=True, slots=True)
class Fittings:
    """What a relay is given, as `Relay.open` takes it."""

    store: LogStore
    host: str
    framework_id: bytes
    keys: LogKeys
    clock: Callable[[], int]
    decide: Decide
    blobs: Blobs | None
    outside: OutsideHeads | None
    room: Callable[[], Room]
    restored: bool


class Holdings:
    """Opened and worked on by `Relay`; nothing here waits for anybody but the disk."""

    def __init__(self, given: Fittings) -> None:
        self._outside, self._restored = given.outside, given.restored
        self.store, self.host, self.framework_id, self.keys = given.store, given.host, given.framework_id, given.keys
        self.now = given.clock
        self.blobs = given.blobs
        """None: this relay takes no attachments that do not fit beside an entry."""
        self.room = given.room
        """How much the disk of the store has left: asked once for each commit."""
        self.logs: dict[str, LiveLog] = {}
        self.bell = Bell()
        self.failure: StorageError | None = None
        """What stopped a log. An operator's process exits with it and signs nothing more."""
        self.blob_failure: StorageError | None = None
        """Why the newest sweep of blobs did not end."""
        self._keeper = DirectoryKeeper(given.framework_id)
        self._decide = given.decide
        self._signatures = VerifyCache(SIGNATURES)

    # --- what is known

    @property
    def directory(self) -> Directory:
        return self._keeper.directory

    @property
    def view(self) -> DirectoryView:
        """Trust as of everything logged: what is restrictive is obeyed at once."""
        directory = self._keeper.directory
        return directory.at(directory.size)

    @property
    def directory_log(self) -> LiveLog:
        if self._keeper.log is None:
            raise Unavailable("no charter is logged here yet", code="not-ready")
        return self._keeper.log

    @property
    def witnessed(self) -> Quorum | None:
        """The newest tree of the directory that k members have cosigned."""
        return self._keeper.log.witnessing.quorum if self._keeper.log is not None else None

    def counting_view(self, log: str, size: int) -> DirectoryView:
        """By which charter the witnesses of a tree are counted: for the directory the newest *inside* that tree."""
        if is_directory(log):
            return self.directory.at(max(1, size))
        witnessed = self.directory.at(self.witnessed.size if self.witnessed is not None else 1)
        return witnessed if witnessed.log(log) is not None else self.view

    def quorum_of(self, log: str, size: int) -> int:
        return self.counting_view(log, size).charter.witness_quorum

    def ground(self, log: LiveLog) -> Ground:
        """What one batch is judged on, read once."""
        quorum = self.witnessed
        return Ground(
            log=log.origin,
            head=log.writer.head,
            root_at=log.root,
            directory=self.directory,
            directory_root=self.directory_log.root,
            witnessed=quorum.size if quorum is not None else 0,
            quorum_time=quorum.time if quorum is not None else None,
            signatures=self._signatures,
            decide=self._decide,
            room=self.room(),
        )

    def states(self) -> Mapping[str, State]:
        """Every log's state, for readiness."""
        return {origin: log.state for origin, log in self.logs.items()}

    # --- witnesses

    async def cosigned(self, log: LiveLog, node: str, note: Note) -> None:
        """Count a note with a new verified line of `node`. Who waits is woken by the line that makes a quorum, or a
        newer one: what one of k has said is nobody's news, and on a busy log each of ten members says it each round."""
        now = self.now()
        view = self.counting_view(log.origin, note.size)
        log.witnessing.cosigned(node, names.member_of(node), note.size, now)
        times = by_member(note.lines, view.charter.framework, view.witnesses(now, log.origin))
        k = view.charter.witness_quorum
        if log.witnessing.count(note.size, times, k) or log.witnessing.over(k):
            self.bell.ring()
        self.recover(log)

    def recover(self, log: LiveLog) -> None:
        """`ready` once k members have vouched that what they saw of this log is a prefix of what is here."""
        if log.state is not State.RECOVERING:
            return
        if not recovered(log, self.counting_view(log.origin, log.size), self.view, self.now()):
            return
        try:
            log.prove(log.writer.head.size, log.writer.head.root)
        except StorageError as error:
            self.stop(log, error)
        else:
            log.state = State.READY
            self.bell.ring()

    def missed(self) -> dict[str, list[str]]:
        """By restored log: the nodes it still waits for."""
        now = self.now()
        found = {origin: missed(log, self.view, now) for origin, log in self.logs.items()}
        return {origin: nodes for origin, nodes in found.items() if nodes}

    # --- time and failure

    async def tick(self) -> None:
        """What time alone causes: ML-DSA-44 lines that are owed, offers that fall due."""
        now = self.now()
        for log in list(self.logs.values()):
            if log.state is not State.STOPPED and log.owes_pq(now):
                try:
                    await log.show(now)
                except StorageError as error:
                    self.stop(log, error)
        await self._sync_heads()
        await self._sweep()
        self.bell.ring()

    async def _sync_heads(self) -> None:
        """Not for each commit: a copy that is older than a second is known all the same."""
        try:
            if self._outside is not None:
                await asyncio.to_thread(self._outside.sync)
        except StorageError as error:
            for log in self.logs.values():
                self.stop(log, error)

    async def _sweep(self) -> None:
        """A disk of blobs that fails stops no log: nothing that is signed lies there."""
        founded = self.directory.size > 0
        if self.blobs is not None and founded and not any(log.state is State.STOPPED for log in self.logs.values()):
            try:
                await self.blobs.sweep(self.logs, self.view.parameters.lag)
                self.blob_failure = None
            except StorageError as error:
                self.blob_failure = error

    def contradicted(self, log: LiveLog, refused: Refused) -> None:
        """A sender showed a tree that a log of ours signed and that is not here: the store was rolled back or forked.

        Only the log's own signature gets an entry this far, so nobody can stop a log by inventing a tree.
        """
        at_fault = self.directory_log if refused.row == 5 else log
        self.stop(at_fault, Broken(f"{at_fault.origin} has signed a tree that is not here", log=at_fault.origin))

    def rolled_back(self, log: LiveLog, node: str, head: SignedHead) -> None:
        """A node showed a tree that this log signed and that is not here."""
        self.stop(log, remembered(log, node, head))

    def stop(self, log: LiveLog, error: StorageError) -> None:
        """A log whose store failed signs nothing more; its readers are told at once."""
        log.state, self.failure = State.STOPPED, error
        self.bell.ring()

    async def snapshot(self, origin: str) -> Snapshot:
        """Everything of one log, for an export. Raises `Refused` (`unknown-log`)."""
        if origin not in self.logs:
            raise Refused("unknown-log", f"no log {origin} on this relay", row=2, log=origin)
        return await take_snapshot(self.logs[origin])
