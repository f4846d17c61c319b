"""Memory and CPU of a relay with many sessions at rest: each a node of its own, proved with its token over TLS 1.3.

Members have eight nodes, as the charter's default allows. First all are let in and say nothing; then each reads,
cosigns what it is offered and waits in a `changed` call, which is what an idle node does between two heartbeats: its
session has buffers from then on that were used once.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from feeding import CheapNode
from measure import Row
from sampling import MIB, Samples, cpu_seconds, percentile, resident, sampled
from stage import Stage, staged

from rsc_share.charter.certificate import NodeCertificate, certify
from rsc_share.testing.founding import Founded, Plan
from rsc_share.testing.people import NodeKeys, Party

NODES = 8
AT_ONCE = 12
"""Connections that have not proved who they are; the relay's default bears 16 of one address."""
REST_SECONDS = 20.0
SETTLED_SECONDS = 600.0


def codes(count: int) -> tuple[str, ...]:
    return tuple(f"M{number:03}" for number in range(count))


def more_nodes(party: Party) -> list[NodeKeys]:
    """The member's nodes that the charter does not name."""
    return [NodeKeys.of(f"{party.code}/mod-{number}", "soak") for number in range(2, NODES + 1)]


def certificates(founded: Founded, now: int) -> Iterable[bytes]:
    """Of all nodes but the first of each member, countersigned by it: active at once."""
    for party in founded.parties.values():
        for keys in more_nodes(party) if party.nodes else ():
            first = next(iter(founded.charter.members[party.code].nodes.values()))
            made = NodeCertificate(
                name=keys.name,
                signing=keys.signing.public,
                witness=(keys.witness.public, keys.witness_pq.public),
                realms=frozenset({"operational", "exercise"}),
                accreditation=first.accreditation,
                role="full",
                valid=founded.charter.valid,
                issued=now,
            )
            yield certify(made, founded.framework_id, party.authority, party.nodes[0].signing)


class Crowd:
    """All sessions."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._gate = stage, asyncio.Semaphore(AT_ONCE)
        self.nodes: list[CheapNode] = []
        self._following: list[asyncio.Task[None]] = []

    async def join(self, keys: Iterable[NodeKeys]) -> None:
        await asyncio.gather(*(self._one(each) for each in keys))

    async def _one(self, keys: NodeKeys) -> None:
        async with self._gate:
            node = await CheapNode.of(self._stage, keys)
            await node.port.logs()  # it is open, and answers
        self.nodes.append(node)
        if len(self.nodes) % 100 == 0:
            print(f"  {len(self.nodes)} sessions", file=sys.stderr, flush=True)

    def work(self) -> None:
        self._following = [asyncio.create_task(node.follow()) for node in self.nodes]

    async def settled(self) -> float:
        """Seconds until every node has cosigned both logs. Raises `TimeoutError`."""
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(SETTLED_SECONDS):
            while not all(len(node.heads) > 1 for node in self.nodes):
                self.must_live()
                await asyncio.sleep(0.2)
        return asyncio.get_running_loop().time() - began

    async def asked(self, times: int) -> list[float]:
        """Milliseconds that one call of one session takes while the others rest."""
        took = []
        for number in range(times):
            began = asyncio.get_running_loop().time()
            await self.nodes[number % len(self.nodes)].port.logs()
            took.append((asyncio.get_running_loop().time() - began) * 1000)
            await asyncio.sleep(REST_SECONDS / times)
        return took

    def must_live(self) -> None:
        """Raises what ended a session."""
        for task in self._following:
            if task.done():
                task.result()

    async def close(self) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await asyncio.gather(*(node.port.aclose() for node in self.nodes), return_exceptions=True)


async def run(sessions: int, folder: Path | None) -> tuple[list[Row], Samples]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = Plan(framework="bench", members=codes(-(-sessions // NODES)))
    async with staged(plan, folder, [certificates]) as stage:
        seconds = await stage.relay.start()
        print(f"  relay started in {seconds:.1f} s", file=sys.stderr, flush=True)
        keys = [each for party in stage.founded.parties.values() if party.nodes
                for each in (*party.nodes, *more_nodes(party))][:sessions]  # fmt: skip
        async with sampled(lambda: {"relay": stage.relay.pid}) as samples:
            await asyncio.sleep(2)
            crowd = Crowd(stage)
            await crowd.join(keys[:1])
            await asyncio.sleep(2)
            before = resident(stage.relay.pid) / MIB
            began = asyncio.get_running_loop().time()
            await crowd.join(keys[1:])
            opening = asyncio.get_running_loop().time() - began
            samples.mark(f"{sessions:,} sessions")
            await asyncio.sleep(3)
            idle = statistics.median(samples.between("relay", samples.now() - 2.0))
            crowd.work()
            spent = await crowd.settled()
            samples.mark("all have cosigned")
            used = cpu_seconds(stage.relay.pid)
            took = await crowd.asked(100)
            used = (cpu_seconds(stage.relay.pid) - used) / REST_SECONDS
            held = statistics.median(samples.between("relay", samples.now() - 5.0))
            crowd.must_live()
            await crowd.close()
    each = [f"{(found - before) * 1024 / (sessions - 1):.0f} KiB a session" for found in (idle, held)]
    return [
        Row("relay with one session", round(before, 1), "MiB"),
        Row(f"more with {sessions:,}, idle", round(idle - before, 1), "MiB", each[0], "100 for 1,000"),
        Row("  when all have cosigned", round(held - before, 1), "MiB", each[1]),
        Row("opened", round(sessions / opening), "sessions/s", "TLS, token, proof; both sides on this machine"),
        Row("relay at rest", round(100 * used, 1), "% CPU", f"after {spent:.0f} s in which all cosigned"),
        Row("a call of one of them, p50", round(percentile(took, 0.5), 2), "ms"),
        Row("  p99", round(percentile(took, 0.99), 2), "ms"),
    ], samples
