"""SIGKILL of the relay, of a sender and of a receiver, while all the others go on."""

from __future__ import annotations

import logging
import random
import resource
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import median

import pytest
from cli_world import Founders
from fault_oracle import wrong
from fault_world import CODES, World, world

VICTIMS = ("relay", "EST", "FIN")
"""EST sends, FIN receives."""
PROGRESS = logging.getLogger("faults")
WORLDS, EACH = 10, 5
LEAST = 200
"""Messages a second, acknowledged and logged, while everybody is alive."""
FAST = {"EST": 200, "LVA": 60}


class Rates:
    """What was acknowledged by `publish`, and what got a receipt, in each stretch in which everybody was alive."""

    def __init__(self) -> None:
        self.acked: list[float] = []
        self.logged: list[float] = []

    def add(self, began: tuple[float, int, int], ended: tuple[float, int, int]) -> None:
        seconds = ended[0] - began[0]
        self.acked.append((ended[1] - began[1]) / seconds)
        self.logged.append((ended[2] - began[2]) / seconds)

    def __str__(self) -> str:
        if not self.acked:
            return ""
        return f"; {median(self.acked):.0f} a second acknowledged, {median(self.logged):.0f} logged (medians)"


async def killed(
    founders: Founders,
    tmp_path: Path,
    victims: list[str],
    seed: object,
    rates: Mapping[str, int],
    *,
    gap: tuple[int, int] = (5, 40),
    readers: Collection[str] = CODES,
    measure: bool = False,
) -> tuple[World, Rates]:
    """Kill one after the other, with so many acknowledgements in between, and look at everything afterwards.

    Each is killed wherever the ones before have left the others. With `measure`, all go on first before every other
    kill, and the stretch from there to the kill is measured.
    """
    measured = Rates()
    async with world(founders, tmp_path, seed, rates, readers=readers) as made:
        for number, victim in enumerate(victims):
            if measure and number % 2 == 0:
                await flowing(made)
                began = made.counts()
                await made.some(made.dice.randrange(*gap))
                measured.add(began, made.counts())
            else:
                await made.some(made.dice.randrange(*gap))
            await made.kill(victim)
            await made.restart(victim)
            PROGRESS.info("%s: kill %d of %d, %s%s", seed, number + 1, len(victims), victim, measured)
        await made.some(10)
        await made.wind_up()
        assert await wrong(made) == []
        return made, measured


async def flowing(made: World) -> None:
    """Until every sender has more receipts: whoever was killed is back for all the others."""
    seen = {code: len(made.heard[code].receipts) for code in made.rates}
    await made.until(lambda: all(len(made.heard[code].receipts) > seen[code] for code in seen), "flowing again")


async def test_killed_five_times_each_nothing_is_lost_doubled_or_reordered(founders: Founders, tmp_path: Path) -> None:
    made, _ = await killed(founders, tmp_path, list(VICTIMS) * 5, "five", {"EST": 40, "LVA": 10})
    assert [made.heard[code].lives for code in ("EST", "FIN", "SWE")] == [6, 6, 1]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(WORLDS))
async def test_killed_fifty_times_each_at_two_hundred_a_second(founders: Founders, tmp_path: Path, part: int) -> None:
    """Five times each in one world, ten worlds. What is published is for FIN: four nodes and a relay share a machine
    here, and two that only witness leave the others the time to be fast."""
    victims = list(VICTIMS) * EACH
    random.Random(part).shuffle(victims)  # noqa: S311 - for an order that can be had again
    before = cpu_seconds()
    made, measured = await killed(
        founders, tmp_path, victims, f"fifty {part}", FAST, gap=(300, 1_500), readers=("FIN",), measure=True
    )
    each = 1000 * (cpu_seconds() - before) / made.published
    found = f"{made.published} messages{measured}; {each:.1f} ms of CPU a message, all processes and starts together"
    PROGRESS.info("part %d of %d: %s", part + 1, WORLDS, found)
    assert median(measured.acked) >= LEAST, found
    assert median(measured.logged) >= LEAST, found


def cpu_seconds() -> float:
    """Of the processes that have ended. A machine whose cores are busy elsewhere gives fewer messages for the same."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
