"""The directory takes what proves itself, always; everything else about it is the fold's to say."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from relay_world import CT, DIRECTORY, EST, FIN, HUB, LVA, MINUTE, PublishedPrekey, World, key, prekey, publish_prekey

from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.crypto.signing import Suite
from rsc_share.envelope.entry import DirectoryEntry
from rsc_share.errors import Refused
from rsc_share.relay.live import State


def prekey_of(world, node=HUB, number=2):
    found = PublishedPrekey(node, prekey(node, number).public, world.clock.now)
    return publish_prekey(found, world.id, key(f"{node} signing"))


async def test_objects_are_logged_with_their_own_index_as_stamp(world):
    index = await world.ports[FIN].submit_object(prekey_of(world), {})
    assert index == 4
    tail = await world.ports[EST].read(DIRECTORY, 0, 100)
    stamps = [DirectoryEntry.parse(item.entry).stamp.directory for item in tail.items]
    assert stamps == list(range(len(stamps)))


async def test_a_revocation_is_logged_when_nobody_witnesses_any_more(world):
    """Freshness binds channels: else the charter that lowers k could never be logged (I4)."""
    world.clock.now += 60 * MINUTE
    act = Revocation(FIN, subject="node", reason="stolen", issued=world.clock.now)
    assert await world.ports[LVA].submit_object(revoke(act, world.id, key("FIN authority", Suite.HYBRID)), {}) == 4


async def test_the_same_object_again_has_the_same_index(world):
    found = prekey_of(world)
    both = await asyncio.gather(*(world.ports[node].submit_object(found, {}) for node in (EST, FIN)))
    assert both == [4, 4]
    await world.restart()
    await world.witness()
    assert await world.ports[EST].submit_object(found, {}) == 4
    assert world.relay.directory.size == 5


async def test_objects_submitted_at_once_stand_one_after_the_other(world):
    world.clock.now += 20 * MINUTE
    nodes = (EST, FIN, LVA, HUB)
    found = await asyncio.gather(*(world.ports[n].submit_object(prekey_of(world, n), {}) for n in nodes))
    assert sorted(found) == [4, 5, 6, 7]
    assert world.relay.logs[DIRECTORY].size == 8


async def test_giving_up_the_wait_leaves_log_and_fold_together(world):
    for turns in range(6):
        world.clock.now += 20 * MINUTE
        task = asyncio.create_task(world.ports[HUB].submit_object(prekey_of(world, HUB, turns + 3), {}))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with world.relay._keeper._lock:  # held until the append and what follows it are done
            pass
        assert world.relay.directory.size == world.relay.logs[DIRECTORY].size


@pytest.mark.parametrize("wrong", ["noise", "empty", "forged", "with a body", "a body that does not match", "too many"])
async def test_what_does_not_prove_itself_is_refused_and_changes_nothing(world, wrong):
    found, bodies = prekey_of(world), {}
    if wrong == "noise":
        found = b"noise"
    elif wrong == "empty":
        found = b""
    elif wrong == "forged":
        published = PublishedPrekey(EST, prekey(EST, 2).public, world.clock.now)
        found = publish_prekey(published, world.id, key(f"{FIN} signing"))
    elif wrong == "with a body":
        bodies = {hashlib.sha256(b"x").digest(): b"x"}
    elif wrong == "a body that does not match":
        bodies = {bytes(32): b"x"}
    else:
        bodies = {hashlib.sha256(bytes([n])).digest(): bytes([n]) for n in range(9)}
    with pytest.raises(Refused):
        await world.ports[EST].submit_object(found, bodies)
    assert (world.relay.directory.size, world.relay.logs[DIRECTORY].size) == (4, 4)
    assert world.relay.states()[DIRECTORY] is State.READY


async def test_bodies_nobody_named_are_not_kept():
    world = World()
    await world.start()
    stray = b"what a stranger would like to store for ever"
    bodies = {**world.bodies, hashlib.sha256(stray).digest(): stray}
    await world.relay.found(world.charter, bodies)
    kept = await world.store.bodies(DIRECTORY, list(bodies))
    assert kept.keys() == world.bodies.keys()
    assert CT in world.relay.logs
    await world.relay.aclose()
