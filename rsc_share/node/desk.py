"""What the things an embedder holds need of the channel and node behind them, so that nothing is a circle."""

from __future__ import annotations

from typing import Protocol

from rsc_share.envelope.parts import Ref
from rsc_share.labels.label import Label
from rsc_share.messages import Registry
from rsc_share.node.engine import Engine
from rsc_share.node.line import Line


class Host(Protocol):
    """The node, as its channels see it."""

    engine: Engine
    registry: Registry

    @property
    def name(self) -> str: ...

    @property
    def member(self) -> str: ...

    def now(self) -> int: ...

    def nudge(self) -> None: ...

    def raise_if_closed(self) -> None: ...


class Desk(Protocol):
    """The channel, as its submissions, subscriptions and messages see it."""

    line: Line
    name: str

    @property
    def node_name(self) -> str: ...

    @property
    def degraded(self) -> bool: ...

    def nudge(self) -> None: ...

    def raise_if_stopped(self) -> None: ...

    async def durable(self) -> None: ...

    def done(self, consumer: str, position: int) -> None: ...

    def state(self, place: Ref, sender: str, statement: str, basis: str | None, officer: str | None) -> None: ...

    def label_of(self, place: Ref) -> Label: ...
