"""What was shown of every log, remembered outside of its store: how a start knows an old copy from the live store.

Order of a commit: sync entries and head, sign, **write the outside head**, then show. So it is never above the newest
store there is; a store below it lacks entries that somebody may hold a receipt for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rsc_share.errors import StorageError
from rsc_share.relay.logtree import LogTree

PUT_BACK = (
    "put the newest store in its place; if that is lost, this log is over: the charter has to close it and name another"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Size and root of a tree that a log signed."""

    size: int
    root: bytes


class OutsideHeads(Protocol):
    """By log: the largest tree whose checkpoint anybody was shown. Raises `StorageError`."""

    def read(self, log: str) -> Signed | None:
        """None where nothing was ever written. A damaged file is an error, never None."""
        ...

    def write(self, log: str, head: Signed) -> None:
        """Kept across the end of this process when it returns, across a power cut after the next `sync`. Smaller sizes
        than before are left alone. Cheap: called on the loop, once for each commit."""
        ...

    def sync(self) -> None:
        """May block. Called from one thread at a time, beside `write`."""
        ...


async def proved(outside: OutsideHeads, log: str, size: int, tree: LogTree, *, restored: bool) -> bool:
    """Whether the outside head says that the store holds all that was shown of a log.

    False for a store that was `restored` where no outside head is: all its readers have to say so. Raises
    `StorageError`: `rolled-back` for a store that lacks something, `no-outside-head` where nobody said `restored`.
    """
    head = outside.read(log)
    if head is None and restored:
        return False
    if head is None and size == 0:
        return True
    if head is None:
        what = f"the store holds {size} entries of {log}, and no outside head says that it is not an old copy"
        advice = (
            "put the folder `heads` back; if it is lost, start once with --restored: every node has to answer first"
        )
        raise StorageError(what, code="no-outside-head", advice=advice, log=log)
    if head.size > size or await tree.root(head.size) != head.root:
        raise rolled_back(log, size, head.size, "its outside head")
    return True


def rolled_back(log: str, size: int, shown: int, witness: str) -> StorageError:
    """An old copy, or a fork: what somebody was shown is not in this store."""
    what = (
        f"{log} has signed a tree of {shown} entries ({witness} has it), which the store with its {size} does not hold"
    )
    return StorageError(what, code="rolled-back", advice=PUT_BACK, log=log, size=size, shown=shown)
