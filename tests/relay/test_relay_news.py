"""Who is woken by which entry: whoever has something to do about it, at once; everybody else a moment later."""

from __future__ import annotations

import pytest
from relay_world import CT, EST, FIN, LVA

from rsc_share.relay.live import LOOKED_AT, NO_HURRY
from rsc_share.session.frames import Logged


async def woken(world, *, known: int) -> set[str]:
    """The nodes that are told, where each knows so many entries of the channel."""
    return {node for node in (EST, FIN, LVA) if world.relay.logs[CT].has_news(known, node, world.clock.now)}


@pytest.fixture
async def pen(world):
    made = world.pen(EST)
    assert isinstance((await world.submit(EST, made.grant(FIN)))[0], Logged)
    return made


async def test_an_entry_wakes_whom_it_is_for(world, pen):
    await world.submit(EST, pen.message(FIN, text=b"a convoy"))
    assert await woken(world, known=1) == {FIN}


async def test_everybody_is_told_a_moment_later(world, pen):
    await world.submit(EST, pen.message(FIN, text=b"a convoy"))
    world.clock.now += NO_HURRY - 1
    assert await woken(world, known=1) == {FIN}
    world.clock.now += 1
    assert await woken(world, known=1) == {EST, FIN, LVA}


async def test_one_entry_for_a_node_among_many_wakes_it(world, pen):
    for _ in range(3):
        await world.submit(EST, pen.message(FIN, text=b"a convoy"))
    other = world.pen(LVA)
    await world.submit(LVA, other.grant(EST))
    assert await woken(world, known=1) == {EST, FIN}


async def test_who_knows_everything_is_not_woken(world, pen):
    assert await woken(world, known=1) == set()


async def test_many_entries_are_news_for_everybody(world, pen):
    for _ in range(LOOKED_AT + 1):
        await world.submit(EST, pen.message(FIN, text=b"a convoy"))
    assert await woken(world, known=1) == {EST, FIN, LVA}


async def test_entries_that_are_not_in_memory_are_news(world, pen):
    """A reader far behind is not made to wait for what the relay would have to read first."""
    world.relay.logs[CT]._lines.clear()
    assert await woken(world, known=0) == {EST, FIN, LVA}
