"""What a node was shown of a log: entries that wait to be judged, and the verdicts of those that were.

They are parsed, and taken through the rows that ask about nothing but the entry and the directory, several at a time:
one step on all of them costs less than all steps on one after the other (ADR 0069, 0190).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError
from rsc_share.node.store.protocol import Shelf
from rsc_share.node.stretches import Stretches
from rsc_share.node.trust import Trust
from rsc_share.rulebook.admit import AHEAD, Admitted, Judging, Void, begin_all
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.view import Party, RootAt, Source, View
from rsc_share.session.frames import Full
from rsc_share.value import Value

HELD = 64 << 20
"""Bytes of entries and bodies that wait, from which on no more are read: a relay may stamp what it likes and never show
the directory it names. What is not read loses nothing, for its log has it."""
_EACH = 4_096
"""Bytes that an entry takes besides, parsed."""


class Seen(Value, frozen=True):
    """One entry of the verified tree that was shown to this node, with its verdict and what came beside it."""

    verdict: Admitted | Void
    item: Full
    opening_true: bool
    bodies: Mapping[bytes, bytes]
    """Those of `item`, by their digests."""


class Waiting(Value, frozen=True):
    """One entry that can be read."""

    index: int
    entry: UnverifiedEntry
    item: Full
    bodies: Mapping[bytes, bytes]


class Docket:
    """Of one log. Fed in its order; judges in its order."""

    def __init__(self, log: str, me: str, trust: Trust, signatures: VerifyCache, root_at: RootAt, shelf: Shelf) -> None:
        self._log, self._me, self._trust, self._signatures, self._root_at = log, me, trust, signatures, root_at
        self.facts = Stretches(shelf, me)
        """What everything judged so far says for the entries to come."""
        self.last: Stamp | None = None
        """Of the entry that was judged last."""
        self.unreadable: list[tuple[int, str]] = []
        """Entries that no reader of this release can parse, and why: as good as void."""
        self._waiting: list[Waiting] = []
        self._weight = 0

    def add(self, shown: Sequence[tuple[int, Full]]) -> list[Waiting]:
        """Entries in log order: those that can be read, which wait from now on."""
        added: list[Waiting] = []
        for at in range(0, len(shown), AHEAD):
            some = shown[at : at + AHEAD]
            parsed = UnverifiedEntry.parse_each([item.entry for _, item in some])
            for (index, item), entry in zip(some, parsed, strict=True):
                if isinstance(entry, RemoteError):
                    self.unreadable.append((index, entry.what))
                else:
                    added.append(Waiting(index, entry, item, {sha256(body).digest(): body for body in item.bodies}))
        self._waiting += added
        self._weight += sum(map(_weight, added))
        return added

    @property
    def full(self) -> bool:
        """Whether so much waits that no more should be read."""
        return self._weight >= HELD

    @property
    def first(self) -> int | None:
        """The index of the one that is judged next."""
        return self._waiting[0].index if self._waiting else None

    def due(self, checked: int) -> bool:
        """Whether that one can be judged now, where the first `checked` entries stand in a tree that was checked."""
        return bool(self._waiting) and self._ready(self._waiting[0], checked)

    def _ready(self, waiting: Waiting, checked: int) -> bool:
        return waiting.index < checked and waiting.entry.stamp.directory <= self._trust.witnessed

    def ready(self, checked: int, own: int | None) -> int:
        """How many can be judged now; of this node's own behind the last one of others at most `own`."""
        ready = others = 0
        for waiting in self._waiting:
            if not self._ready(waiting, checked):
                break
            ready += 1
            if waiting.entry.header.sender != self._me:
                others = ready
        return ready if own is None else min(ready, others + own)

    def judge(self, count: int) -> list[Seen]:
        """The verdicts on the first that wait, in log order. What a check raises besides `Refused` is raised when its
        entry's turn has come: those before it have been judged, and it goes on waiting."""
        seen: list[Seen] = []
        view = self._view()
        for left in range(count, 0, -AHEAD):
            some = self._waiting[: min(left, AHEAD)]
            for waiting, judging in zip(some, self._begun(view, some), strict=True):
                view.last = self.last
                seen.append(self._verdict(waiting, judging))
                del self._waiting[0]
                self._weight -= _weight(waiting)
        return seen

    def _begun(self, view: View, some: Sequence[Waiting]) -> list[Judging]:
        judgings = [Judging(self._case(view, waiting)) for waiting in some]
        begin_all(judgings)
        return judgings

    def _verdict(self, waiting: Waiting, judging: Judging) -> Seen:
        signed = waiting.entry.signed
        verdict = judging.verdict()
        self.facts.add(waiting.index, verdict.effects, signed if isinstance(verdict, Admitted) else None)
        self.last = waiting.entry.stamp
        return Seen(verdict, waiting.item, opening_true(judging.case), waiting.bodies)

    def _view(self) -> View:
        """What is known now; moved on from entry to entry."""
        return View(
            party=Party.NODE,
            log=self._log,
            directory=self._trust.directory,
            directory_root=self._trust.root,
            witnessed=self._trust.witnessed,
            facts=self.facts,
            size=0,
            last=None,
            root_at=self._root_at,
            signatures=self._signatures,
            known=self.known,
            me=self._me,
            confirmed_at=self._trust.confirmed_at,
        )

    def _case(self, view: View, waiting: Waiting) -> Case:
        item, entry = waiting.item, waiting.entry
        view.size = waiting.index
        openings = {} if item.opening is None else {self._me: item.opening}
        sizes = {digest: len(body) for digest, body in waiting.bodies.items()}
        return Case(view, entry.signed, entry.stamp, openings, sizes)

    def known(self, ref: Ref) -> Source | None:
        """What an admitted entry that was shown here said."""
        if ref.log != self._log:
            return None
        found = self.facts.source(ref.index)
        return found if found is not None and found.ref == ref else None


def _weight(waiting: Waiting) -> int:
    return waiting.item.weight + _EACH


def opening_true(case: Case) -> bool:
    """Whether this node was given the opening it was due."""
    me = case.view.me
    return me in case.opened or me not in case.nodes
