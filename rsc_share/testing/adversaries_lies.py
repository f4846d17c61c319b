"""What a cheating relay tells one member, or leaves out: one class for each lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from rsc_share.envelope.entry import DirectoryEntry, Stamp, UnverifiedEntry
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import Note, NoteSignature, parse_signatures
from rsc_share.rulebook.witnesses import witness_name
from rsc_share.session.frames import Bare, Full, Item, News, Offer, Outcome, Submission, Tail
from rsc_share.session.port import NOTHING, NOWHERE, Shown
from rsc_share.testing.adversaries_pen import Forged
from rsc_share.testing.adversaries_relay import CheatingRelay, Lie
from rsc_share.testing.framework import Framework
from rsc_share.value import replace


class _OneEntry(Lie, ABC):
    """Lies about the entry at `index` of a channel log."""

    def __init__(self, framework: Framework, member: str, index: int, channel: str = "main") -> None:
        super().__init__(framework, member)
        self.index, self.log = index, self.engine.line(channel).log

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        tail = await super().read(log, start, limit)
        if tail is None or log != self.log or not tail.start <= self.index < tail.start + len(tail.items):
            return tail
        return replace(tail, items=self.lie(list(tail.items), self.index - tail.start))

    @abstractmethod
    def lie(self, items: list[Item], at: int) -> tuple[Item, ...]:
        """What the member is shown instead of these items; the entry is `items[at]`."""


class Drop(_OneEntry):
    """Shows a member an entry that is for it as a bare hash. The next one to it from the same sender has a number too
    many: the node's own counter (`kept-back`); without a next one, the sender's ACK_DEADLINE (`undelivered`)."""

    def lie(self, items: list[Item], at: int) -> tuple[Item, ...]:
        found = items[at]
        items[at] = Bare(leaf_hash(found.entry)) if isinstance(found, Full) else found
        return tuple(items)


class Reorder(_OneEntry):
    """Shows an entry and the one after it in the other order. The tree does not come out right."""

    def lie(self, items: list[Item], at: int) -> tuple[Item, ...]:
        items[at], items[at + 1] = items[at + 1], items[at]
        return tuple(items)


class Withhold(_OneEntry):
    """Shows an entry and keeps its body back. The node says so to its operator and to the sender (`body-missing`)."""

    def lie(self, items: list[Item], at: int) -> tuple[Item, ...]:
        found = items[at]
        items[at] = replace(found, bodies=()) if isinstance(found, Full) else found
        return tuple(items)


class WithholdOpening(_OneEntry):
    """Shows an entry without the opening of the node's counter, so that nothing is missed (`opening-missing`)."""

    def lie(self, items: list[Item], at: int) -> tuple[Item, ...]:
        found = items[at]
        items[at] = replace(found, opening=None) if isinstance(found, Full) else found
        return tuple(items)


class Replay:
    """Logs an entry a second time. The number is behind its sender's (row 7), and the id is used (row 6)."""

    def __init__(self, framework: Framework, channel: str = "main") -> None:
        self.relay = CheatingRelay(framework, channel)

    async def force(self, entry: Forged) -> int:
        return await self.relay.log(entry)


class Truncate(Lie):
    """A log rolled back to `size` before a member that has seen more. Its own witness head is the newer one."""

    def __init__(self, framework: Framework, member: str, size: int, channel: str = "main") -> None:
        super().__init__(framework, member)
        self.relay = CheatingRelay(framework, channel)
        self.log, self.size = self.relay.origin, size
        self.cosigned: list[int] = []

    def note(self) -> bytes:
        live = self.relay.service.logs[self.log]
        return self.relay.note(self.log, self.size, live.tree.root_in_memory(self.size))

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        return None if log == self.log else await super().read(log, start, limit)

    async def witnessed(self, log: str) -> bytes | None:
        return None if log == self.log else await super().witnessed(log)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        honest = [offer for offer in await super().offers(heads, shown) if offer.log != self.log]
        return [*honest, Offer(self.log, heads.get(self.log, 0), self.note(), self.framework.clock.now, ())]

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        if log == self.log:
            self.cosigned.append(size)
        else:
            await super().cosign(log, size, lines)


