"""A gate between a node and its relay: the test says when the node hears the answer to a run, or what it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from node_world import GREEN, indicator, patterns

from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.errors import RscError
from rsc_share.node.node import Node
from rsc_share.session.frames import Outcome, Submission
from rsc_share.session.port import RelayPort
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import RelayControl, Wire

SPINS = 2_000


class Gate(Wire):
    """Hands every run to the relay at once, and its answer to the node when the test says so."""

    def __init__(self, port: RelayPort) -> None:
        super().__init__(port, "EST", RelayControl())
        self.runs: list[list[Header]] = []
        self.answers: list[asyncio.Future[None]] = []
        self.outcomes: list[list[Outcome]] = []
        self.open = False
        self.lie: Callable[[int, Sequence[Submission]], list[Outcome] | RscError | None] = lambda n, entries: None
        """Instead of handing run `n` to the relay."""

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        number = len(self.runs)
        self.runs.append([Header.parse(entry.header) for entry in entries])
        self.answers.append(asyncio.get_running_loop().create_future())
        instead = self.lie(number, entries)
        outcomes = await super().submit(log, entries) if instead is None else instead
        if not self.open:
            await self.answers[number]
        if isinstance(outcomes, RscError):
            raise outcomes
        self.outcomes.append(list(outcomes))
        return outcomes

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.answers[number].set_result(None)

    def signed(self) -> dict[int, set[bytes]]:
        """Headers by number, of everything that left."""
        found: dict[int, set[bytes]] = {}
        for header in (header for run in self.runs for header in run):
            found.setdefault(header.seq, set()).add(header_hash(header.pack()))
        return found


G = TypeVar("G", bound=Gate)


async def until(there: Callable[[], bool]) -> None:
    for _ in range(SPINS):
        if there():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def idle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def publish(node: Node, *texts: str, precedence: str = "ROUTINE"):
    channel = node.channel("main")
    return [await channel.publish(indicator(text), label=GREEN, precedence=precedence) for text in texts]


def gate_before(node: Node, make: Callable[[RelayPort], G]) -> G:
    wire = node.engine.ports[HOST]
    wire.port = gate = make(wire.port)
    return gate


@asynccontextmanager
async def gated(make: Callable[[RelayPort], G] = Gate, seed: int = 0) -> AsyncIterator[tuple[Framework, Node, G]]:
    """A node with a grant, so that every run is one message, and a gate before its relay."""
    async with Framework.create("EST", "LVA", "FIN", seed=seed) as fw:
        node = fw.node("EST")
        await publish(node, "warm")
        await fw.settle()
        yield fw, node, gate_before(node, make)


async def one_by_one(node: Node, gate: Gate, *texts: str):
    """Published, and each handed in in a run of its own."""
    sent = []
    for text in texts:
        before = len(gate.runs)
        sent += await publish(node, text)
        await until(lambda before=before: len(gate.runs) == before + 1)
    return sent


async def seen_in_log(node: Node, seq: int) -> None:
    """Turn until this number of the node's own is the newest it has read."""
    line = node.channel("main").line
    for _ in range(SPINS):
        if line.sending.numbers.head.seq == seq:
            return
        await asyncio.sleep(0)
        await node.drain(wait=False)
    raise AssertionError("it was never shown")


def logged(fw: Framework) -> list[Header]:
    """What EST has in the channel."""
    (log,) = (log for log in fw.relay_service.logs if log.endswith("/main"))
    headers = [UnverifiedEntry.parse(stored.entry).header for stored in fw.store._log(log).entries]
    return [header for header in headers if header.sender == "EST/mod-1"]


def texts(fw: Framework, member: str = "LVA") -> list[str]:
    return patterns(fw.node(member))
