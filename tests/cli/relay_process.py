"""A relay in a process of its own, as an operator starts it, and what its log says."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli_world import HOST, Founders

from rsc_share import Channel, PolicyDenied, Submission
from rsc_share.messages import ThreatAssessment

LABEL = "REGIONAL RESTRICTED REL TO @members"
DURABLE = {'store = "memory:"': 'store = "store"'}
"""For `folder_of`: a store that outlives the relay."""
PROGRAM = "from rsc_share.cli.start import run; run()"
PATIENCE = 60.0
"""Seconds for an event of the log: for a machine that is busy, not for one that is broken."""


def folder_of(founders: Founders, tmp_path: Path, **more: str) -> Path:
    """A copy of the founders' relay whose settings are complete: any free port, a store in memory."""
    folder = Path(shutil.copytree(founders.root / "relay", tmp_path / "relay"))
    shutil.copy(founders.secret, folder / "passphrase")
    text = (folder / "relay.toml").read_text()
    for old, new in {
        '"0.0.0.0:8443"': '"127.0.0.1:0"',
        '"127.0.0.1:9443"': '"127.0.0.1:0"',
        'store = "store"': 'store = "memory:"',
        "ballast = 536870912": "ballast = 0",
        'charter = ""': f'charter = "{founders.digest}"',
        **more,
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "relay.toml").write_text(text)
    return folder


class Process:
    """The running relay; `events` are the lines of its log so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def event(self, name: str) -> dict[str, Any]:
        """The next line of that name."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            async for line in self.process.stdout:
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == name:
                    return self.events[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"no {name}: {self.events} {await self.process.stderr.read()!r}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, *, parse: bool = True) -> tuple[int, str]:
        """Exit code and stderr. `parse`: what is on stdout are lines of a relay's log."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        self.events += [json.loads(line) for line in out.splitlines()] if parse else []
        assert self.process.returncode is not None
        return self.process.returncode, err.decode()


@asynccontextmanager
async def started(*arguments: object) -> AsyncIterator[Process]:
    made = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(made)
    finally:
        if made.returncode is None:
            made.kill()
            await made.communicate()


@asynccontextmanager
async def serving(folder: Path, founders: Founders) -> AsyncIterator[tuple[Process, int, int]]:
    """A relay that serves, its TLS port and its health port."""
    async with started("relay", "run", folder / "relay.toml", "--found", founders.packet) as process:
        port = (await process.event("serving"))["port"]
        health = next(event["port"] for event in process.events if event["event"] == "health")
        yield process, port, health


def home_of(
    founders: Founders, tmp_path: Path, code: str, port: int, *, pin: str = "", address: str = "127.0.0.1"
) -> Path:
    """A copy of a node's home that dials this relay."""
    home = Path(shutil.copytree(founders.root / f"{code}-node", tmp_path / f"{code}-home"))
    from rsc_share.cli.main import main

    relay = f"{HOST}=wss://{address}:{port}" + (f"#{pin}" if pin else "")
    assert main(["node", "init", str(home), "--charter", str(founders.packet), "--relay", relay]) == 0
    return home


async def to_everybody(channel: Channel, title: str) -> Submission:
    """Published once every node can be sealed to: a message goes to nobody its author was not shown."""
    while True:
        try:
            return await channel.publish(
                ThreatAssessment(title=title, text=[]), label=LABEL, must_reach=["FIN", "LVA", "SWE"]
            )
        except PolicyDenied:
            await asyncio.sleep(0.05)  # real processes under a real clock: a prekey is on its way
