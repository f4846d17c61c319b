"""The largest tree of a log that the log has signed, as far as this node knows: by what it read, and by its receipts.

A relay that starts again is told (`offers`): if its store is an old copy, this signature of its own stops it, whether
or not anybody has cosigned that tree.
"""

from __future__ import annotations

from rsc_share.envelope.parts import Head
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.note import KeyType, Note
from rsc_share.node.store.protocol import Room, Shelf

NEWEST = "newest"


class Newest:
    """Of one log; kept in the node's store."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        found = shelf.get(Room.META, NEWEST)
        self.head: Head | None = None if found is None else Head.from_wire(found, NEWEST)

    def take(self, note: bytes, checkpoint: Checkpoint) -> None:
        """A note whose log signature was verified, and its checkpoint."""
        if self.head is None or checkpoint.size > self.head.size:
            self.head = Head(checkpoint.size, checkpoint.root, log_signature(note, checkpoint))
            self._shelf.put(Room.META, NEWEST, self.head.wire())


def log_signature(note: bytes, checkpoint: Checkpoint) -> bytes:
    """The raw 64-byte Ed25519 signature of the log inside its (verified) note: what header heads carry."""
    for line in Note.parse(note).signatures:
        if line.name == checkpoint.origin and len(line.blob) == 64:
            return line.blob
    raise RemoteError("the checkpoint has no Ed25519 line of its log", code="bad-signature", kind=KeyType.ED25519.name)
