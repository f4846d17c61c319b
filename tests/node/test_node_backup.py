"""A backup holds nothing that can be signed or opened with twice; a restored node is a new instance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from node_world import GREEN, PASSPHRASE, Bench, indicator, patterns

from rsc_share.errors import LocalError, StorageError
from rsc_share.node import backup
from rsc_share.node.home import Home
from rsc_share.node.store.protocol import Room
from rsc_share.testing.drill import drill


async def made(bench: Bench, out: Path) -> int:
    """A backup of the closed node."""
    home = Home.open(bench.path, bench.unlock)
    store = home.store()
    try:
        return backup.write_backup(out, home, store, bench.fw.clock.now)
    finally:
        await store.close()
        home.close()


async def test_a_restored_node_goes_on_without_reusing_a_number_or_a_key(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN, key="k1")
        await bench.fw.node("LVA").channel("main").publish(indicator("from LVA"), label=GREEN)
        await bench.fw.settle()
        bench.fw.relay.cut_off("EST")
        await node.channel("main").publish(indicator("p2"), label=GREEN, key="k2")
        await bench.close()
        await made(bench, tmp_path / "backup")
        bench.fw.relay.reconnect("EST")
        node = await bench.started()  # the live one goes on: it sends p2, and p3
        await node.channel("main").publish(indicator("p3"), label=GREEN)
        await bench.fw.settle()
        old_prekeys = set(node.engine.keys._prekeys)
        bench.crash()
        shutil.rmtree(bench.path)
        await backup.restore(tmp_path / "backup", bench.path, PASSPHRASE)
        bench.fw.clock.advance(seconds=601)
        node = await bench.started()
        for _ in range(20):  # until LVA hands out its next grant key, sealed to the new prekey
            bench.fw.clock.advance(seconds=140)
            await bench.fw.settle()
        assert not old_prekeys & set(node.engine.keys._prekeys)
        assert patterns(node)[0] == "from LVA"
        again = await node.channel("main").publish(indicator("p2"), label=GREEN, key="k2")
        await bench.fw.settle()
        await again.receipt()
        await node.channel("main").publish(indicator("p4"), label=GREEN)
        await bench.fw.node("LVA").channel("main").publish(indicator("later"), label=GREEN)
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA")) == ["p1", "p2", "p3", "p4"]
        assert patterns(node) == ["from LVA", "later"]
        seqs = [entry.header.seq for entry in await bench.own()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert not (await bench.fw.audit()).findings


async def test_a_backup_holds_no_prekey_no_witness_head_and_no_numbers(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.node("LVA").channel("main").publish(indicator("q"), label=GREEN)
        await bench.fw.settle()
        secrets = [prekey.to_bytes() for prekey, _ in node.engine.keys._prekeys.values()]
        secrets += node.engine.keys._grants.values()
        await bench.close()
        assert await made(bench, tmp_path / "backup")
        contents = backup.read_backup(tmp_path / "backup", PASSPHRASE, tmp_path / "scratch")
        forbidden = {
            Room.PREKEY,
            Room.GRANT,
            Room.WITNESS,
            Room.SENDER,
            Room.SENT,
            Room.OURS,
            Room.PROMISE,
            Room.FOLLOWER,
        }
        assert not forbidden & {room for room, *_ in contents.rows}
        assert not any(secret in value for *_, value in contents.rows for secret in secrets)
        assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


async def test_a_restored_witness_begins_where_k_others_stand(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        await made(bench, tmp_path / "backup")
        shutil.rmtree(bench.path)
        await backup.restore(tmp_path / "backup", bench.path, PASSPHRASE)
        bench.fw.clock.advance(seconds=601)
        await bench.fw.settle()
        bench.fw.relay.cut_off("FIN")
        await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        node = await bench.started()
        (log,) = node.engine.lines
        live = bench.fw.relay_service.logs[log]
        assert node.engine.instance.follows
        before = node.engine.witness.heads.get(log)
        assert before is None or before.size < live.size == node.engine.lines[log].follower.size
        bench.fw.relay.reconnect("FIN")
        await bench.fw.settle()
        assert node.engine.witness.heads[log].size == live.size


async def test_a_state_that_was_lost_makes_a_new_instance(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await node.channel("main").publish(indicator("p1"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        shutil.rmtree(bench.path / "state")
        bench.fw.clock.advance(seconds=601)
        node = await bench.started()
        assert node.engine.instance.follows
        await node.channel("main").publish(indicator("p2"), label=GREEN)
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA")) == ["p1", "p2"]


async def test_a_state_from_before_the_restore_does_not_open_after_it(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        await made(bench, tmp_path / "backup")
        shutil.copytree(bench.path / "state", tmp_path / "old")
        shutil.rmtree(bench.path)
        await backup.restore(tmp_path / "backup", bench.path, PASSPHRASE)
        shutil.rmtree(bench.path / "state")
        shutil.copytree(tmp_path / "old", bench.path / "state")
        with pytest.raises(StorageError, match="another keystore"):
            await bench.open()


async def test_a_backup_that_was_touched_or_cut_is_refused(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.close()
        await made(bench, tmp_path / "backup")
        whole = (tmp_path / "backup").read_bytes()
        for at in (0, 5, 40, 400, len(whole) // 2, len(whole) - 20, len(whole) - 1):
            broken = bytearray(whole)
            broken[at] ^= 1
            refuses(tmp_path, bytes(broken))
        for size in (0, 3, 50, len(whole) // 2, len(whole) - 1, len(whole) - 21):
            refuses(tmp_path, whole[:size])
        with pytest.raises(LocalError, match="wrong passphrase"):
            backup.read_backup(tmp_path / "backup", b"another one", tmp_path / "scratch")
        with pytest.raises(LocalError, match="not empty"):
            await backup.restore(tmp_path / "backup", bench.path, PASSPHRASE)
        with pytest.raises(LocalError, match="exists"):
            await made(bench, tmp_path / "backup")


def refuses(folder: Path, data: bytes) -> None:
    (folder / "broken").write_bytes(data)
    with pytest.raises((StorageError, LocalError)) as refused:
        backup.read_backup(folder / "broken", PASSPHRASE, folder / "scratch")
    assert "\n" not in str(refused.value)


async def test_the_drill_finds_nothing_reused(tmp_path: Path) -> None:
    findings = await drill(tmp_path)
    assert findings
    assert all(found.good for found in findings), findings
