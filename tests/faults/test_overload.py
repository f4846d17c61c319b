"""Strangers and one member overload the relay; what the others publish goes on being logged and delivered.

Measured in completed probes: so many messages of EST get a receipt while an attack is under way, and the attack has
done its part. No clock is asked: a busy machine is slow for both.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_world import Founders
from fault_flood import Done, large_frames, reconnects, refusals, slow_loris, unlocked
from fault_oracle import wrong
from fault_world import World, world

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

PROBES = 20
WIDE = {
    "connections = 2048": "connections = 4096\nwaiting = 2048",
    "waiting_per_address = 16": "waiting_per_address = 2048",
}
"""The relay lets every attacker in as far as it can: the bounds of the gate are tested elsewhere."""


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def goes_on(made: World, attack: Callable[[Done], Coroutine[Any, Any, None]], least: int) -> None:
    """PROBES more receipts of EST, and as many deliveries to FIN, while the attack did `least` of its steps."""
    done = Done()
    task = asyncio.create_task(attack(done))
    try:
        await made.until(lambda: done.count > 0 or task.done(), "attacked")
        sent, given = len(made.heard["EST"].receipts), len(made.heard["FIN"].done)
        began = done.count

        def enough() -> bool:
            probes = min(len(made.heard["EST"].receipts) - sent, len(made.heard["FIN"].done) - given)
            return task.done() or (probes >= PROBES and done.count - began >= least)

        await made.until(enough, f"{PROBES} probes beside {least} steps of an attack")
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("width", [200, pytest.param(1000, marks=pytest.mark.slow)])
async def test_the_relay_stays_ready_for_the_others(founders: Founders, tmp_path: Path, width: int) -> None:
    async with world(founders, tmp_path, f"overload {width}", {"EST": 20}, settings=WIDE) as made:
        await made.until(lambda: len(made.heard["EST"].receipts) > 3, "flowing")
        opened = sum(event["event"] == "session open" for event in made.log)
        port = made.port
        await goes_on(made, lambda done: slow_loris(port, done, width), width)
        await goes_on(made, lambda done: large_frames(port, done, 4), 8)
        await goes_on(made, lambda done: reconnects(port, done, width), width)
        assert sum(event["event"] == "session open" for event in made.log) == opened, "nobody was cut off"
        await made.kill("SWE")
        home = unlocked(made, "SWE")
        try:
            await goes_on(made, lambda done: refusals(home, port, done), 100)
        finally:
            home.close()
        await made.restart("SWE")
        await made.wind_up()
        assert await wrong(made) == []
