"""A session as the relay keeps it: bytes in, events out, frames when there is credit for them. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rsc_share.errors import RemoteError, Unavailable
from rsc_share.session.calls import NAMES, Own, welcome
from rsc_share.session.fault import Fault
from rsc_share.session.table import (
    GREETING_CALL,
    MAX_FRAME,
    MAX_GREETING,
    MAX_MESSAGE,
    RELAY_TAKES,
    Answer,
    Call,
    Cancel,
    Credit,
    Error,
    Failed,
    Goaway,
    Greeting,
    Hello,
    More,
    State,
    encode,
    read_frame,
)
from rsc_share.session.transfer import Incoming, Outbound

MAX_FAULTS = 1_024
"""Faults that may wait to leave. They need no credit, and a call that is cancelled makes room for the next one: a node
that takes nothing could have any number of them kept."""


@dataclass(frozen=True, slots=True)
class Called:
    """A whole question."""

    id: int
    name: str
    rank: str
    body: bytes = field(repr=False)


Event = Greeting | Called | Cancel


@dataclass(slots=True)
class _Open:
    """A call under way: its first frame, and what has come of its body."""

    call: Call
    incoming: Incoming
    whole: bool = False


class RelaySide:
    """One session. `receive` raises `RemoteError` for whatever ends it; the driver then sends `error` and closes.

    Credit towards the relay: `hello` says how many calls of how many bytes may be open; an answer gives back what its
    call took. Credit towards the node: its window, which `credit` frames fill up again.
    """

    def __init__(self, hello: Hello) -> None:
        self.hello, self.state = hello, State.GREETING
        self._open: dict[int, _Open] = {}
        self._bytes = 0
        self._window = self._credit = 0
        self._urgent: deque[bytes] = deque([encode(hello)])
        self._answers = Outbound()
        self._pending: bytes | None = None

    # --- in

    def receive(self, data: bytes) -> Event | None:
        limit = MAX_GREETING if self.state is State.GREETING else MAX_FRAME
        frame = read_frame(data, RELAY_TAKES[self.state], NAMES, limit=limit)
        if isinstance(frame, Greeting):
            self.state = State.PROVING
            self._window = self._credit = frame.window
            return frame
        if isinstance(frame, Call):
            return self._called(frame)
        if isinstance(frame, More):
            return self._goes_on(frame)
        if isinstance(frame, Cancel):
            return self._cancelled(frame)
        if isinstance(frame, Credit):
            self._credited(frame.bytes)
        return None

    def _called(self, call: Call) -> Event | None:
        if call.id in self._open:
            raise RemoteError(f"call {call.id} is open already", code="malformed")
        if len(self._open) >= self.hello.calls or self._bytes + call.size > self.hello.bytes:
            raise RemoteError("more calls, or bytes of calls, than hello allows", code="credit")
        if len(self._urgent) >= MAX_FAULTS:
            raise RemoteError(f"{MAX_FAULTS} faults were not taken", code="credit")
        self._open[call.id] = _Open(call, Incoming(call.size))
        self._bytes += call.size
        return self._goes_on(More(call.id, call.piece))

    def _goes_on(self, more: More) -> Event | None:
        open_call = self._open.get(more.id)
        if open_call is None or open_call.whole:
            raise RemoteError(f"more of call {more.id}, which is not being told", code="malformed")
        body = open_call.incoming.add(more.piece)
        if body is None:
            return None
        open_call.whole, open_call.incoming = True, Incoming(1)  # the driver holds the body now
        call = open_call.call
        if self.state is State.DRAINING:
            self.fault(call.id, Unavailable("the relay is going down", code="draining", retry_after=1.0))
            return None
        return Called(call.id, call.name, call.rank, body)

    def _cancelled(self, cancel: Cancel) -> Event | None:
        open_call = self._open.get(cancel.id)
        if open_call is None:
            return None  # answered meanwhile
        if open_call.whole:
            return cancel
        self.fault(cancel.id, Unavailable("cancelled", code="cancelled"))
        return None

    def _credited(self, count: int) -> None:
        if self._credit + count > self._window:
            raise RemoteError("credit for more than was sent", code="credit")
        self._credit += count

    # --- out

    def welcome(self, heads: Mapping[str, Own]) -> None:
        """The token is good: answer call 0 with the sender's newest entry in every log."""
        self.state = State.OPEN
        body = welcome(heads)
        self._answers.put("FLASH", GREETING_CALL, lambda size, piece: Answer(GREETING_CALL, size, piece), body)

    def answer(self, id: int, body: bytes) -> None:
        """Answer a call. What is too long for a message becomes a fault (`too-large`): ask for less."""
        if len(body) > MAX_MESSAGE:
            self.fault(id, RemoteError(f"the answer would have {len(body)} bytes", code="too-large"))
            return
        rank = self._done(id)
        if rank is not None:
            self._answers.put(rank, id, lambda size, piece: Answer(id, size, piece), body)

    def fault(self, id: int, error: Exception) -> None:
        """Answer a call with an error."""
        if self._done(id) is not None:
            self._urgent.append(encode(Failed(id, Fault.of(error))))

    def _done(self, id: int) -> str | None:
        found = self._open.pop(id, None)
        if found is None or self.state is State.CLOSED:
            return None
        self._bytes -= found.call.size
        return found.call.rank

    def goaway(self, why: str) -> None:
        """No new calls; what is under way is answered."""
        if self.state is State.OPEN:
            self.state = State.DRAINING
            self._urgent.append(encode(Goaway(why)))

    def close(self, error: Exception) -> bytes:
        """The last frame, to be sent at once; nothing else leaves afterwards."""
        self.state = State.CLOSED
        self._open.clear()
        return encode(Error(Fault.of(error)))

    def next_frame(self) -> bytes | None:
        """The next frame to send: faults first, then answers as far as the node's credit goes."""
        if self.state is State.CLOSED:
            return None
        if self._urgent:
            return self._urgent.popleft()
        if self._pending is None:
            self._pending = self._answers.next()
        if self._pending is None or len(self._pending) > self._credit:
            return None
        frame, self._pending = self._pending, None
        self._credit -= len(frame)
        return frame

    @property
    def starved(self) -> bool:
        """An answer waits for the node's credit."""
        return self._pending is not None and len(self._pending) > self._credit

    @property
    def backlog(self) -> int:
        """Bytes of answers that have not left."""
        return self._answers.backlog + len(self._pending or b"")

    @property
    def idle(self) -> bool:
        """Nothing is under way in either direction."""
        return not self._open and not self._urgent and not self.backlog
