"""Old copies and second copies of a node: no number twice, no fork, and one line that says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share.errors import StorageError
from rsc_share.node.node import Node
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.session.frames import Outcome, Submission
from rsc_share.testing.wire import Wire


def numbers(entries) -> list[int]:
    return [entry.header.seq for entry in entries]


async def test_an_old_copy_of_the_state_signs_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        node = await bench.started()
        await node.channel("main").publish(indicator("p2"), label=GREEN)
        await bench.fw.settle()
        before = await bench.own()
        bench.crash()
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        for _ in range(2):  # however often it is started
            with pytest.raises(StorageError) as refused:
                async with Node.open(bench.path, unlock=bench.unlock):
                    pass
            assert refused.value.code == "rolled-back"
            assert "old copy" in str(refused.value)
            assert "restore" in refused.value.advice
            assert "\n" not in str(refused.value)
        await bench.fw.settle()
        assert await bench.own() == before
        (evidence,) = (bench.path / "evidence").iterdir()
        assert evidence.name.endswith("rolled-back")
        assert (evidence / "entry").read_bytes() in {entry.raw for entry in before}


async def test_an_old_copy_with_messages_in_its_outbox_sends_none(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        await node.channel("main").publish(indicator("p1"), label=GREEN, key="k")
        bench.crash()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        bench.fw.relay.reconnect("EST")
        await bench.started()
        assert patterns(bench.fw.node("LVA")) == ["p1"]
        before = await bench.own()
        bench.crash()
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        with pytest.raises(StorageError, match="old copy"):
            async with Node.open(bench.path, unlock=bench.unlock):
                pass
        assert await bench.own() == before


async def test_an_old_copy_in_which_nothing_was_signed_since_goes_on(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        await bench.fw.node("LVA").channel("main").publish(indicator("from LVA"), label=GREEN)
        await bench.started()
        own = await bench.own()
        bench.crash()
        if len(await bench.own()) > len(own):
            pytest.skip("a heartbeat was signed")
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        node = await bench.started()
        await node.channel("main").publish(indicator("p2"), label=GREEN)
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA"))[-1] == "p2"
        seqs = numbers(await bench.own())
        assert seqs == list(range(1, len(seqs) + 1))


async def test_nothing_is_signed_before_k_members_have_cosigned_a_tree_with_the_last_own_entry(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        bench.fw.clock.advance(seconds=400)  # what was cosigned before is not fresh any more
        bench.fw.relay.cut_off("LVA")
        bench.fw.relay.cut_off("FIN")
        node = await bench.started()
        sent = await node.channel("main").publish(indicator("p2"), label=GREEN)
        await bench.fw.settle()
        assert not sent._ticket.settled
        bench.fw.relay.reconnect("LVA")
        bench.fw.relay.reconnect("FIN")
        await bench.fw.settle()
        assert (await sent.receipt()).index > 0


async def test_a_fresh_tree_without_the_last_own_entry_is_not_enough_to_sign(tmp_path: Path) -> None:
    """It is logged, and no k members have seen it yet: a relay may still show the log without it."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("LVA")
        bench.fw.relay.cut_off("FIN")
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        count = len(await bench.own())
        node = await bench.restarted()
        line = node.channel("main").line
        assert line.follower.quorum_time is not None
        assert line.follower.witnessed_size <= line.sending.numbers.head.index
        sent = await node.channel("main").publish(indicator("p2"), label=GREEN)
        await bench.fw.settle()
        assert not sent._ticket.settled
        assert len(await bench.own()) == count
        bench.fw.relay.reconnect("LVA")
        bench.fw.relay.reconnect("FIN")
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA")) == ["p1", "p2"]


