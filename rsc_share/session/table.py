"""The frames of a session, and which may come when. One WebSocket message is one frame; nothing here does I/O.

relay -> node   ["hello", version, nonce, host, time, {"bytes", "calls"}]   who it is, what it takes
node -> relay   ["token", jwt, window, {log: size}]                         call 0: who I am, what I cosigned
node -> relay   ["call", id, name, rank, size, piece]                       a question of `size` bytes, begins
relay -> node   ["answer", id, size, piece]                                 its answer of `size` bytes, begins
both            ["more", id, piece]                                         goes on
relay -> node   ["fault", id, fault]                                        the other answer
node -> relay   ["cancel", id]                                              the answer is not needed any more
node -> relay   ["credit", bytes]                                           so much of your answers is taken
relay -> node   ["goaway", why]                                             finish, and dial again
relay -> node   ["error", fault]                                            the last frame
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from rsc_share import codec, shape
from rsc_share.errors import RemoteError
from rsc_share.session.kinds import (
    GREETING_CALL,
    MAX_FRAME,
    MAX_GREETING,
    MAX_HEADS,
    MAX_ID,
    MAX_MESSAGE,
    MAX_WINDOW,
    MIN_WINDOW,
    PIECE,
    READERS,
    VERSION,
    Answer,
    Call,
    Cancel,
    Credit,
    Error,
    Failed,
    Frame,
    Goaway,
    Greeting,
    Hello,
    More,
    read_call,
    sizes,
)


class State(StrEnum):
    """Where one side of a session stands."""

    GREETING = "greeting"
    """Before the hello (node) or the token (relay)."""
    PROVING = "proving"
    """The token is out; nothing may be sent to a relay until it has answered call 0."""
    OPEN = "open"
    DRAINING = "draining"
    """The relay said `goaway`: what is under way is finished, new calls are turned away."""
    CLOSED = "closed"


_CALLING = ("call", "more", "cancel", "credit")
_ANSWERING = ("answer", "more", "fault", "goaway", "error")
RELAY_TAKES: Mapping[State, tuple[str, ...]] = {
    State.GREETING: ("token",),
    State.PROVING: (),
    State.OPEN: _CALLING,
    State.DRAINING: _CALLING,
    State.CLOSED: (),
}
NODE_TAKES: Mapping[State, tuple[str, ...]] = {
    State.GREETING: ("hello", "error"),
    State.PROVING: ("answer", "more", "error"),
    State.OPEN: _ANSWERING,
    State.DRAINING: _ANSWERING,
    State.CLOSED: (),
}
"""In each state: the frames that may come. Everything else ends the session (`unexpected`)."""


def read_frame(data: bytes, allowed: tuple[str, ...], calls: tuple[str, ...], *, limit: int = MAX_FRAME) -> Frame:
    """The frame in one message. Raises `RemoteError`: `malformed`, or `unexpected` for one that may not come now."""
    value = codec.unpack(data, max_size=limit, max_items=512, max_depth=4)
    kind = value[0] if type(value) is list and value else None
    if type(kind) is not str or (kind not in READERS and kind != "call"):
        raise shape.wrong("frame", "is of no known kind")
    if kind not in allowed:
        raise RemoteError(f"a {kind} frame may not come now", code="unexpected")
    return read_call(value, calls) if kind == "call" else READERS[kind](value)


def encode(frame: Frame) -> bytes:
    return codec.pack(frame.wire())


__all__ = [
    "GREETING_CALL",
    "MAX_FRAME",
    "MAX_GREETING",
    "MAX_HEADS",
    "MAX_ID",
    "MAX_MESSAGE",
    "MAX_WINDOW",
    "MIN_WINDOW",
    "NODE_TAKES",
    "PIECE",
    "RELAY_TAKES",
    "VERSION",
    "Answer",
    "Call",
    "Cancel",
    "Credit",
    "Error",
    "Failed",
    "Frame",
    "Goaway",
    "Greeting",
    "Hello",
    "More",
    "State",
    "encode",
    "read_frame",
    "sizes",
]
