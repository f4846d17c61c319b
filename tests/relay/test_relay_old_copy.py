"""An old copy of the relay's store in place of the live one, behind entries that were shown and never witnessed.

What of it could be signed again would be a fork: two entries at one index, both over the log's signature.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from relay_world import CT, DIRECTORY, EST, FIN, HUB, LVA, NODES, World, copied, head_of, log_keys
from test_relay_admission import codes, started

from rsc_share.envelope.parts import Head
from rsc_share.errors import RemoteError, StorageError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.relay.heads import Signed
from rsc_share.relay.live import State
from rsc_share.relay.net.settings import BadSettings, read_settings
from rsc_share.relay.store.file_heads import SLOT, FileHeads
from rsc_share.relay.store.memory import MemoryStore

RECEIPT, DELIVERY = "receipt", "delivery"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "heads"


async def rolled_back(outside=None, *, how=RECEIPT):
    """A relay in which EST's newest message was answered and read, and nobody cosigned it; and a copy of its store from
    before that, with which it has been started again. EST, or FIN, knows what is missing."""
    kept = MemoryStore()
    world = World(kept)
    world.outside = outside
    await world.ready()
    pen = await started(world)
    await world.witness()
    older = await copied(kept)
    (outcome,) = await world.submit(EST, pen.message(FIN))
    if how == RECEIPT:
        world.witnesses[EST].shown[CT] = head_of(outcome.note)
    else:
        size = world.relay.logs[CT].size
        world.witnesses[FIN].shown[CT] = head_of((await world.ports[FIN].read(CT, size - 1, 10)).note)
    await world.relay.aclose()
    world.store = older
    return world


@pytest.mark.parametrize("how", [RECEIPT, DELIVERY])
async def test_old_copy_of_the_relay_behind_unwitnessed_entries_never_forks(how):
    """Only one node holds the log's signature on what is missing. It says so, and nothing is signed over it."""
    world = await rolled_back(how=how)
    await world.start()
    world.connect()
    size = world.relay.logs[CT].size
    await world.witness(EST if how == RECEIPT else FIN)
    await world.witness(*(node for node in NODES if node != EST))
    assert world.relay.states()[CT] is State.STOPPED
    assert world.relay.failure is not None
    assert world.relay.failure.code == "rolled-back"
    assert world.relay.logs[CT].size == size
    assert world.relay.states()[DIRECTORY] is not State.STOPPED, "the other logs are whole"


async def test_what_was_shown_is_asked_before_a_cosignature_counts():
    """A witness that cosigns without having said what it was shown vouches for nothing."""
    world = await World().ready()
    await started(world)
    await world.witness()
    await world.restart()
    log = world.relay.logs[CT]
    for node in NODES:
        log.witnessing.cosigned(node, node.partition("/")[0], log.size, world.clock.now)
    world.relay.recover(log)
    assert log.state is State.RECOVERING
    await world.restart()
    await world.witness()
    assert world.relay.states()[CT] is State.READY


async def test_a_hello_without_heads_vouches_for_nothing():
    """A node that has just been started has a head in its store, whatever its first hello says."""
    world = await World().ready()
    await world.restart()
    for node in NODES:
        await world.relay.session(node).greeted({})
    assert set(world.relay.states().values()) == {State.RECOVERING}


@pytest.mark.parametrize("size", [2, 1_000])
async def test_a_tree_the_log_never_signed_stops_and_delays_nothing(world, size):
    """A member that invents a tree is told so; it keeps no log from going on."""
    await started(world)
    await world.witness()
    await world.restart()
    with pytest.raises(RemoteError) as caught:
        await world.ports[LVA].offers({}, {CT: Head(size, bytes(32), bytes(64))})
    assert caught.value.code == "bad-signature"
    await world.witness(EST, FIN)
    assert world.relay.states()[CT] is State.READY


async def test_another_tree_of_the_same_size_stops_the_log(world):
    """Its own signature on it, whoever holds the key: that log has forked, and goes no further."""
    await started(world)
    size = world.relay.logs[CT].size
    forged = Checkpoint(CT, size, bytes(32))
    world.connect()
    await world.ports[LVA].offers({}, {CT: Head(size, bytes(32), sign_checkpoint(forged, log_keys().ed25519).blob)})
    assert world.relay.states()[CT] is State.STOPPED


# --- the outside head


async def test_old_copy_of_the_relay_does_not_start_beside_its_outside_heads(folder):
    world = await rolled_back(FileHeads.open(folder))
    with pytest.raises(StorageError) as caught:
        await world.start()
    assert caught.value.code == "rolled-back"
    with pytest.raises(StorageError):
        await world.start(restored=True)


async def test_a_store_without_outside_heads_waits_for_every_node(folder):
    """Two of three vouch: enough for a start, not for a copy of which nobody knows how old it is."""
    world = await rolled_back()
    world.witnesses[EST].shown.clear()
    world.outside = FileHeads.open(folder)
    with pytest.raises(StorageError) as caught:
        await world.start()
    assert caught.value.code == "no-outside-head"
    await world.start(restored=True)
    world.connect()
    await world.witness(EST, FIN)
    assert world.relay.states()[CT] is State.RECOVERING
    assert world.relay.missed() == {log: [LVA] for log in world.relay.logs}
    assert not list(folder.iterdir()), "a start without --restored must still be refused"
    await world.ports[LVA].offers({})
    assert world.relay.states()[CT] is State.READY
    await world.relay.aclose()
    await world.start()  # and the next one is as any other


