"""Which instance of a node this is: a store is made once, and a new one never pretends to be an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from rsc_share.node.identity import Random
from rsc_share.node.store.protocol import Room, Shelf

_KEY = "instance"
LOGS = "logs"
"""The channel logs of which a store holds rows."""


@dataclass(frozen=True, slots=True)
class Instance:
    """`follows`: there was an instance before this one, which numbered entries and cosigned trees."""

    id: bytes
    node: str
    follows: bool

    @classmethod
    def of(cls, shelf: Shelf, node: str, random: Random) -> Instance:
        """The instance whose store this is; the first one of its node if nothing says otherwise."""
        found = shelf.get(Room.META, _KEY)
        if found is not None:
            return cls(*found)
        return cls(random(16), node, follows=False).begin(shelf)

    def begin(self, shelf: Shelf) -> Instance:
        shelf.put(Room.META, _KEY, [self.id, self.node, self.follows])
        return self
