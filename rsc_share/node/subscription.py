"""`async for` over a channel: an object, not a generator, because a generator does not let go on `break`."""

from __future__ import annotations

from typing import Any, Generic, Protocol, Self, TypeVar

from rsc_share.messages import Body
from rsc_share.node.desk import Desk
from rsc_share.node.inbox import Cursor
from rsc_share.node.message import Message

B = TypeVar("B", bound=Body)


class Counter(Desk, Protocol):
    """A desk that hands messages out."""

    windows: dict[str, set[int]]

    def cursor(self, consumer: str) -> Cursor: ...

    def message(self, position: int, consumer: str, *, again: bool) -> Message[Any] | None: ...


class Subscription(Generic[B]):
    """Messages of the wanted types from this consumer's cursor on. Others stay for other consumers.

    At most `window` messages may be given and not done; then iteration waits for `done`.
    """

    def __init__(self, channel: Counter, consumer: str, types: tuple[type[Body], ...], window: int) -> None:
        self._channel, self._consumer, self._types, self._window = channel, consumer, types, window
        self._next = 0
        self._open = 0

    async def __aenter__(self) -> Self:
        cursor = self._cursor
        cursor.enter()
        self._next = cursor.low
        self._channel.windows[self._consumer] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._cursor.leave()
        self._channel.windows.pop(self._consumer, None)

    @property
    def _cursor(self) -> Cursor:
        return self._channel.cursor(self._consumer)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message[B]:
        """The next message. Raises `Misbehaviour` when the log is proved false: nothing more can be believed."""
        inbox = self._channel.line.reading.inbox
        while True:
            outstanding = self._channel.windows.get(self._consumer, set())
            while self._next < len(inbox.events) and len(outstanding) < self._window:
                position, self._next = self._next, self._next + 1
                found = self._take(position)
                if found is not None:
                    outstanding.add(position)
                    return found
            self._channel.raise_if_stopped()
            self._channel.nudge()
            if self._next >= len(inbox.events) or len(outstanding) >= self._window:
                await inbox.change()

    def _take(self, position: int) -> Message[B] | None:
        cursor = self._cursor
        if not cursor.pending(position):
            return None
        message = self._channel.message(position, self._consumer, again=position < cursor.given)
        if message is None or (self._types and not isinstance(message.body, self._types)):
            cursor.done(position)  # not for this consumer; its own cursor alone moves
            return None
        cursor.give(position)
        return message
