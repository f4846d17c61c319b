"""Somebody at each node: reads through its socket, sends through its socket, and begins again where it was killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsc_share.demo.network.processes import Child
from rsc_share.errors import LocalError
from rsc_share.messages import Body
from rsc_share.node.asking import ask


class Change:
    """Told of everything that happens; `until` waits for what it makes true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def tell(self) -> None:
        for event in self._waiting:
            event.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            while not holds():
                event.clear()
                await event.wait()
        finally:
            self._waiting.discard(event)


@dataclass(frozen=True, slots=True)
class Order:
    """One message to be sent. A rerun under the same `key` is the same message."""

    key: str
    channel: str
    body: Body
    label: str
    precedence: str = "ROUTINE"

    def fields(self) -> dict[str, Any]:
        return {
            "attach": [],
            "body": self.body.model_dump_json(),
            "channel": self.channel,
            "key": self.key,
            "label": self.label,
            "precedence": self.precedence,
            "type": self.body.TYPE,
            "wait": False,
        }


@dataclass(slots=True)
class Seat:
    """One member's node as those who sit at it know it.

    `acknowledged`: key -> message id, in the order in which the node said that a message is on its disk. `read`:
    channel -> messages in the order in which they came, each once; `again` counts those that came once more.
    """

    member: str
    home: Path
    change: Change
    child: Child | None = None
    state: str = "not started"
    outbox: int = 0
    running: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    read: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    again: int = 0
    contradictions: int = 0

    @property
    def received(self) -> int:
        return sum(map(len, self.read.values()))

    async def listen(self, channel: str) -> None:
        """For ever: subscribe, take, done. The same consumer name goes on where the last connection was cut."""
        mine = self.read.setdefault(channel, {})
        while True:
            await self.running.wait()
            try:
                async for _, message in ask(
                    self.home, "listen", {"channel": channel, "consumer": "desk", "save": None}
                ):
                    self.again += message["id"] in mine
                    mine.setdefault(message["id"], message)
                    self.change.tell()
            except LocalError as error:
                self._cut(error)
                await asyncio.sleep(0)  # a socket that refuses does so without a turn of the loop

    async def send(self, orders: Sequence[Order], gates: Mapping[int, asyncio.Event] | None = None) -> None:
        """One after another: the next when the node has acknowledged the one before.

        `gates`: before the order of that number somebody has to let us on.
        """
        for number, order in enumerate(orders):
            if gates is not None and number in gates:
                await gates[number].wait()
            while order.key not in self.acknowledged:
                await self.running.wait()
                try:
                    async for kind, fields in ask(self.home, "publish", order.fields()):
                        if kind == "queued":
                            self._acknowledged(order, fields["id"])
                except LocalError as error:
                    self._cut(error)
                    await asyncio.sleep(0)

    def _acknowledged(self, order: Order, message: str) -> None:
        before = self.acknowledged.setdefault(order.key, (order.channel, message))
        self.contradictions += before[1] != message
        self.change.tell()

    def _cut(self, error: LocalError) -> None:
        """The node was killed: wait until it runs again. Anything else is a failure of this run."""
        if error.code != "not-running":
            raise error
        if self.child is not None and not self.child.asked:
            self.running.clear()  # it ended by itself; whoever watches its process ends the run

    async def look(self) -> dict[str, Any] | None:
        """What the node says about itself; None while it does not run."""
        try:
            answers = [fields async for _, fields in ask(self.home, "status", {})]
        except LocalError as error:
            self._cut(error)
            return None
        return answers[0] if answers else None

    async def checkpoints(self) -> dict[str, bytes]:
        """The newest witnessed checkpoint of each log, from this node itself."""
        return {fields["log"]: fields["note"] async for _, fields in ask(self.home, "checkpoints", {})}