async def test_what_was_fresh_before_a_restart_is_not_enough_to_sign(tmp_path: Path) -> None:
    """The quorum has to be shown to this process."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        node = await bench.open()
        line = node.channel("main").line
        assert line.follower.quorum_time is None
        assert not line.ready(bench.fw.clock.now)
        await bench.fw.settle()
        assert line.ready(bench.fw.clock.now)


async def test_a_clone_that_runs_beside_is_told(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        shutil.copytree(bench.path, tmp_path / "clone")
        original = await bench.started()
        bench.fw.let_go(original)
        bench.node = None
        clone = await bench.open(path=tmp_path / "clone")
        sent = await clone.channel("main").publish(indicator("by the clone"), label=GREEN)
        await bench.fw.settle()
        assert (await sent.receipt()).index
        seqs = numbers(await bench.own())
        bench.fw.let_go(clone)
        original.engine.ports = clone.engine.ports  # its own session was fenced when the clone came
        await original.drain()
        assert "cloned" in original.engine.alarms.codes()
        assert seqs == list(range(1, len(seqs) + 1))
        with pytest.raises(StorageError, match="copy"):
            await original.channel("main").publish(indicator("p3"), label=GREEN)
        with pytest.raises(StorageError) as ended:
            await original.failed()  # `node run` ends with it
        assert ended.value.code == "cloned"
        await original.close()


async def test_a_node_cosigns_only_what_extends_its_stored_head(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        heads = dict(node.engine.witness.heads)
        assert len(heads) == 2
        bench.crash()
        node = await bench.open()
        assert node.engine.witness.heads == heads
        log = next(log for log in heads if log.endswith("/main"))
        shelf = Shelf(node.engine.store)
        kept = shelf.get(Room.WITNESS, log)
        assert kept == [heads[log].size, heads[log].root, heads[log].time, heads[log].pq_time]


async def test_a_head_is_on_disk_before_the_cosignature_leaves(tmp_path: Path) -> None:
    """Whatever the relay holds of this node as a witness, the disk knew first."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        seen = []
        for port in node.engine.ports.values():
            cosign = port.cosign

            async def watched(log, size, lines, *, cosign=cosign):
                store = node.engine.store
                assert not store._layers.staged
                assert not store._layers.leaving
                seen.append(size)
                await cosign(log, size, lines)

            port.cosign = watched
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        assert seen


async def test_signed_bytes_are_on_disk_before_they_leave(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        seen = []
        for port in node.engine.ports.values():
            submit = port.submit

            async def watched(log, entries, *, submit=submit):
                store = node.engine.store
                assert not store._layers.staged
                stored = [value[2] for _, run in Shelf(store, log).rows(Room.SENT) for value in run]
                assert all(entry.wire() in stored for entry in entries)
                seen.extend(entries)
                return await submit(log, entries)

            port.submit = watched
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        assert len(seen) == 2


async def test_prekeys_live_on_and_are_deleted_by_the_rule(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        first = set(node.engine.keys._prekeys)
        node = await bench.restarted()
        assert set(node.engine.keys._prekeys) == first
        bench.fw.clock.advance(seconds=6 * 3600 + 1)
        await bench.fw.settle()
        assert len(node.engine.keys) == 2
        for _ in range(3):
            bench.fw.clock.advance(seconds=6 * 3600 + 1)
            await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
            await bench.fw.settle()
        node = await bench.restarted()
        kept = set(node.engine.keys._prekeys)
        assert not first & kept
        assert {key for key, _ in Shelf(node.engine.store).rows(Room.PREKEY)} == kept


async def test_a_prekey_is_on_disk_before_anybody_can_seal_to_it(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.open()
        seen = []
        for port in node.engine.ports.values():
            submit = port.submit_object

            async def watched(found, bodies, *, submit=submit):
                assert not node.engine.store._layers.staged
                assert any(value[2] == found for _, value in Shelf(node.engine.store).rows(Room.PREKEY))
                seen.append(found)
                return await submit(found, bodies)

            port.submit_object = watched
        await bench.fw.settle()
        assert len(seen) == 1


async def test_an_old_copy_hands_in_nothing_in_the_very_turn_in_which_it_meets_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tail that shows it the entry it does not know also brings a checkpoint that k members have cosigned: all
    that was needed to begin signing, in the same turn. The relay refused such a header, and it was a fork all the
    same, in this node's own name."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        await node.channel("main").publish(indicator("p1"), label=GREEN, key="k")
        bench.crash()
        shutil.copytree(bench.path / "state", tmp_path / "copy")
        bench.fw.relay.reconnect("EST")
        await bench.started()
        await bench.fw.settle()
        bench.crash()
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "copy", bench.path / "state")
        handed_in = []
        submit = Wire.submit

        async def recorded(wire: Wire, log: str, entries: Sequence[Submission]) -> list[Outcome]:
            handed_in.extend(entries)
            return await submit(wire, log, entries)

        monkeypatch.setattr(Wire, "submit", recorded)
        with pytest.raises(StorageError, match="old copy"):
            async with Node.open(bench.path, unlock=bench.unlock):
                pass
        assert handed_in == []


async def test_nothing_is_signed_while_the_relay_knows_an_entry_of_ours_that_was_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        channel = node.channel("main")
        monkeypatch.setattr(Wire, "own", {channel.line.log: (99, bytes(32), 1000)}, raising=False)
        sent = await channel.publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        assert not sent._ticket.settled
        assert not channel.line.sending.outbox.in_flight, "not even signed"
        monkeypatch.setattr(Wire, "own", {channel.line.log: (0, bytes(32), 0)})
        await bench.fw.settle()
        assert (await sent.receipt()).index > 0
