"""SIGKILL: a node in its own process sends and receives, and is killed at moments nobody chose.

What it said was settled is written down here, outside of the victim.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns
from pipe_port import PipeServer

HERE = Path(__file__).parent


class Victim:
    """One node over many lives."""

    def __init__(self, bench: Bench, server: PipeServer, socket: Path) -> None:
        self.bench, self.server, self.socket = bench, server, socket
        self.acked: list[int] = []
        self.given: list[str] = []
        self.done: list[str] = []

    async def live(self, kill_after: int, extra_ms: float) -> None:
        """Start it, wait for `kill_after` lines and then `extra_ms`, and kill it."""
        self.server.new_session()
        first = self.acked[-1] + 1 if self.acked else 0
        arguments = (self.bench.path, self.socket, self.bench.fw.clock.now, first)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HERE / "kill_child.py"),
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        with contextlib.suppress(asyncio.CancelledError):
            for _ in range(kill_after):
                line = await asyncio.wait_for(child.stdout.readline(), 60)
                assert line, (await child.stderr.read()).decode()
                self._heard(line.decode())
        await asyncio.sleep(extra_ms / 1000)  # where in its work it dies is for the dice to say
        child.send_signal(signal.SIGKILL)
        for line in (await child.stdout.read()).decode().splitlines(keepends=True):
            if line.endswith("\n"):  # half a line was not said
                self._heard(line)
        await child.wait()

    def _heard(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "acked":
            self.acked.append(int(rest))
        elif word == "given":
            assert rest not in self.done, f"{rest} came again after it was done"
            self.given.append(rest)
        elif word == "done":
            self.done.append(rest)


async def killed(tmp_path: Path, rounds: int, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  for moments, not for keys
    socket = tmp_path / "relay"
    async with Bench.create(tmp_path, seed=seed) as bench:
        fw = bench.fw
        await bench.started()  # its prekey is in the directory before anybody seals to it
        await bench.close()

        def connect():  # type: ignore[no-untyped-def]
            return fw.relay_service.connect("EST/mod-1")

        async with PipeServer(connect, socket) as server:
            victim = Victim(bench, server, socket)
            said = 0
            for _ in range(rounds):
                for _ in range(10):
                    await fw.node("LVA").channel("main").publish(indicator(f"lva-{said}"), label=GREEN)
                    said += 1
                await victim.live(dice.randrange(1, 40), dice.uniform(0, 60))
            server.new_session()
            node = await bench.started()
            await check(bench, node, victim, server, said)


async def check(bench: Bench, node, victim: Victim, server: PipeServer, said: int) -> None:  # type: ignore[no-untyped-def]
    assert victim.acked == list(range(len(victim.acked)))
    sent = [int(pattern) for pattern in patterns(bench.fw.node("LVA"))]
    assert sent == list(range(len(sent))), "once, and in order"
    assert len(sent) >= len(victim.acked), "what was acknowledged is there"
    for (log, seq), headers in server.signed.items():
        assert len(headers) == 1, f"number {seq} of {log} was signed twice"
    seqs = [entry.header.seq for entry in await bench.own()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert patterns(node) == [f"lva-{n}" for n in range(said)]
    first_given = list(dict.fromkeys(victim.given))
    assert first_given == [f"lva-{n}" for n in range(len(first_given))], "none skipped, in log order"
    assert first_given
    assert not node.alarms
    assert not (await bench.fw.audit()).findings


async def test_killed_five_times_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    await killed(tmp_path, 5, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
async def test_killed_fifty_times_it_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    await killed(tmp_path, 10, seed)
