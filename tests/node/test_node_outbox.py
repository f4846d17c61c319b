"""What `publish` acknowledged goes out once, in order, whatever happens to the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share import Draft, LocalError
from rsc_share.errors import StorageError
from rsc_share.node.store.protocol import Room


async def test_what_was_published_while_cut_off_goes_out_after_a_crash(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        for n in range(5):
            await node.channel("main").publish(indicator(f"p{n}"), label=GREEN)
        bench.crash()
        bench.fw.relay.reconnect("EST")
        await bench.started()
        assert patterns(bench.fw.node("LVA")) == [f"p{n}" for n in range(5)]


async def test_a_key_is_the_same_message_after_a_crash(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        first = await node.channel("main").publish(indicator("p"), label=GREEN, key="row 7")
        node = await bench.restarted()
        channel = node.channel("main")
        again = await channel.publish(indicator("p"), label=GREEN, key="row 7")
        assert again.id == first.id
        with pytest.raises(LocalError, match="another message"):
            await channel.publish(indicator("q"), label=GREEN, key="row 7")
        twice = [Draft(indicator("x"), label=GREEN, key="k"), Draft(indicator("y"), label=GREEN, key="k")]
        with pytest.raises(LocalError, match="another message"):
            await channel.publish_all(twice)
        await bench.fw.settle()
        assert patterns(bench.fw.node("LVA")) == ["p"]


async def test_a_submission_is_picked_up_again_by_key_and_by_id(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        first = await node.channel("main").publish(indicator("p"), label=GREEN, key="row 7")
        await bench.fw.settle()
        receipt = await first.witnessed()
        node = await bench.restarted()
        channel = node.channel("main")
        for which in ("row 7", first.id):
            again = channel.submission(which)
            assert (await again.witnessed()) == receipt
            assert again.plan == first.plan
        with pytest.raises(LocalError, match="no message"):
            channel.submission("row 8")


async def test_deliveries_go_on_after_a_crash(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        sent = await node.channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        node = await bench.restarted()
        bench.fw.clock.advance(seconds=901)
        await bench.fw.settle()
        again = node.channel("main").submission(sent.id)
        assert {(step.member, step.state) for step in again._ticket.history} == {("LVA", "stored"), ("FIN", "stored")}
        assert not node.channel("main").line.shelf.rows(Room.PAYLOAD)
        node = await bench.restarted()
        assert len(node.channel("main").submission(sent.id)._ticket.history) == 2
        assert not node.channel("main").line.shelf.rows(Room.PAYLOAD)


async def test_a_refusal_is_remembered(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        from datetime import UTC, datetime, timedelta

        soon = datetime.fromtimestamp(bench.fw.clock.now / 1000, UTC) + timedelta(minutes=1)
        sent = await node.channel("main").publish(Draft(indicator("p"), label=GREEN, expires_at=soon))
        bench.fw.clock.advance(seconds=120)
        bench.fw.relay.reconnect("EST")
        await bench.fw.settle()
        node = await bench.restarted()
        from rsc_share import Refused

        with pytest.raises(Refused) as refused:
            await node.channel("main").submission(sent.id).receipt()
        assert refused.value.code == "clock"


async def test_withdrawn_stays_withdrawn(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        sent = await node.channel("main").publish(indicator("p"), label=GREEN)
        assert await sent.withdraw()
        bench.crash()
        bench.fw.relay.reconnect("EST")
        await bench.started()
        assert patterns(bench.fw.node("LVA")) == []


async def test_a_message_can_be_recalled_after_a_restart(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        sent = await node.channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        reference = (await sent.receipt()).reference
        node = await bench.restarted()
        await node.channel("main").recall(reference, reason="wrong")
        await bench.restarted()
        assert patterns(bench.fw.node("LVA")) == ["(recalled)"]


async def test_a_disk_that_fails_stops_the_node_and_nothing_leaves(tmp_path: Path) -> None:
    from node_world import Bomb

    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.crash()
        bomb = Bomb(1, after=False)
        node = await bench.open(bomb.open)
        before = len(await bench.log())
        with pytest.raises(StorageError, match="power is off"):
            await node.channel("main").publish(indicator("p"), label=GREEN)
        with pytest.raises(StorageError, match="power is off"):
            await node.drain()
        assert len(await bench.log()) == before
