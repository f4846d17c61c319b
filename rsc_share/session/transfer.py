"""Messages cut into frames and put together again, within bounds known before anything is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import RemoteError
from rsc_share.session.table import MAX_MESSAGE, PIECE, Frame, More, encode

TURN = 16
"""Of so many frames one goes to the lowest precedence that waits: bulk is slow behind FLASH, never starved."""
Begin = Callable[[int, bytes], Frame]
"""From a message's whole size and its first piece to its first frame."""


@dataclass(slots=True)
class _Leaving:
    id: int
    begin: Begin
    body: bytes = field(repr=False)
    at: int = 0

    def frame(self) -> Frame:
        piece = self.body[self.at : self.at + PIECE]
        first, self.at = self.at == 0, self.at + len(piece)
        return self.begin(len(self.body), piece) if first else More(self.id, piece)


class Outbound:
    """What waits to leave, one queue for each precedence. Frames are cut when they leave, so that what is urgent
    waits for one piece of the bulk before it and not for the whole."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[_Leaving]] = {rank: deque() for rank in PRECEDENCES}
        self._count = 0
        self.backlog = 0
        """Bytes of messages not cut yet."""

    def put(self, rank: str, id: int, begin: Begin, body: bytes) -> None:
        self._queues[rank].append(_Leaving(id, begin, body))
        self.backlog += len(body)

    def drop(self, id: int) -> int | None:
        """Forget a message; how many bytes of it have left already, None if it does not wait here."""
        for queue in self._queues.values():
            for item in queue:
                if item.id == id:
                    queue.remove(item)
                    self.backlog -= len(item.body) - item.at
                    return item.at
        return None

    def next(self) -> bytes | None:
        """The next frame, encoded; None where nothing waits."""
        waiting = [queue for queue in self._queues.values() if queue]
        if not waiting:
            return None
        self._count += 1
        queue = waiting[-1] if self._count % TURN == 0 else waiting[0]
        item = queue[0]
        before = item.at
        frame = item.frame()
        self.backlog -= item.at - before
        if item.at == len(item.body):
            queue.popleft()
        return encode(frame)


@dataclass(slots=True)
class Incoming:
    """A message on its way in. Nobody can make it longer than it said it would be."""

    size: int
    parts: bytearray = field(default_factory=bytearray, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.size <= MAX_MESSAGE:
            raise RemoteError(f"a message of {self.size} bytes", code="malformed")

    def add(self, piece: bytes) -> bytes | None:
        """The whole, once it is there. Raises `RemoteError` for more than was announced."""
        if len(self.parts) + len(piece) > self.size:
            raise RemoteError("a message is longer than it said", code="malformed")
        self.parts += piece
        return bytes(self.parts) if len(self.parts) == self.size else None
