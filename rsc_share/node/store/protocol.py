"""What a node asks of its store. Rows are staged as memory changes and become durable together.

Promises, kept by every store (`tests/node/node_store_conformance.py`):

1. A staged row is seen by `get` and `rows` at once, and so is what `later` will stage.
2. `commit` returns when everything staged before the call would survive a power cut. What was staged between two
   awaits becomes durable together or not at all: whatever a crash leaves is the memory of one earlier moment.
3. A `commit` that failed has an unknown outcome: every later one raises the same error, and nothing more is written.
4. After `rotate` returns, rows of an erasable room that were deleted or replaced before it cannot be read again, not
   even from free pages, journals or an older copy of the database file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, Protocol

from rsc_share import codec
from rsc_share.errors import StorageError

MAX_VALUE = 1 << 24
"""Bytes of one row. The largest are a directory entry's bodies: a charter with the keys of all members."""
MAX_ITEMS = 1 << 20
NODE = ""
"""The log of rows that belong to the node and to no log."""


class Room(IntEnum):
    """Kinds of rows. The numbers stand on disk and never change their meaning."""

    META = 0
    """Who this instance is, and whether it was refused."""
    ALARM = 1
    DIRECTORY = 2
    """Entries of the directory log, with the bodies their objects need."""
    TRUST = 3
    PENDING = 4
    """Nodes whose revocation came by another way than the log, and is obeyed."""
    WITNESS = 5
    PREKEY = 6
    GRANT = 7
    """Grant keys as they came: sealed to a prekey of ours. The key itself is only in memory."""
    TILE = 8
    """Leaf hashes, 256 in a row."""
    FACT = 9
    """By sender: where it stands in the log."""
    ENTRY = 10
    """Ids of judged entries, with header and signature of those that were admitted: a ledger."""
    FOLLOWER = 11
    SENDER = 12
    """Own number, head and counters in a log."""
    ITEM = 13
    PAYLOAD = 14
    """Of items that wait, and of those that are logged and not yet confirmed by everybody."""
    SENT = 16
    """Signed bytes whose outcome is unknown."""
    PROMISE = 17
    REFUSED = 18
    TICKET = 19
    PLACE = 20
    """Where entries of ours stand, and the proof: a ledger."""
    KEY = 21
    ADDRESSED = 22
    """Our messages in the log, and whom they are for: a ledger."""
    CONFIRMED = 23
    """What recipients have stated: a ledger."""
    HEARTBEAT = 24
    EVENT = 25
    HELD = 26
    NOTICE = 27
    CURSOR = 28
    OURS = 29
    """Hashes of headers signed here and not yet seen in the log."""
    HEARD = 30
    ARRIVED = 31
    """Where the entries behind the events stand: a ledger."""
    NAMED = 32
    """Keys in the order in which they were given: a ledger."""


ERASABLE = frozenset({Room.PREKEY, Room.GRANT, Room.ITEM, Room.PAYLOAD, Room.SENT, Room.EVENT, Room.NOTICE})
"""Rooms whose rows hold plaintext or what opens ciphertext: erased means gone from the disk within an hour."""


class Store(Protocol):
    """One process and one event loop at a time."""

    @property
    def fresh(self) -> bool:
        """Whether there was nothing here when it was opened."""
        ...

    def put(self, room: Room, log: str, key: bytes, value: bytes) -> None: ...

    def delete(self, room: Room, log: str, key: bytes) -> None: ...

    def later(self, stage: Callable[[], None]) -> None:
        """Call `stage` once before the next commit is written: it stages rows that change often in between."""
        ...

    def get(self, room: Room, log: str, key: bytes) -> bytes | None: ...

    def rows(self, room: Room, log: str) -> Iterable[tuple[bytes, bytes]]:
        """Key and value of every row of one room and log, by rising key."""
        ...

    def flush(self) -> None:
        """Make what is staged durable soon; `commit` does it at once, and says what went wrong."""
        ...

    async def commit(self) -> None:
        """Return when everything staged so far is durable. Raises `StorageError`: the node must stop."""
        ...

    async def rotate(self, now: int) -> bool:
        """Once an hour (`now` in ms): put what was erased out of reach for good. True if that was due."""
        ...

    async def close(self) -> None: ...


class Shelf:
    """The rows of one log, as values."""

    def __init__(self, store: Store, log: str = NODE) -> None:
        self.store, self._log = store, log

    def put(self, room: Room, key: Any, value: Any) -> None:
        """Raises `StorageError` for what could not be read back: better here than after the next start."""
        data = codec.pack(value)
        if len(data) > MAX_VALUE:
            raise StorageError(f"a row of {len(data)} bytes; the store takes {MAX_VALUE}", code="too-large")
        self.store.put(room, self._log, codec.pack(key), data)

    def delete(self, room: Room, key: Any) -> None:
        self.store.delete(room, self._log, codec.pack(key))

    def get(self, room: Room, key: Any) -> Any:
        """The value, or None."""
        found = self.store.get(room, self._log, codec.pack(key))
        return None if found is None else _value(found)

    def rows(self, room: Room) -> list[tuple[Any, Any]]:
        return [(_value(key), _value(value)) for key, value in self.store.rows(room, self._log)]


def _value(data: bytes) -> Any:
    return codec.unpack(data, max_size=MAX_VALUE, max_items=MAX_ITEMS)
