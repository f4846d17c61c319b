"""What every walk of one audit shares, and the small records a walk keeps."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from rsc_share.audit.bodies import BodyBook
from rsc_share.audit.load import Export
from rsc_share.audit.second import SecondOpinion
from rsc_share.audit.trust import Trust
from rsc_share.crypto.signing import PublicKey, VerifyCache
from rsc_share.envelope.parts import Ref
from rsc_share.log.tree import MemoryTree
from rsc_share.rulebook.view import Source

_ROOTS = 4096


class CountingCache(VerifyCache):
    """Counts what was verified, from memory or not."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def verify(self, key: PublicKey, data: bytes, signature: bytes) -> None:
        self.count += 1
        super().verify(key, data, signature)

    def once(self, mark: Hashable, key: PublicKey, data: Callable[[], bytes], signature: bytes) -> None:
        self.count += 1
        super().once(mark, key, data, signature)


class Roots:
    """Roots of a tree at the sizes that were asked for lately."""

    __slots__ = ("_cached", "_tree")

    def __init__(self, tree: MemoryTree) -> None:
        self._tree = tree
        self._cached: dict[int, bytes] = {}

    def at(self, size: int) -> bytes | None:
        found = self._cached.get(size)
        if found is None and 0 <= size <= self._tree.size:
            if len(self._cached) >= _ROOTS:
                self._cached.clear()
            found = self._cached[size] = self._tree.root(size)
        return found


@dataclass(frozen=True, slots=True)
class Bound:
    """A cosigned checkpoint of this log: `size`, the quorum's time and the newest witness's (ms)."""

    size: int
    quorum: int
    newest: int


@dataclass(slots=True)
class SenderState:
    """What was admitted of one sender in one log."""

    entries: int = 0
    heartbeat: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What every walk of one audit shares. `member`: whose view the export is, None for a full one."""

    export: Export
    trust: Trust
    usable: int
    """Directory sizes above this are unknown (`Trust.usable`)."""
    directory_roots: Roots
    opinion: SecondOpinion
    signatures: CountingCache
    book: BodyBook
    member: str | None
    known: Callable[[Ref, str], Source | None]
    progress: Callable[[str, int, int], None]
