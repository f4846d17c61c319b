"""What arrived is handed over at least once, in log order, and stays gone when it is recalled."""

from __future__ import annotations

from pathlib import Path

from node_world import GREEN, Bench, indicator, patterns

from rsc_share import Portion
from rsc_share.messages import ThreatAssessment
from rsc_share.node.store.protocol import Room

RESTRICTED = "REGIONAL RESTRICTED REL TO @members"


async def given(node, count: int, *, done: int, consumer: str = "default") -> list[tuple[str, bool]]:
    """What the next `count` messages of a consumer say, and whether they say they came before."""
    found = []
    async with node.channel("main").subscribe(consumer=consumer) as messages:
        async for message in messages:
            found.append((message.body.pattern, message.redelivered))
            if len(found) <= done:
                await message.done()
            if len(found) == count:
                return found
    raise AssertionError("unreachable")


async def test_what_is_not_done_comes_again_and_what_is_done_does_not(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        for n in range(4):
            await bench.fw.node("LVA").channel("main").publish(indicator(f"p{n}"), label=GREEN)
        await bench.fw.settle()
        assert await given(bench.node, 3, done=2) == [("p0", False), ("p1", False), ("p2", False)]
        node = await bench.restarted()
        assert (await given(node, 2, done=2))[-1] == ("p3", False)
        node = await bench.restarted()
        assert await given(node, 4, done=0, consumer="other") == [(f"p{n}", False) for n in range(4)]


async def test_a_message_given_and_not_done_says_so_after_a_restart(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        assert await given(bench.node, 1, done=0) == [("p", False)]
        await bench.node.channel("main").durable()
        assert await given(await bench.restarted(), 1, done=1) == [("p", True)]


async def test_what_came_while_it_was_down_arrives_under_a_grant_from_before(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        other = bench.fw.node("LVA").channel("main")
        await other.publish(indicator("before"), label=GREEN)
        await bench.fw.settle()
        bench.crash()
        await other.publish(indicator("meanwhile"), label=GREEN)
        await bench.fw.settle()
        assert sum(entry.header.kind == "grant" for entry in await bench.log()) == 1
        assert patterns(await bench.started()) == ["before", "meanwhile"]
        assert not bench.node.alarms


async def test_grant_keys_are_nowhere_in_the_store(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        await node.channel("main").publish(indicator("q"), label=GREEN)
        await bench.fw.settle()
        keys = list(node.engine.keys._grants.values())
        keys += [grant.gk for grant in node.channel("main").line.sending._dispatch.grants._live.values()]
        assert len(keys) == 2
        store = node.engine.store
        logs = ["", *node.engine.lines]
        for value in (value for room in Room for log in logs for _, value in store.rows(room, log)):
            assert not any(gk in value for gk in keys)


async def test_a_recalled_payload_is_gone_from_the_store(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        sent = await bench.fw.node("LVA").channel("main").publish(indicator("the-secret-pattern"), label=GREEN)
        await bench.fw.settle()
        assert holds(bench, b"the-secret-pattern")
        await bench.fw.node("LVA").channel("main").recall((await sent.receipt()).reference, reason="wrong")
        await bench.fw.settle()
        assert not holds(bench, b"the-secret-pattern")
        node = await bench.restarted()
        assert not holds(bench, b"the-secret-pattern")
        assert patterns(node) == [
            "(recalled)",
        ]
        async with node.channel("main").subscribe() as messages:
            async for message in messages:
                assert message.body.reason == "wrong"
                break


def holds(bench: Bench, needle: bytes) -> bool:
    engine = bench.node.engine
    logs = ["", *engine.lines]
    return any(needle in value for room in Room for log in logs for _, value in engine.store.rows(room, log))


async def test_portions_of_one_document_meet_across_a_restart(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        await bench.started()
        report = ThreatAssessment(title="t", text=[Portion("a", RESTRICTED), Portion("b", RESTRICTED)])
        sent = await bench.fw.node("LVA").channel("main").publish(report, label=RESTRICTED)
        await bench.fw.settle()
        node = await bench.restarted()
        (event,) = node.channel("main").line.reading.inbox.events
        assert len(event.payloads) == 3
        await bench.fw.node("LVA").channel("main").recall((await sent.receipt()).reference, reason="x")
        await bench.fw.settle()
        line = node.channel("main").line
        assert line.reading.inbox.events[0].payloads == {}
        assert [key for key, _ in line.shelf.rows(Room.HELD)] == [["LVA/mod-1", sent.id.bytes]]


async def test_what_it_read_is_not_read_again(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        line = node.channel("main").line
        before = (line.follower.size, line.follower.tree.root(), dict(line.follower.facts), line.follower.last)
        before_directory = node.engine.trust.size, node.engine.trust.tree.root()
        bench.crash()
        node = await bench.open()
        line = node.channel("main").line
        assert (line.follower.size, line.follower.tree.root(), dict(line.follower.facts), line.follower.last) == before
        assert (node.engine.trust.size, node.engine.trust.tree.root()) == before_directory
        assert node.engine.trust.witnessed


async def test_a_reference_to_an_entry_of_an_earlier_run_is_still_checked(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        sent = await bench.fw.node("LVA").channel("main").publish(indicator("p"), label=GREEN)
        await bench.fw.settle()
        place = node.channel("main").line.reading.events.called((await sent.receipt()).reference)
        source = node.channel("main").line.follower.known(place)
        node = await bench.restarted()
        follower = node.channel("main").line.follower
        assert not follower._docket.facts._sources
        assert follower.known(place) == source is not None


async def test_alarms_outlive_the_process_and_are_raised_once(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        node.engine.alarms.raise_("silent", "k", "what", 5, node="LVA/mod-1")
        await node.engine.store.commit()
        node = await bench.restarted()
        node.engine.alarms.raise_("silent", "k", "what", 6, node="LVA/mod-1")
        (alarm,) = node.alarms
        assert (alarm.code, alarm.time, alarm.fields) == ("silent", 5, {"node": "LVA/mod-1"})


async def test_a_revocation_by_hand_is_still_obeyed_after_a_restart(tmp_path: Path) -> None:
    from rsc_share.charter.revocation import Revocation, revoke

    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        fw = bench.fw
        made = revoke(
            Revocation("LVA/mod-1", "node", "stolen", fw.clock.now), fw.founded.framework_id, fw.party("LVA").duty
        )
        node.engine.obey(made)
        await node.engine.store.commit()
        node = await bench.restarted()
        assert set(node.engine.feed.forbidden) == {"LVA/mod-1"}
        assert node.channel("main").line.sending.forbidden == {"LVA/mod-1"}
