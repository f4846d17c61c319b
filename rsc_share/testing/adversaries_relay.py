"""A relay that cheats: it logs what its rulebook refuses, and tells one member another story than the rest."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from rsc_share.envelope.entry import DirectoryEntry, Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Opening
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.note import Note
from rsc_share.relay.store.protocol import Batch, Body, Head, Stored
from rsc_share.rulebook.admit import judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import needs
from rsc_share.rulebook.view import Party, View
from rsc_share.testing.adversaries_pen import Forged
from rsc_share.testing.founding import HOST
from rsc_share.testing.framework import Framework
from rsc_share.testing.wire import Wire


class CheatingRelay:
    """Holds the log keys and the store of a framework's relay, and uses them without asking the rulebook."""

    def __init__(self, framework: Framework, channel: str = "main") -> None:
        self.framework, self.service = framework, framework.relay_service
        self.origin = framework.nodes[0].engine.line(channel).log

    @property
    def size(self) -> int:
        return self.service.logs[self.origin].size

    def stamp(self) -> Stamp:
        """What an honest relay would stamp now."""
        return self.service.ground(self.service.logs[self.origin]).stamp(self.framework.clock.now)

    async def log(
        self, forged: Forged, *, stamp: Stamp | None = None, openings: Mapping[str, Opening] | None = None
    ) -> int:
        """Append an entry to the log whatever the rulebook says; its index. Its facts move as they would everywhere."""
        live = self.service.logs[self.origin]
        stamp, signed = stamp or self.stamp(), forged.signed
        beside = dict(forged.openings if openings is None else openings)
        entry, index = UnverifiedEntry.stamped(signed, stamp), live.size
        facts = dict(await live.store.lookup(self.origin, needs([signed])))
        ground = self.service.ground(live)
        view = View(
            party=Party.RELAY,
            log=self.origin,
            directory=ground.directory,
            directory_root=ground.directory_root,
            witnessed=ground.witnessed,
            facts=facts,
            size=index,
            last=live.writer.head.last,
            root_at=ground.root_at,
            signatures=ground.signatures,
        )
        effects = judge(Case(view, signed, stamp, beside)).effects
        bodies = {sha256(body).digest(): Body(index, body) for body in forged.submission.bodies}
        stored = Stored(entry.raw, beside, forged.submission.statements)
        await self._append(self.origin, Batch((stored,), bodies, effects, self._grown(self.origin, entry.raw, stamp)))
        return index

    async def log_bytes(self, raw: bytes) -> int:
        """Append bytes that need not even be an entry."""
        index = self.size
        after = self._grown(self.origin, raw, self.stamp())
        await self._append(self.origin, Batch((Stored(raw),), {}, {}, after))
        return index

    async def log_object(self, found: bytes, *, logged_at: int | None = None) -> int:
        """Append an object to the directory that proves nothing, or one with a time of the relay's choice."""
        origin = self.service.directory_log.origin
        index = self.service.directory.size
        stamp = Stamp(self.framework.clock.now if logged_at is None else logged_at, index)
        entry = DirectoryEntry.stamped(found, stamp)
        self.service.directory.void(stamp.logged_at, "forced")
        await self._append(origin, Batch((Stored(entry.raw),), {}, {}, self._grown(origin, entry.raw, stamp)))
        return index

    def _grown(self, origin: str, raw: bytes, stamp: Stamp) -> Head:
        return self.service.logs[origin].writer.head.grown([raw], stamp)

    async def _append(self, origin: str, batch: Batch) -> None:
        live = self.service.logs[origin]
        await live.append(batch)
        await live.show(self.framework.clock.now)
        self.service.bell.ring()

    def note(self, origin: str, size: int, root: bytes) -> bytes:
        """A checkpoint the log never had, with the log's own signature on it."""
        checkpoint = Checkpoint(origin, size, root)
        return Note(checkpoint.text(), (sign_checkpoint(checkpoint, self.framework.founded.log_keys[0]),)).encode()


class Lie(Wire):
    """What the relay tells one member. It takes the place of that member's line as soon as it is made."""

    def __init__(self, framework: Framework, member: str) -> None:
        engine = framework.node(member).engine
        super().__init__(engine.ports[HOST], engine.identity.member, framework.relay)
        self.framework, self.engine = framework, engine
        self.start()

    def start(self) -> None:
        """Begin to lie, or begin again."""
        self.engine.ports = {**self.engine.ports, HOST: self}

    def stop(self) -> None:
        """Tell the truth again."""
        self.engine.ports = {**self.engine.ports, HOST: self.port}
