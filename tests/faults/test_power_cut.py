"""The power of the relay and of a node goes at once; three other nodes, elsewhere, remember what they were shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import Founders
from fault_disk import Power, lost
from fault_oracle import wrong
from fault_world import World, world
from no_sync import ASKED

RELAY = [str(Path(__file__).with_name("fault_relay.py"))]
RATES = {"EST": 40, "LVA": 10}
VICTIMS = ("relay", "EST")
PROGRESS = logging.getLogger("faults")


@pytest.fixture
def power(tmp_path: Path) -> Iterator[Power]:
    made = Power(tmp_path)
    yield made
    made.off()


async def cut(made: World, power: Power) -> list[str]:
    await made.some(made.dice.randrange(5, 60))
    await power.cut(made, *VICTIMS)
    return await lost(made, "EST")


@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.slow)])
async def test_after_a_power_cut_nothing_acknowledged_is_lost(
    founders: Founders, tmp_path: Path, power: Power, count: int
) -> None:
    at = dict.fromkeys(VICTIMS, power.at)
    async with world(founders, tmp_path, f"power {count}", RATES, program=RELAY, at=at) as made:
        power.installed()
        for number in range(count):
            assert await cut(made, power) == []
            PROGRESS.info("power cut %d of %d: nothing lost", number + 1, count)
            for victim in VICTIMS:
                await made.restart(victim)
        await made.some(10)
        await made.wind_up()
        assert await wrong(made) == []


async def test_without_syncs_the_same_power_cut_loses_what_was_acknowledged(
    founders: Founders, tmp_path: Path, power: Power
) -> None:
    """If this found nothing, the test above would prove nothing."""
    at = dict.fromkeys(VICTIMS, power.at)
    careless = {ASKED: "1"}
    async with world(founders, tmp_path, "no sync", RATES, program=RELAY, at=at, environment=careless) as made:
        power.installed()
        found = await cut(made, power)
        assert any("has a receipt" in what or "tree of" in what or "relay's store" in what for what in found), found
        assert any("in the outbox" in what or "EST cannot" in what for what in found) or "relay's store" in found[0]
