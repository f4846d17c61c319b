"""Genesis, restarts, rolled-back stores, stores that fail: what a relay may believe and sign."""

from __future__ import annotations

import asyncio

import pytest
from relay_world import CT, DIRECTORY, EST, FIN, HUB, LVA, OPS, World, copied, log_keys, rebuilt
from test_relay_admission import codes, started

from rsc_share.errors import LocalError, Refused, StorageError, Unavailable
from rsc_share.log.merkle import EMPTY_ROOT
from rsc_share.log.note import Note as SignedNote
from rsc_share.relay.live import State
from rsc_share.relay.service import Relay
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.protocol import Broken, Fenced, Stored, Unknown
from rsc_share.session.frames import Logged


async def fresh_world(store=None) -> World:
    world = World(store)
    await world.start()
    return world


async def test_founding_logs_the_charter_and_signs_empty_channels():
    world = await fresh_world()
    await world.found()
    assert {log: live.size for log, live in world.relay.logs.items()} == {DIRECTORY: 1, CT: 0, OPS: 0}
    empty = await world.store.keep_note(CT, world.relay.logs[CT].notes[0])
    assert (empty.size, empty.root) == (0, EMPTY_ROOT)
    assert len(empty.lines) == 2  # Ed25519 and ML-DSA-44
    await world.relay.aclose()


async def test_genesis_needs_k_witnesses_without_a_head():
    """No head counts as size 0: else nothing could ever begin (I1)."""
    world = await fresh_world()
    await world.found()
    assert set(world.relay.states().values()) == {State.RECOVERING}
    with pytest.raises(Unavailable):
        await world.publish_prekeys()
    await world.ports[EST].offers({})
    await world.ports[HUB].offers({})  # the operator's own member is no witness
    assert set(world.relay.states().values()) == {State.RECOVERING}
    await world.ports[LVA].offers({})
    assert set(world.relay.states().values()) == {State.READY}
    await world.publish_prekeys()
    await world.relay.aclose()


async def test_a_framework_is_founded_once_and_never_by_a_start():
    world = await fresh_world()
    with pytest.raises(Unavailable):
        _ = world.relay.directory_log
    with pytest.raises(Refused):
        await world.relay.connect(EST).logs()
    await world.found()
    with pytest.raises(LocalError):
        await world.relay.found(world.charter, world.bodies)
    await world.restart()
    with pytest.raises(LocalError):
        await world.relay.found(world.charter, world.bodies)
    await world.relay.aclose()


async def test_founding_that_was_cut_off_can_be_repeated():
    store = Failing()
    world = await fresh_world(store)
    store.fail = "lost"
    with pytest.raises(Unavailable):
        await world.found()
    await world.restart()
    await world.found()
    assert world.relay.directory.size == 1
    await world.relay.aclose()


async def test_a_charter_of_another_framework_or_host_is_not_founded():
    for host, pin in (("other.example", None), (None, bytes(32))):
        world = World()
        relay = await Relay.open(
            world.store,
            host=host or "relay.example:8443",
            framework_id=pin or world.id,
            keys=log_keys(),
            clock=world.clock,
        )
        with pytest.raises((LocalError, Refused)):
            await relay.found(world.charter, world.bodies)
        assert await world.store.logs() == {}
        await relay.aclose()


async def test_after_a_restart_nothing_is_admitted_until_k_witnesses_vouch(world):
    pen = await started(world)
    await world.witness()
    message = pen.message(FIN)
    await world.restart()
    assert set(world.relay.states().values()) == {State.RECOVERING}
    assert len((await world.ports[FIN].read(CT, 0, 10)).items) == 1
    assert codes(await world.submit(EST, message)) == ["not-ready"]
    await world.witness(EST)
    assert codes(await world.submit(EST, message)) == ["not-ready"]
    await world.witness(FIN)
    assert set(world.relay.states().values()) == {State.READY}
    assert codes(await world.submit(EST, message)) == ["logged"]


async def test_naming_a_head_is_not_vouching_for_it(world):
    """A size says nothing about a root: only a cosignature shows that what a witness saw is a prefix."""
    await started(world)
    await world.witness()
    await world.restart()
    for node in (EST, FIN, LVA):
        await world.ports[node].offers({log: live.size for log, live in world.relay.logs.items()})
    assert world.relay.states()[CT] is State.RECOVERING


async def test_rolled_back_store_is_not_ready_and_signs_nothing_new():
    """A snapshot of the machine from before the message: the witnesses have seen more."""
    kept = MemoryStore()
    world = await World(kept).ready()
    pen = await started(world)
    await world.witness()
    older = await copied(kept)
    await world.submit(EST, pen.message(FIN))
    await world.witness()
    await world.relay.aclose()

    world.store = older
    await world.start()
    world.connect()
    await _answer_what_one_can(world)
    assert world.relay.states() == {DIRECTORY: State.READY, CT: State.RECOVERING, OPS: State.READY}
    assert set(world.relay.logs[CT].witnessing.ahead) == {EST, FIN, LVA}
    assert codes(await world.submit(EST, world.pen(EST).grant(FIN))) == ["not-ready"]
    await world.relay.aclose()


