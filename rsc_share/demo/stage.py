"""The running framework, with somebody in every state who reads, and a book of everything that was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rsc_share.errors import LocalError, Misbehaviour, RscError
from rsc_share.messages import Body, Portion
from rsc_share.node.channel import Channel
from rsc_share.node.draft import Draft
from rsc_share.node.node import Node
from rsc_share.node.receipt import Receipt
from rsc_share.node.submission import Submission
from rsc_share.testing.founding import ChannelPlan, Plan
from rsc_share.testing.framework import Framework

STATES = ("EST", "LVA", "LTU", "FIN")
TERROR, CYBER, DISASTER = "counter-terrorism", "cyber", "disaster"
PLAN = Plan(
    framework="northern-ports",
    members=STATES,
    channels=(
        ChannelPlan(TERROR, ("threat", "terrorism")),
        ChannelPlan(CYBER, ("cyber",)),
        ChannelPlan(DISASTER, ("disaster",)),
    ),
    cleared={"LTU": {"REGIONAL": "CONFIDENTIAL"}},
    nodes={"FIN": ("mod-1", "sea-1")},
)
SECOND = "FIN/sea-1"
"""A second node of one state: the one that the relay will lie to."""
ROUNDS = 200
HEARTBEAT = 16 * 60
"""Seconds after which every node has signed for what it holds."""


@dataclass(slots=True)
class Desk:
    """Somebody who reads one channel at one node. `read`: message reference -> the portions that were opened."""

    channel: Channel
    read: dict[str, frozenset[int]] = field(default_factory=dict)
    bodies: dict[str, Body] = field(default_factory=dict)
    stopped: Misbehaviour | None = None

    @property
    def caught_up(self) -> bool:
        return self.stopped is not None or self.channel.cursor("desk").low >= len(
            self.channel.line.reading.inbox.events
        )

    async def work(self) -> None:
        """What an embedder writes: subscribe, take, done."""
        try:
            async with self.channel.subscribe(consumer="desk") as inbox:
                async for message in inbox:
                    self.read[message.reference] = portions_in(message.body)
                    self.bodies[message.reference] = message.body
                    await message.done()
        except Misbehaviour as error:
            self.stopped = error


@dataclass(slots=True)
class Sent:
    """One message as its sender holds it. `states`: member -> the newest state that member has signed for."""

    member: str
    channel: str
    draft: Draft
    submission: Submission
    receipt: Receipt
    states: dict[str, str] = field(default_factory=dict)

    async def watch(self) -> None:
        with contextlib.suppress(RscError):  # the log was stopped: nothing more will be signed for
            async with self.submission.deliveries() as steps:
                async for step in steps:
                    self.states[step.member] = step.state


class Stage:
    """`fw` is the framework; `settle` returns when nothing is in flight and every desk has read what it may."""

    def __init__(self, fw: Framework) -> None:
        self.fw = fw
        self.desks = {(m, c.name): Desk(fw.node(m).channel(c.name)) for m in (*STATES, SECOND) for c in PLAN.channels}
        self.sent: list[Sent] = []
        self._tasks = [asyncio.create_task(desk.work()) for desk in self.desks.values()]

    def node(self, member: str) -> Node:
        return self.fw.node(member)

    def desk(self, member: str, channel: str) -> Desk:
        """The desk of a member's first node, or of a node by its name."""
        return self.desks[member, channel]

    def log(self, channel: str) -> str:
        """The origin of a channel's log."""
        return self.node(STATES[0]).channel(channel).line.log

    async def publish(self, member: str, channel: str, *drafts: Draft) -> list[Sent]:
        """Publish, wait for the receipts and for everybody who reads."""
        submissions = await self.node(member).channel(channel).publish_all(drafts)
        receipts = [await submission.receipt() for submission in submissions]
        made = [Sent(member, channel, *item) for item in zip(drafts, submissions, receipts, strict=True)]
        self.sent += made
        self._tasks += [asyncio.create_task(one.watch()) for one in made]
        await self.settle()
        return made

    async def settle(self) -> None:
        """Raises `LocalError` if the framework does not come to rest."""
        await self.fw.settle()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
            if all(desk.caught_up for desk in self.desks.values()):
                await asyncio.sleep(0)
                return
        raise LocalError("somebody has stopped reading")

    async def pass_time(self, seconds: int) -> None:
        """Move the clock of the framework, and let everybody do what has fallen due."""
        self.fw.clock.advance(seconds=seconds)
        await self.settle()
        await self.settle()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """A framework of its own for every run; nothing of it outlives the block."""
    async with Framework.of(PLAN) as fw:
        stage = Stage(fw)
        try:
            yield stage
        finally:
            await stage.close()


def portions_in(body: Body) -> frozenset[int]:
    """The portions of a received body that its reader could open; 0 is the message itself."""
    text: Sequence[object] = getattr(body, "text", ())
    return frozenset({0, *(i for i, item in enumerate(text, 1) if isinstance(item, Portion))})


def others(member: str) -> tuple[str, ...]:
    return tuple(code for code in STATES if code != member)