class Branch(Lie):
    """One log as only one member sees it: common with the others below `size`, then what `add` puts there.

    `accomplices` are members whose witness keys the relay may use: without any, a branch is never witnessed.
    """

    def __init__(self, framework: Framework, member: str, log: str, accomplices: Sequence[str] = ()) -> None:
        super().__init__(framework, member)
        self.log, self.relay = log, CheatingRelay(framework)
        self._live = self.relay.service.logs[log]
        self.size = self._live.size
        self.tree = framework.store.whole_tree(log).copy()
        self.items: list[Item] = []
        self._accomplices = accomplices
        self._lines: dict[int, list[NoteSignature]] = {}
        self._told: tuple[int, int] = (-1, -1)

    def add(self, item: Item) -> int:
        """Append an item to the branch; its index."""
        self.tree.append(leaf_hash(item.entry) if isinstance(item, Full) else item.leaf)
        self.items.append(item)
        return self.tree.size - 1

    def note(self) -> bytes:
        """The branch's newest checkpoint: the log's own signature, and those of the accomplices and their victim."""
        checkpoint = Checkpoint(self.log, self.tree.size, self.tree.root())
        view, seconds = self.relay.service.view, self.framework.clock.now // 1000
        lines = [sign_checkpoint(checkpoint, self.framework.founded.log_keys[0])]
        for member in self._accomplices:
            keys = self.framework.party(member).nodes[0]
            lines.append(cosign_ed25519(checkpoint, witness_name(view, keys.name), keys.witness, seconds))
        return Note(checkpoint.text(), (*lines, *self._lines.get(checkpoint.size, ()))).encode()

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        if log != self.log or start < self.size:
            tail = await super().read(log, start, min(limit, self.size - start) if log == self.log else limit)
            return tail if tail is None or log != self.log else self._forked(tail)
        state = (self.tree.size, len(self._lines.get(self.tree.size, ())))
        if start == self.tree.size and state == self._told:
            return None
        self._told = state
        return Tail(log, start, tuple(self.items[start - self.size :]), self.note())

    def _forked(self, tail: Tail) -> Tail:
        """What both trees begin with, as the beginning of the branch."""
        stop = tail.start + len(tail.items)
        proof = () if stop == self.tree.size else tuple(self.tree.consistency(stop))
        return replace(tail, note=self.note(), proof=proof)

    async def witnessed(self, log: str) -> bytes | None:
        if log != self.log:
            return await super().witnessed(log)
        return self.note() if self._accomplices else None

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        honest = [offer for offer in await super().offers(heads, shown) if offer.log != self.log]
        old = heads.get(self.log, 0)
        if old == self.tree.size and self._lines.get(old):
            return honest
        proof = tuple(self.tree.consistency(old, self.tree.size))
        return [*honest, Offer(self.log, old, self.note(), self.framework.clock.now, proof)]

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        if log != self.log:
            await super().cosign(log, size, lines)
            return
        self._lines[size] = [signature for line in lines for signature in parse_signatures(line)]

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        return await super().changed({log: size for log, size in known.items() if log != self.log}, heads)


class Fork(Branch):
    """Shows one member another channel log than the rest. Every entry that crosses names the tree its sender saw,
    signed by the log: the first one gives the fork away (row 13)."""

    def __init__(self, framework: Framework, member: str, channel: str = "main", accomplices: Sequence[str] = ()):
        super().__init__(framework, member, framework.node(member).engine.line(channel).log, accomplices)

    def show(self, entry: Forged, stamp: Stamp | None = None) -> int:
        """Let an entry of the other side cross into the branch."""
        made = UnverifiedEntry.stamped(entry.signed, stamp or self.relay.stamp())
        opening = entry.openings.get(self.engine.identity.node)
        return self.add(Full(made.raw, opening, (), entry.submission.bodies))


class DirectoryFork(Branch):
    """Shows one member another directory than the rest, witnessed by accomplices. Every entry names the directory its
    sender acted on, signed by the log (row 5)."""

    def __init__(self, framework: Framework, member: str, accomplices: Sequence[str] = ()) -> None:
        super().__init__(framework, member, framework.relay_service.directory_log.origin, accomplices)

    def show(self, found: bytes) -> int:
        """Put another object where the others see theirs."""
        made = DirectoryEntry.stamped(found, Stamp(self.framework.clock.now, self.tree.size))
        return self.add(Full(made.raw, None, (), ()))


class Freeze(Lie):
    """Gives one member nothing new of the directory, for ever. What it holds gets old, and with an old directory it
    sends nothing; what it reads is marked unconfirmed."""

    def __init__(self, framework: Framework, member: str) -> None:
        super().__init__(framework, member)
        self.log = framework.relay_service.directory_log.origin
        self._note: bytes | None = framework.node(member).engine.notes().get(self.log)
        self.taken: list[Submission] = []
        """What the member handed in all the same; the relay keeps it."""

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        return None if log == self.log else await super().read(log, start, limit)

    async def witnessed(self, log: str) -> bytes | None:
        return self._note if log == self.log else await super().witnessed(log)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        return [offer for offer in await super().offers(heads, shown) if offer.log != self.log]

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self.taken.extend(entries)
        return await super().submit(log, entries)

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        return await super().changed({log: size for log, size in known.items() if log != self.log}, heads)


class BackDate:
    """Logs an entry as if it had been there before the witnesses last looked. None of them cosigns the tree
    (`back-dated`), and an auditor who has one of their checkpoints finds it."""

    def __init__(self, framework: Framework, channel: str = "main") -> None:
        self.framework, self.relay = framework, CheatingRelay(framework, channel)

    async def force(self, entry: Forged, *, by: int) -> int:
        """Log `entry`, dated `by` ms before now; its index."""
        stamp = self.relay.stamp()
        return await self.relay.log(entry, stamp=replace(stamp, logged_at=self.framework.clock.now - by))
