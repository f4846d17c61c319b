"""Strangers and one member overload the relay; what the others publish goes on being logged and delivered.

Measured in completed probes: so many messages of EST get a receipt while an attack is under way, and the attack has
done its part. No clock is asked: a busy machine is slow for both.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_world import HOST, Founders
from fault_child import PATIENCE, Child
from fault_crowd import certified, crowd
from fault_flood import Done, large_frames, reconnects, refusals, slow_loris, unlocked
from fault_oracle import wrong
from fault_world import CODES, World, ask, world

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

PROGRESS = logging.getLogger("faults")
PROBES = 20
DIAL = str(Path(__file__).with_name("fault_dial.py"))
WIDE = {
    "connections = 2048": "connections = 4096\nwaiting = 2048",
    "waiting_per_address = 16": "waiting_per_address = 2048",
    "sessions_per_member = 16": "sessions_per_member = 64",
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


AT_ONCE, ROUNDS = 1_000, 2
BOUND = 5.0
"""Seconds, on a machine that is not busy with something else, from `publish` returned to `done` at another node while
a thousand dial at once. Handshake and greeting cost the relay's one loop 4 ms of CPU each, so a message waits for some
hundreds of them. Half of `greeting_seconds`: a node that was cut off in the middle still proves in time who it is."""


async def test_a_thousand_authenticated_sessions_at_once_leave_the_relay_ready(
    crowded: Founders, tmp_path: Path
) -> None:
    """Distinct certified nodes of all members dial at once, prove who they are, ask one thing and stay until the last
    one has; then again. The relay says `ready` all the time, and what the others publish arrives within BOUND."""
    async with world(crowded, tmp_path, "crowd", {"EST": 20}, settings=WIDE) as made:
        await made.kill("SWE")
        home = unlocked(made, "SWE")
        try:
            await certified(made, crowded, home, crowd(CODES))
        finally:
            home.close()
        await made.restart("SWE")
        await made.until(lambda: len(made.heard["SWE"].done) > 3, "all there")
        calm = await goes_on_beside(made, lambda: True)
        said: list[str] = []
        command = [DIAL, str(made.port), HOST, crowded.digest, str(AT_ONCE), str(ROUNDS), *crowd(CODES)]
        began = cpu_seconds(made)
        dialling = await Child.started(command, made.hears(said.append), tmp_path / "dial.err")
        ready = asyncio.create_task(always_ready(made))
        try:
            busy = await goes_on_beside(made, lambda: not dialling.alive)
        finally:
            ready.cancel()
            asked = (await asyncio.gather(ready, return_exceptions=True))[0]
        assert await dialling.ended() == 0, (tmp_path / "dial.err").read_text()
        spent = cpu_seconds(made) - began
        assert isinstance(asked, asyncio.CancelledError), asked
        assert [line for line in said if line.startswith("refused")] == []
        answered, fenced = said.count("answered"), said.count("fenced")
        PROGRESS.info("%d answered, %d fenced; the relay took %.1f s of CPU", answered, fenced, spent)
        PROGRESS.info("slowest of the others %.2f s before, %.2f s beside them", calm, busy)
        assert answered + fenced == ROUNDS * AT_ONCE, "every one of them has proved who it is"
        assert answered >= ROUNDS * len(crowd(CODES)), "and every node's newest was served"
        assert busy < BOUND * slowness()
        await made.wind_up()
        # Every node tells its operator of certificates for its own member: these it did not expect.
        assert [what for what in await wrong(made) if "unexpected-certificate" not in what] == []


async def goes_on_beside(made: World, ended: Callable[[], bool]) -> float:
    """Seconds of the slowest of EST's next messages to FIN: PROBES of them, and all until `ended`."""
    sent, given = made.heard["EST"], made.heard["FIN"]
    first = max(sent.acked) + 1
    await made.until(ended, "at its end", patience=10 * PATIENCE)
    last = max(*sent.acked, first + PROBES)
    await made.until(lambda: ("EST/mod-1", last) in given.done, "delivered beside it", patience=10 * PATIENCE)
    done = {n: at for (word, sender, n), at in given.times.items() if word == "done" and sender == "EST/mod-1"}
    return max(done[n] - sent.times["acked", "", n] for n in range(first, last + 1))


def cpu_seconds(made: World) -> float:
    """What the relay's process has used."""
    fields = Path(f"/proc/{made.children['relay'].process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def slowness() -> float:
    """By how much this machine is slower than one that has a core for whoever asks: 1 on an idle one."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.2:
        pass
    return max(1.0, (time.monotonic() - began) / 0.2)


async def always_ready(made: World) -> None:
    """Ask, again and again. Raises where the answer is not `ready`."""
    while True:
        found = json.loads(await ask(made, "/readyz"))
        assert found["ready"], found
        await asyncio.sleep(0.1)
