"""The relay of the directory cannot be reached by its witnesses for 2 x LAG, while a sender goes on beside it.

Once with network namespaces, where the kernel drops what goes over the cable, and once with a proxy that falls silent,
which needs no rights.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cli_world import Founders
from fault_netns import Namespace, impossible
from fault_oracle import wrong
from fault_proxy import Proxy
from fault_world import LAG, world

pytestmark = pytest.mark.slow
"""Many processes and real time: with `make faults`; kills and power cuts are in the suite."""

WITNESSES = ("FIN", "LVA", "SWE")


async def parted(hasty: Founders, tmp_path: Path, line: Proxy | Namespace, seed: str) -> None:
    """EST reaches the relay all the time. Without k witnesses nothing of it is admitted once the directory is stale,
    and everything it published meanwhile is logged, in order, when they are back."""
    async with world(hasty, tmp_path, seed, {"EST": 10, "FIN": 5}, through=(line, WITNESSES)) as made:
        await made.some(40)
        line.cut()
        await asyncio.sleep(LAG)  # LAG / 2 until it is stale, and as long again for what was under way
        stale, acked = len(made.heard["EST"].receipts), len(made.heard["EST"].acked)
        delivered, theirs = len(made.heard["FIN"].done), len(made.heard["FIN"].receipts)
        await asyncio.sleep(LAG)
        assert len(made.heard["EST"].receipts) == stale, "admitted on a directory nobody had witnessed for LAG / 2"
        assert len(made.heard["EST"].acked) > acked, "and yet publish returned: what waits is durable"
        assert (len(made.heard["FIN"].done), len(made.heard["FIN"].receipts)) == (delivered, theirs), "nothing crossed"
        line.heal()
        wanted = len(made.heard["EST"].acked)
        await made.until(lambda: len(made.heard["EST"].receipts) > wanted, "resumed")
        await made.until(lambda: len(made.heard["FIN"].done) > delivered, "delivered again")
        assert [made.heard[code].lives for code in made.heard] == [1, 1, 1, 1], "by itself: nobody was started again"
        await made.wind_up()
        found = await wrong(made)
        assert [what for what in found if "directory-stale" not in what] == []
        assert any(what.startswith("EST: directory-stale") for what in found), "and its operator was told"
    await line.end()


async def test_in_a_network_namespace_nobody_admits_on_stale_trust_and_everything_resumes(
    hasty: Founders, tmp_path: Path
) -> None:
    why_not = impossible()
    if why_not is not None:
        pytest.skip(f"{why_not}; the test with a proxy says the same")
    with Namespace() as line:
        await parted(hasty, tmp_path, line, "partition in the kernel")


async def test_behind_a_silent_proxy_nobody_admits_on_stale_trust_and_everything_resumes(
    hasty: Founders, tmp_path: Path
) -> None:
    await parted(hasty, tmp_path, Proxy(), "partition")
