"""What every walk of one audit shares, and the small records a walk keeps."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from rsc_share.audit.bodies import BodyBook
from rsc_share.audit.load import Export
from rsc_share.audit.made import Makers
from rsc_share.audit.second import SecondOpinion
from rsc_share.audit.trust import Trust
from rsc_share.crypto.signing import PublicKey, verify
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.parts import Ref
from rsc_share.errors import RscError
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.unseen import Unseen
from rsc_share.rulebook.view import RootAt, Source


class CountingCache(VerifyCache):
    """Counts what was verified, from memory or not. Keeps only what many entries share: whoever replays a log comes
    to each of its own signatures once."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def verify(self, key: PublicKey, data: bytes, signature: bytes) -> None:
        self.count += 1
        verify(key, data, signature)

    def knows(self, mark: Hashable) -> bool:
        if mark in self._young:
            self.count += 1
            return True
        return False

    def once(self, mark: Hashable, key: PublicKey, data: Callable[[], bytes], signature: bytes) -> None:
        self.count += 1
        if mark in self._young:
            return
        super().once(mark, key, data, signature)


def roots_of(tree: MemoryTree) -> RootAt:
    """The root at a size, None for one the tree never had."""
    return tree.find_root


@dataclass(frozen=True, slots=True)
class Bound:
    """A cosigned checkpoint of this log: `size`, and the k-th newest and k-th oldest time (ms) of its witnesses."""

    size: int
    quorum: int
    seen: int


class Awaited(RscError):
    """What an entry refers to stands in another log, which has to be judged so far first: then it is asked again.

    Raised through the rulebook, and no error. Were each log to run within the one before, a chain of references
    through all logs would be deeper than Python's stack.
    """

    def __init__(self, ref: Ref) -> None:
        super().__init__(f"{ref.log} must be judged up to {ref.index} first", code="source-unknown")
        self.ref = ref


@dataclass(slots=True)
class SenderState:
    """What was admitted of one sender in one log; `entries` are those whose every row was checked."""

    entries: int = 0
    heartbeat: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What every walk of one audit shares. `member`: whose view the export is, None for a full one."""

    export: Export
    trust: Trust
    usable: int
    """Directory sizes above this are unknown (`Trust.usable`)."""
    makers: Makers
    directory_roots: RootAt
    opinion: SecondOpinion
    signatures: CountingCache
    book: BodyBook
    member: str | None
    known: Callable[[Ref, int], Source | Unseen | None]
    """What an entry of another log said that one logged at a time (ms) refers to. Raises `Awaited`."""
    progress: Callable[[str, int, int], None]

    @property
    def skew(self) -> int:
        """By how much clocks may differ (ms)."""
        return self.trust.directory.at(self.usable).parameters.skew if self.usable else 0
