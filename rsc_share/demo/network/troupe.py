"""The relay, the four nodes and those who sit at them, while they run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from rsc_share.demo.network import parts
from rsc_share.demo.network.desks import Change, Seat
from rsc_share.demo.network.ground import Ground
from rsc_share.demo.network.processes import Child, Processes
from rsc_share.demo.stage import PLAN, STATES
from rsc_share.errors import Unavailable

LOOK_SECONDS = 0.25
"""How often nodes and relay are asked how they are."""
PORT_TRIES = 20
_GAUGE = re.compile(r'^(rsc_log_size|rsc_witnessed_size)\{log="([^"]+)"\} ([0-9.e+]+)$', re.MULTILINE)


class Troupe:
    """Made by `troupe`. `events` is what happened, in sentences."""

    def __init__(self, ground: Ground, processes: Processes) -> None:
        self.ground, self.processes, self.change = ground, processes, Change()
        self.seats = {member: Seat(member, ground.home(member), self.change) for member in STATES}
        self.relay: Child | None = None
        self.relay_state = "not started"
        self.sizes: dict[str, int] = {}
        self.witnessed: dict[str, int] = {}
        self.events: list[str] = []
        self.listener: Callable[[str], None] | None = None
        self.port = 0
        self._health = 0
        self._tasks: list[asyncio.Task[None]] = []

    # --- processes

    async def start_relay(self) -> None:
        """Returns when it serves. Another process may have its port for a moment: then it is tried again."""
        for _ in range(PORT_TRIES):
            child = await self.processes.start("the relay", "relay", "run", str(self.ground.config))
            child.asked = self.port != 0
            try:
                served = await child.event("serving")
            except Unavailable:
                if child.process.returncode != 75 or not self.port:
                    raise
                continue
            child.asked = False
            health = await child.event("health")
            self.relay, self.port, self._health = child, served["port"], health["port"]
            self.ground.relay_at(self.port)
            self.relay_state = "recovering"
            return
        raise Unavailable(f"port {self.port} stays in use", code="child")

    async def start_node(self, member: str) -> None:
        """Returns when its socket is open."""
        seat = self.seats[member]
        seat.state = "starting"
        seat.child = await self.processes.start(
            f"{member}'s node", "node", "run", str(seat.home), "--unlock-file", str(self.ground.unlock)
        )
        await seat.child.event("running")
        seat.state = "running"
        seat.running.set()
        self.change.tell()

    async def kill_relay(self) -> None:
        self.relay_state = "killed"
        await self._kill(self.relay)
        self.change.tell()

    async def kill_node(self, member: str) -> None:
        seat = self.seats[member]
        seat.running.clear()
        seat.state = "killed"
        await self._kill(seat.child)
        self.change.tell()

    async def _kill(self, child: Child | None) -> None:
        if child is not None:
            child.kill()
            await self.processes.code(child)

    async def stop_all(self) -> list[int]:
        """SIGTERM to every node and then to the relay; their exit codes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        children = [seat.child for seat in self.seats.values() if seat.child is not None]
        codes = await asyncio.gather(*(self.processes.stop(child) for child in children))
        return [*codes, *([] if self.relay is None else [await self.processes.stop(self.relay)])]

    # --- people

    def seated(self) -> None:
        """Somebody at every node reads every channel; somebody asks all processes how they are."""
        for seat in self.seats.values():
            for channel in PLAN.channels:
                self._begin(seat.listen(channel.name))
        self._begin(self._look())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._over)
        self._tasks.append(task)

    def _over(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.processes.broken.done():
            self.processes.broken.set_exception(error)

    async def _look(self) -> None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as client:
            while True:
                await self._look_at_relay(client)
                for seat in self.seats.values():
                    if (found := await seat.look()) is not None:
                        seat.outbox = sum(log["outbox"] for log in found["logs"].values())
                        seat.state = "connected" if self._ready(found["logs"]) else "waiting"
                self.change.tell()
                await asyncio.sleep(LOOK_SECONDS)

    def _ready(self, logs: Mapping[str, Any]) -> bool:
        """It may send, and everybody can be sealed to: a message goes to nobody who has no prekey yet."""
        everybody = len(self.seats)
        return bool(logs) and all(log["sends"] and len(log["readers"]) >= everybody for log in logs.values())

    async def _look_at_relay(self, client: aiohttp.ClientSession) -> None:
        child, at = self.relay, f"http://127.0.0.1:{self._health}"
        try:
            async with client.get(f"{at}/metrics") as answer:
                gauges = _GAUGE.findall(await answer.text())
            async with client.get(f"{at}/readyz") as answer:
                logs: dict[str, str] = (await answer.json())["logs"]
        except (aiohttp.ClientError, TimeoutError):
            return
        if child is not self.relay or self.relay_state == "killed":
            return  # it was killed while it answered
        self.sizes = {log: int(float(value)) for name, log, value in gauges if name == "rsc_log_size"}
        self.witnessed = {log: int(float(value)) for name, log, value in gauges if name == "rsc_witnessed_size"}
        worst = sorted(state for state in logs.values() if state != "ready")
        self.relay_state = worst[0] if worst else "ready"

    @property
    def at_rest(self) -> bool:
        """Every log takes entries, and everything in it is witnessed."""
        return self.relay_state == "ready" and bool(self.sizes) and self.sizes == self.witnessed

    # --- what is shown

    def told(self, sentence: str) -> None:
        self.events.append(sentence)
        if self.listener is not None:
            self.listener(sentence)
        self.change.tell()

    def post(self) -> parts.Post:
        """The directory's entries are left out: nobody sent them."""
        channels = [log for log in self.sizes if not log.endswith("/directory")]
        size = sum(self.sizes[log] for log in channels)
        witnessed = sum(self.witnessed.get(log, 0) for log in channels)
        return parts.Post(self.relay.pid if self.relay else 0, size, witnessed, self.relay_state)

    def nodes(self) -> tuple[parts.Seat, ...]:
        return tuple(
            parts.Seat(
                seat.member,
                seat.child.pid if seat.child else 0,
                len(seat.acknowledged),
                max(0, len(seat.acknowledged) - seat.outbox),
                seat.received,
                seat.state,
            )
            for seat in self.seats.values()
        )

    def summary(self) -> str:
        """How everything stands, in a line: for whoever has to find out why it does not go on."""
        nodes = ", ".join(f"{n.member} {n.state} {n.sent}/{n.logged}/{n.received}" for n in self.nodes())
        return f"{nodes}; relay {self.relay_state}, sizes {self.sizes}, witnessed {self.witnessed}"

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def troupe(ground: Ground, processes: Processes) -> AsyncIterator[Troupe]:
    found = Troupe(ground, processes)
    try:
        yield found
    finally:
        await found.close()
