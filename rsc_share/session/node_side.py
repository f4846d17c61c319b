"""A session as the node keeps it: calls wait for the relay's limits, answers are counted against the window. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import LocalError, RemoteError
from rsc_share.session.calls import Own, read_welcome
from rsc_share.session.table import (
    GREETING_CALL,
    MAX_GREETING,
    MAX_HEADS,
    NODE_TAKES,
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
from rsc_share.session.transfer import Begin, Incoming, Outbound

WINDOW = 1 << 20
"""Bytes of answers taken ahead."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The relay took the token: this sender's newest entry in every log, as the relay has it."""

    heads: Mapping[str, Own]


@dataclass(frozen=True, slots=True)
class Answered:
    id: int
    body: bytes = field(repr=False)


Event = Hello | Opened | Answered | Failed | Goaway | Error


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: int
    name: str
    rank: str
    body: bytes = field(repr=False)


class NodeSide:
    """One session. `receive` raises `RemoteError` for whatever a relay must not send; the driver then closes."""

    def __init__(self, window: int = WINDOW) -> None:
        self.state = State.GREETING
        self._window, self._ahead = window, 0
        self._hello: Hello | None = None
        self._waiting: list[_Waiting] = []
        self._sizes: dict[int, int] = {}
        """Calls the relay knows of, and their bytes: until it has answered each."""
        self._incoming: dict[int, Incoming] = {}
        self._next_id = GREETING_CALL
        self._urgent: deque[bytes] = deque()
        self._calls = Outbound()

    # --- in

    def receive(self, data: bytes) -> Event | None:
        frame = read_frame(data, NODE_TAKES[self.state], ())
        if isinstance(frame, Hello):
            self.state, self._hello = State.PROVING, frame
            return frame
        if isinstance(frame, Answer | More):
            self._count(len(data))
            return self._answer(frame)
        if isinstance(frame, Failed):
            self._incoming.pop(frame.id, None)
            self._over(frame.id)
            return frame
        if isinstance(frame, Goaway):
            self.state = State.DRAINING
            return frame
        if isinstance(frame, Error):
            self.state = State.CLOSED
            return frame
        raise RemoteError("a frame that only nodes send", code="unexpected")

    def _count(self, size: int) -> None:
        """A relay must not send more than the window and the credit that has left here."""
        self._ahead += size
        if self._ahead > self._window:
            raise RemoteError("the relay sent more than the window allows", code="credit")

    def _answer(self, frame: Answer | More) -> Event | None:
        if isinstance(frame, Answer):
            if frame.id not in self._sizes or frame.id in self._incoming:
                raise RemoteError(f"an answer to call {frame.id}, which is not open", code="malformed")
            self._incoming[frame.id] = Incoming(frame.size)
        incoming = self._incoming.get(frame.id)
        if incoming is None:
            raise RemoteError(f"more of an answer to call {frame.id}, which has not begun", code="malformed")
        body = incoming.add(frame.piece)
        if body is None:
            return None
        del self._incoming[frame.id]
        self._over(frame.id)
        if frame.id == GREETING_CALL:
            self.state = State.OPEN
            return Opened(read_welcome(body))
        return Answered(frame.id, body)

    def _over(self, id: int) -> None:
        if self._sizes.pop(id, None) is None:
            raise RemoteError(f"a fault of call {id}, which is not open", code="malformed")

    # --- out

    def greet(self, token: str, heads: Mapping[str, int]) -> None:
        """Answer the hello. Heads that do not fit are left out: `offers` names them again."""
        kept = dict(sorted(heads.items())[:MAX_HEADS])
        frame = encode(Greeting(token, self._window, kept))
        while len(frame) > MAX_GREETING:
            kept = dict(list(kept.items())[: len(kept) // 2])
            frame = encode(Greeting(token, self._window, kept))
        self._sizes[GREETING_CALL] = 0
        self._urgent.append(frame)

    def call(self, name: str, body: bytes, rank: str) -> int:
        """Queue a call; its id. Raises `LocalError` for one longer than the relay takes."""
        if self._hello is None or len(body) > self._hello.bytes:
            raise LocalError(f"a call of {len(body)} bytes is more than the relay takes", code="too-large")
        self._next_id += 1
        self._waiting.append(_Waiting(self._next_id, name, rank, body))
        self._waiting.sort(key=lambda item: (PRECEDENCES.index(item.rank), item.id))
        return self._next_id

    def cancel(self, id: int) -> None:
        """The answer is not needed. The relay still ends the call, with whatever it has."""
        before = len(self._waiting)
        self._waiting = [item for item in self._waiting if item.id != id]
        if len(self._waiting) < before or id not in self._sizes:
            return
        if self._calls.drop(id) == 0:
            del self._sizes[id]  # nothing of it has left
        else:
            self._urgent.append(encode(Cancel(id)))

    def next_frame(self) -> bytes | None:
        """The next frame to send, if there is one and the relay's limits allow it."""
        if self.state is State.CLOSED:
            return None
        if self._urgent:
            return self._urgent.popleft()
        if self._ahead >= self._window // 4:
            # What was read is held by whoever asked: it is given back, by quarters of the window.
            ahead, self._ahead = self._ahead, 0
            return encode(Credit(ahead))
        self._admit()
        return self._calls.next()

    def _admit(self) -> None:
        while self._waiting and self._hello is not None and self.state in (State.OPEN, State.DRAINING):
            item = self._waiting[0]
            full = sum(self._sizes.values()) + len(item.body) > self._hello.bytes
            if len(self._sizes) >= self._hello.calls or full:
                return
            del self._waiting[0]
            self._sizes[item.id] = len(item.body)
            self._calls.put(item.rank, item.id, _begin(item), item.body)


def _begin(item: _Waiting) -> Begin:
    return lambda size, piece: Call(item.id, item.name, item.rank, size, piece)