async def _answer_what_one_can(world):
    for node, witness in world.witnesses.items():
        for offer in await world.ports[node].offers({log: size for log, (size, _) in witness.heads.items()}):
            assert offer.log != CT
            await witness.cosign(world.ports[node], offer, world.clock.now)


async def test_row_0_and_stamps_survive_a_restart(world):
    pen = await started(world)
    message = pen.message(FIN)
    (first,) = await world.submit(EST, message)
    await world.restart()
    await world.witness()
    (again,) = await world.submit(EST, message)
    assert isinstance(again, Logged)
    assert rebuilt(message, again) == rebuilt(message, first)


async def test_the_stored_head_is_signed_again_with_the_same_bytes(world):
    await started(world)
    before = _ed25519(world.relay.logs[CT].note())
    await world.restart()
    assert _ed25519(world.relay.logs[CT].note()) == before


def _ed25519(note: bytes) -> set[bytes]:
    return {line.blob for line in SignedNote.parse(note).signatures if len(line.blob) == 64}


@pytest.mark.parametrize("world", ["memory"], indirect=True)  # whose entries can be changed behind its back
async def test_a_store_whose_entries_do_not_make_its_head_is_broken(world):
    await started(world)
    await world.relay.aclose()
    world.store._log(CT).entries[0] = Stored(b"another")
    with pytest.raises(Broken):
        await world.start()


async def test_a_directory_that_lost_a_body_is_broken(world):
    await world.relay.aclose()
    await world.store.erase(DIRECTORY, list(world.bodies), "by mistake")
    with pytest.raises(Broken):
        await world.start()


class Failing(MemoryStore):
    """Fails the next append: before it is written (`lost`), or after (`stored`)."""

    fail: str | None = None
    error: type[StorageError] = Unknown

    async def append(self, writer, batch):
        fail, self.fail = self.fail, None
        if fail == "lost":
            raise self.error("the disk")
        after = await super().append(writer, batch)
        if fail == "stored":
            raise self.error("the disk")
        return after


@pytest.mark.parametrize("fail", ["lost", "stored"])
@pytest.mark.parametrize("error", [Unknown, Fenced, Broken])
async def test_a_failed_append_stops_the_log_and_a_restart_tells_the_truth(fail, error):
    """An acknowledged entry is there; one that was not acknowledged may be; the sender's resend settles it."""
    store = Failing()
    world = await World(store).ready()
    pen = await started(world)
    store.fail, store.error = fail, error
    message = pen.message(FIN)
    before = world.relay.logs[CT].note()
    assert codes(await world.submit(EST, message)) == ["not-ready"]
    assert world.relay.states()[CT] is State.STOPPED
    assert world.relay.logs[CT].note() == before, "signed a head that may not be there"
    with pytest.raises(Unavailable):
        await world.submit(EST, message)
    await world.restart()
    assert world.relay.logs[CT].size == (2 if fail == "stored" else 1)
    await world.witness()
    assert codes(await world.submit(EST, message)) == ["logged"]
    assert world.relay.logs[CT].size == 2
    await world.relay.aclose()


@pytest.mark.parametrize("fail", ["lost", "stored"])
async def test_a_failed_append_to_the_directory_stops_it(fail):
    store = Failing()
    world = await fresh_world(store)
    await world.found()
    await world.witness()
    store.fail = fail
    with pytest.raises(Unavailable):
        await world.publish_prekeys()
    assert world.relay.states()[DIRECTORY] is State.STOPPED
    await world.restart()
    await world.witness()
    await world.publish_prekeys()
    assert world.relay.directory.size == 4
    await world.relay.aclose()


async def test_a_full_store_leaves_the_directory_as_it_was():
    store = MemoryStore()
    world = await fresh_world(store)
    await world.found()
    await world.witness()
    store.limit = store.used + 10
    with pytest.raises(Unavailable, match="space"):
        await world.publish_prekeys()
    assert (world.relay.directory.size, world.relay.logs[DIRECTORY].size) == (1, 1)
    store.limit = None
    await world.publish_prekeys()
    assert (world.relay.directory.size, world.relay.logs[DIRECTORY].size) == (4, 4)
    await world.relay.aclose()


async def test_second_relay_on_one_store_fences_the_first(world):
    pen = await started(world)
    other = await Relay.open(
        world.store, host="relay.example:8443", framework_id=world.id, keys=log_keys(), clock=world.clock
    )
    assert codes(await world.submit(EST, pen.message(FIN))) == ["not-ready"]
    assert world.relay.states()[CT] is State.STOPPED
    assert isinstance(world.relay.failure, Fenced)
    await other.aclose()


async def test_closing_answers_everybody(world):
    pen = await started(world)
    await world.ports[FIN].offers({})
    await world.ports[FIN].changed({CT: 99})
    sending = asyncio.create_task(world.submit(EST, pen.message(FIN)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(world.ports[LVA].changed({}))
    await world.relay.aclose()
    assert codes(await sending) in (["logged"], ["not-ready"])
    await waiting
    waiting = world.ports[LVA].changed({})
    with pytest.raises(Unavailable, match="closing"):
        await waiting
    with pytest.raises(Unavailable, match="closing"):
        await world.submit(EST, pen.message(FIN))
