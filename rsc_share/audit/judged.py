"""What became of the entries of one log so far, and what others may refer to (docs/protocol.md, section 12.5)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rsc_share.audit.classes import BEHIND_END, IN_DAMAGE
from rsc_share.audit.setting import Bound, Setting
from rsc_share.audit.tree import Entries
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RemoteError
from rsc_share.rulebook.source import Source
from rsc_share.rulebook.unseen import NOT_SHOWN, Unseen

VOID, ADMITTED, DOUBTED, OPEN = range(4)
"""What became of an entry: void, admitted, not checkable whole, or not judged at all."""


class Judged:
    """`verdicts`: one byte for every entry that was come to and could be read."""

    __slots__ = ("_bounds", "_ended", "_entries", "_setting", "verdicts")

    def __init__(self, entries: Entries, setting: Setting, bounds: Sequence[Bound]) -> None:
        self._entries, self._setting, self._bounds = entries, setting, bounds
        self.verdicts = bytearray()
        self._ended: int | None = None

    def source(self, ref: Ref, asked: int, *, stopped: bool) -> Source | Unseen | None:
        """What an entry said that one logged at `asked` (ms) names by its header hash.

        `stopped`: no more will be judged. None where it can be said that there is no such entry, or that it is void.
        """
        if ref.index >= self._entries.size:
            return Unseen(BEHIND_END) if asked >= self.ended() else None
        if ref.index >= len(self.verdicts):
            return Unseen(IN_DAMAGE) if stopped else None  # else it comes later than who asks
        verdict, raw = self.verdicts[ref.index], self._entries.get(ref.index)
        if raw is None:
            return NOT_SHOWN
        if verdict == OPEN:
            return Unseen(IN_DAMAGE)
        signed = UnverifiedEntry.parse(raw).signed if verdict else None
        if signed is None or signed.header_hash != ref.header_hash:
            return None
        return Source.of(ref.index, signed, in_doubt=verdict == DOUBTED)

    def admitted(self, index: int) -> bool:
        """Whether an entry was come to, and not found void."""
        return index < len(self.verdicts) and self.verdicts[index] in (ADMITTED, DOUBTED)

    def ended(self) -> int:
        """The earliest time (ms) at which an entry can have been logged that is not in this export.

        Times in a log never go back, and whoever cosigned its end saw no later entry.
        """
        if self._ended is None:
            size, skew = self._entries.size, self._setting.skew
            last = self._last(size)
            self._ended = max((last, *(bound.quorum - skew for bound in self._bounds if bound.size == size)))
        return self._ended

    def _last(self, size: int) -> int:
        raw = self._entries.get(size - 1) if size else None
        with suppress(RemoteError):
            return UnverifiedEntry.parse(raw or b"").stamp.logged_at
        return 0
