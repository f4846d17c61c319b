"""What was written a moment ago, in memory: the next commit and every reader of a live channel ask for just that, and a
trip to another thread costs ten times what the answer does.

Changed by the writing thread alone, after each commit and in its order, so neither ever says what the database does
not. Other threads may look at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import cast

from rsc_share.relay.store.protocol import Body
from rsc_share.rulebook.facts import Fact, Key

BODIES = 8 << 20
"""Bytes of bodies kept, of all logs together."""
EACH = 200
"""Bytes that an entry of a dictionary costs beside its body."""
FACTS = 8_192
"""Facts kept, of all logs together: numbers of some hundred senders, and the ids of the last few thousand entries."""


class RecentBodies:
    """Ciphertexts that were brought, until as many bytes came after them."""

    def __init__(self, most: int = BODIES) -> None:
        self._most, self._weight = most, 0
        self._bodies: dict[tuple[str, bytes], Body] = {}

    def follow(self, changes: Iterable[tuple[str, bytes, Body | None]]) -> None:
        """Take what a commit brought and, as None, what it erased."""
        for log, digest, body in changes:
            self._forget((log, digest))
            if body is not None:
                self._bodies[log, digest] = body
                self._weight += len(body.data) + EACH
        while self._weight > self._most:
            self._forget(next(iter(self._bodies)))

    def _forget(self, key: tuple[str, bytes]) -> None:
        body = self._bodies.pop(key, None)
        if body is not None:
            self._weight -= len(body.data) + EACH

    def find(self, log: str, digests: Collection[bytes]) -> dict[bytes, Body] | None:
        """All of them, or None: then the database has to be asked."""
        found = {digest: self._bodies.get((log, digest)) for digest in digests}
        here = {digest: body for digest, body in found.items() if body is not None}
        return here if len(here) == len(found) else None


class RecentFacts:
    """Facts that were written, and ids that nobody can have used yet: they begin with their time, and one that is later
    than every id that was forgotten here is either known here or nowhere."""

    def __init__(self, forgotten: Mapping[str, bytes], most: int = FACTS) -> None:
        """`forgotten`: by log, the latest id that was used before."""
        self._forgotten, self._most = dict(forgotten), most
        self._facts: dict[tuple[str, Key], Fact] = {}
        self._whole = threading.Lock()
        """Held for microseconds, so that nobody sees half of a commit."""

    def follow(self, changes: Iterable[tuple[str, Mapping[Key, Fact]]]) -> None:
        """Take what a commit wrote. What changes often stays longest."""
        with self._whole:
            for log, facts in changes:
                for key, fact in facts.items():
                    self._facts.pop((log, key), None)
                    self._facts[log, key] = fact
            while len(self._facts) > self._most:
                self._forget(*next(iter(self._facts)))

    def _forget(self, log: str, key: Key) -> None:
        if key[0] == "id":
            self._forgotten[log] = max(self._forgotten.get(log, b""), _id(key))
        del self._facts[log, key]

    def find(self, log: str, keys: Collection[Key]) -> dict[Key, Fact] | None:
        """Those that are, where all that are asked for are known; or None: then the database has to be asked."""
        found: dict[Key, Fact] = {}
        with self._whole:
            for key in keys:
                fact = self._facts.get((log, key))
                if fact is not None:
                    found[key] = fact
                elif key[0] != "id" or _id(key) <= self._forgotten.get(log, b""):
                    return None
        return found


def _id(key: Key) -> bytes:
    return cast(bytes, key[2])
