"""The values that were used last, and no more of them than there is room for: all others can be had again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `most` values, none of which is None. To look one up is to use it."""

    __slots__ = ("_held", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        held = self._held
        found = held.get(key)
        if found is not None:
            held.move_to_end(key)
        return found

    def keep(self, key: K, value: V) -> V | None:
        """What went for it: the value that was kept under this key, or the one that was not used for longest."""
        held = self._held
        gone = held.pop(key, None)
        held[key] = value
        return self.drop() if len(held) > self._most else gone

    def drop(self) -> V:
        """Forget the one that was not used for longest. There is one."""
        return self._held.popitem(last=False)[1]