async def test_restored_relay_that_lacks_what_one_node_was_shown_stops_for_good(folder):
    world = await rolled_back()
    world.outside = FileHeads.open(folder)
    await world.start(restored=True)
    world.connect()
    await world.witness(FIN, LVA)
    assert world.relay.states()[CT] is State.RECOVERING
    await world.witness(EST)
    assert world.relay.states()[CT] is State.STOPPED
    await world.relay.aclose()
    with pytest.raises(StorageError) as caught:
        await world.start(restored=True)
    assert caught.value.code == "rolled-back", "what was proved once is remembered"


async def test_outside_head_is_written_before_anybody_is_answered(folder):
    written = []

    class Watched(FileHeads):
        def write(self, log, head):
            written.append((log, head.size, world.relay.logs[log].size if log in world.relay.logs else None))
            super().write(log, head)

    world = World()
    world.outside = Watched.open(folder)
    await world.start()
    await world.found()
    await world.witness()
    await world.publish_prekeys()
    assert (DIRECTORY, 4, 3) in written, "the head of four, while three are shown"


async def test_outside_head_that_cannot_be_written_stops_the_log(folder):
    world = World()
    world.outside = FileHeads.open(folder)
    await world.ready()
    pen = await started(world)

    def fails(log, head):
        raise StorageError("the other disk", code="heads")

    world.outside.write = fails
    assert codes(await world.submit(EST, pen.message(FIN))) == ["not-ready"]
    assert world.relay.states()[CT] is State.STOPPED
    assert (await world.ports[HUB].logs()).get(DIRECTORY) == 4


# --- the file


def heads_of(folder, *sizes):
    heads = FileHeads.open(folder)
    for size in sizes:
        heads.write(CT, Signed(size, bytes([size % 256]) * 32))
    return heads


def read(folder):
    return FileHeads.open(folder).read(CT)


def test_outside_head_survives_the_end_of_a_process(folder):
    assert read(folder) is None
    heads_of(folder, 0, 1, 5)
    assert read(folder) == Signed(5, bytes([5]) * 32)


def test_outside_head_never_goes_back(folder):
    heads = heads_of(folder, 5, 3)
    assert read(folder).size == 5
    heads.sync()
    heads.write(CT, Signed(5, bytes(32)))
    with pytest.raises(StorageError, match="two trees of 5"):  # a fork that was proved is not forgotten
        read(folder)


def test_a_torn_write_spoils_at_most_what_was_not_synced(folder):
    """Whatever a power cut leaves of the slot that was being written, the newest synced head is there."""
    heads = heads_of(folder, 1)
    synced = 1
    for size in range(2, 12):
        heads.write(CT, Signed(size, bytes([size]) * 32))
        (file,) = heads._files.values()
        path = folder / "regional.ct"
        whole = path.read_bytes()
        path.write_bytes(whole[: file.writing * SLOT] + os.urandom(SLOT) + whole[(file.writing + 1) * SLOT :])
        assert read(folder).size == synced
        path.write_bytes(whole)
        assert read(folder).size == size
        if size % 3 == 0:
            heads.sync()
            synced = size


def test_writes_during_a_sync_leave_both_synced_slots_alone(folder, monkeypatch):
    heads = heads_of(folder, 1, 2)
    (file,) = heads._files.values()
    before, syncing = file.synced, file.writing

    def slow(descriptor):
        heads.write(CT, Signed(3, bytes(32)))
        assert file.writing not in (before, syncing)

    monkeypatch.setattr(os, "fdatasync", slow)
    heads.sync()
    assert (file.synced, file.changed) == (syncing, True), "the one that came meanwhile is for the next sync"


@pytest.mark.parametrize("damage", [b"", b"x", bytes(3 * SLOT), b"another/log/x\n1\n" * 900])
def test_a_damaged_outside_head_is_said_and_never_none(folder, damage):
    heads_of(folder, 1)
    (folder / "regional.ct").write_bytes(damage)
    with pytest.raises(StorageError) as caught:
        read(folder)
    assert caught.value.code == "heads"


# --- the settings


def settings(**more):
    values = {
        "host": "relay.example:8443",
        "listen": "127.0.0.1:0",
        "store": "store",
        "charter": "0" * 64,
        "keystore": "k",
        "passphrase_env": "P",
        "tls_certificate": "c",
        "tls_key": "t",
        **more,
    }
    text = "".join(f'{key} = "{value}"\n' for key, value in values.items() if value is not None)
    return read_settings(text.encode(), "relay.toml", Path("/etc/rsc"))


def test_heads_are_beside_the_store_unless_the_settings_say_otherwise():
    assert settings().heads == Path("/etc/rsc/store.heads")
    assert settings(store="/var/store/").heads == Path("/var/store.heads")
    assert settings(heads="/mnt/heads").heads == Path("/mnt/heads")
    assert settings(store="memory:").heads is None


@pytest.mark.parametrize(
    "more", [{"heads": "store/heads"}, {"heads": "x/../store"}, {"store": "memory:", "heads": "h"}]
)
def test_heads_that_a_copy_of_the_store_would_bring_are_refused(more):
    with pytest.raises(BadSettings) as caught:
        settings(**more)
    (problem,) = caught.value.problems
    assert "heads" in problem


def test_a_store_that_is_missing_is_told_once():
    with pytest.raises(BadSettings) as caught:
        settings(store=None)
    assert len(caught.value.problems) == 1
