"""A node whose relay is away when it starts: offline with what it has, and connected as soon as there is somebody."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cli_world import Founders
from relay_process import DURABLE, LABEL, folder_of, home_of, serving, started, to_everybody

from rsc_share import Node, Unavailable, Unlock
from rsc_share.messages import ThreatAssessment

CHANNEL = "counter-terrorism"


async def test_a_node_starts_without_its_relay_and_sends_when_it_is_back(founders: Founders, tmp_path: Path) -> None:
    folder = folder_of(founders, tmp_path, **DURABLE)
    config, unlock = folder / "relay.toml", Unlock.file(founders.secret)
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        async with serving(folder, founders) as (process, port, _):
            config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"'))
            homes = {code: home_of(founders, tmp_path, code, port) for code in ("EST", "FIN", "LVA", "SWE")}
            for code in ("FIN", "LVA", "SWE"):
                await stack.enter_async_context(Node.open(homes[code], unlock=unlock))
            async with Node.open(homes["EST"], unlock=unlock) as node:
                await (await to_everybody(node.channel(CHANNEL), "online")).receipt()
            process.signal(signal.SIGKILL)
            await process.end()
        async with Node.open(homes["EST"], unlock=unlock) as node:
            late = await node.channel(CHANNEL).publish(ThreatAssessment(title="offline", text=[]), label=LABEL, key="k")
        async with Node.open(homes["EST"], unlock=unlock) as node:
            assert node.channel(CHANNEL).submission("k").id == late.id, "it was on disk when publish returned"
            async with started("relay", "run", config) as process:
                await process.event("serving")
                receipt = await node.channel(CHANNEL).submission("k").receipt()
                assert receipt.index > 0


async def test_a_node_that_never_read_a_directory_needs_its_relay(founders: Founders, tmp_path: Path) -> None:
    home = home_of(founders, tmp_path, "EST", 1)  # nobody listens there
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"does not answer: 127\.0\.0\.1:1: Connection refused"):
            async with Node.open(home, unlock=Unlock.file(founders.secret)):
                pass
