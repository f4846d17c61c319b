"""SIGKILL of the relay, of a sender and of a receiver, while all the others go on."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from cli_world import Founders
from fault_oracle import wrong
from fault_world import World, world

VICTIMS = ("relay", "EST", "FIN")
"""EST sends, FIN receives."""


async def killed(
    founders: Founders,
    tmp_path: Path,
    victims: list[str],
    seed: object,
    rates: dict[str, int],
    gap: tuple[int, int] = (5, 40),
) -> World:
    """Kill one after the other, with so many acknowledgements in between, and look at everything afterwards."""
    async with world(founders, tmp_path, seed, rates) as made:
        began = asyncio.get_running_loop().time()
        for victim in victims:
            await made.some(made.dice.randrange(*gap))
            await made.kill(victim)
            await made.restart(victim)
        await made.some(10)
        made.seconds = asyncio.get_running_loop().time() - began
        await made.wind_up()
        assert await wrong(made) == []
        return made


async def test_killed_five_times_each_nothing_is_lost_doubled_or_reordered(founders: Founders, tmp_path: Path) -> None:
    made = await killed(founders, tmp_path, list(VICTIMS) * 5, "five", {"EST": 40, "LVA": 10})
    assert [made.heard[code].lives for code in ("EST", "FIN", "SWE")] == [6, 6, 1]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
async def test_killed_fifty_times_each_at_two_hundred_a_second(founders: Founders, tmp_path: Path, part: int) -> None:
    """Five times each in one world, ten worlds; 240 a second are offered by whoever is alive."""
    victims = list(VICTIMS) * 5
    random.Random(part).shuffle(victims)  # noqa: S311 - for an order that can be had again
    made = await killed(founders, tmp_path, victims, f"fifty {part}", {"EST": 180, "LVA": 60}, gap=(100, 900))
    print(f"{made.published} messages in {made.seconds:.0f} s around {len(victims)} kills")  # noqa: T201
