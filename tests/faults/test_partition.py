"""The relay of the directory cannot be reached by its witnesses for 2 x LAG, while a sender goes on beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cli_world import Founders
from fault_oracle import wrong
from fault_proxy import Proxy
from fault_world import LAG, world

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

WITNESSES = ("FIN", "LVA", "SWE")


async def test_nobody_admits_on_stale_trust_and_everything_resumes(hasty: Founders, tmp_path: Path) -> None:
    """EST reaches the relay all the time. Without k witnesses nothing of it is admitted once the directory is stale,
    and everything it published meanwhile is logged, in order, when they are back."""
    proxy = Proxy()
    async with world(hasty, tmp_path, "partition", {"EST": 10, "FIN": 5}, through=(proxy, WITNESSES)) as made:
        await made.some(40)
        proxy.cut()
        await asyncio.sleep(LAG)  # LAG / 2 until it is stale, and as long again for what was under way
        stale, acked = len(made.heard["EST"].receipts), len(made.heard["EST"].acked)
        await asyncio.sleep(LAG)
        assert len(made.heard["EST"].receipts) == stale, "admitted on a directory nobody had witnessed for LAG / 2"
        assert len(made.heard["EST"].acked) > acked, "and yet publish returned: what waits is durable"
        proxy.heal()
        wanted = len(made.heard["EST"].acked)
        await made.until(lambda: len(made.heard["EST"].receipts) > wanted, "resumed")
        await made.wind_up()
        found = await wrong(made)
        assert [what for what in found if "directory-stale" not in what] == []
        assert any(what.startswith("EST: directory-stale") for what in found), "and its operator was told"
    await proxy.end()
