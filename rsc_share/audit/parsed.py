"""A log's entries, parsed a few at a time."""

from __future__ import annotations

from rsc_share.audit.tree import Entries
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RemoteError

Found = UnverifiedEntry | RemoteError

AHEAD = 32
"""Parsed one after the other, entries cost half: what parses them stays in the cache of the processor. Rulebook and
signature check would drive it out between two of them, and more entries than these each other."""


class Parsed:
    """Of one log. Nothing about its entries is verified."""

    __slots__ = ("_entries", "_found", "_start")

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._start = -1
        self._found: list[Found | None] = []

    def get(self, index: int) -> Found | None:
        """The entry, or why it cannot be read; None where its bytes are not here."""
        offset = index % AHEAD
        if self._start != index - offset:
            self._start = index - offset
            self._found = [_parse(self._entries.get(i)) for i in range(self._start, self._start + AHEAD)]
        return self._found[offset]


def _parse(raw: bytes | None) -> Found | None:
    if raw is None:
        return None
    try:
        return UnverifiedEntry.parse(raw)
    except RemoteError as error:
        return error
