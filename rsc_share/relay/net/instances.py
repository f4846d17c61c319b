"""Telling a node that was started again from one that runs twice."""

from __future__ import annotations

from collections import OrderedDict

WINDOW = 600_000
"""ms for which an instance that was followed by another one must not come back."""
MAX_NODES = 4_096
MAX_INSTANCES = 16


class Instances:
    """The instance ids that opened sessions lately, by node.

    A process that starts again has a new id, and its old one never comes back. An id that comes back after another
    one has opened is a second process that is still running: a clone, or the original. Nobody here can say which.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, OrderedDict[bytes, int]] = OrderedDict()
        self._barred: dict[tuple[str, bytes], int] = {}

    def opened(self, node: str, instance: bytes, now: int) -> bool:
        """Take note of a session that is to open (`now` in ms). False: its node runs twice, both are shut out."""
        self._barred = {key: until for key, until in self._barred.items() if until > now}
        if (node, instance) in self._barred:
            return False
        seen = self._seen.setdefault(node, OrderedDict())
        self._seen.move_to_end(node)
        newest = next(reversed(seen), None)
        if instance in seen and instance != newest:
            # Everybody who opened since then is in doubt, the one that comes back included.
            later = list(seen)[list(seen).index(instance) :]
            self._barred.update({(node, each): now + WINDOW for each in later})
            del self._seen[node]
            return False
        seen[instance] = now
        while len(seen) > MAX_INSTANCES or next(iter(seen.values())) <= now - WINDOW:
            seen.popitem(last=False)
        while len(self._seen) > MAX_NODES:
            self._seen.popitem(last=False)
        return True
