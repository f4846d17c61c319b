"""The largest tree of a log that the log has signed, as far as this node knows: by what it read, and by its receipts.

A relay that starts again is told (`offers`): if its store is an old copy, this signature of its own stops it, whether
or not anybody has cosigned that tree.
"""

from __future__ import annotations

from rsc_share.envelope.parts import Head
from rsc_share.node.store.protocol import Room, Shelf

NEWEST = "newest"


class Newest:
    """Of one log; kept in the node's store."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        found = shelf.get(Room.META, NEWEST)
        self.head: Head | None = None if found is None else Head.from_wire(found, NEWEST)

    def take(self, head: Head) -> None:
        """Of a note whose log signature was verified."""
        if self.head is None or head.size > self.head.size:
            self.head = head
            self._shelf.put(Room.META, NEWEST, head.wire())
