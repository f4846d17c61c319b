"""Subscribing: at least once, in log order, nothing skipped, everything released on leaving."""

from __future__ import annotations

import asyncio

import pytest

from rsc_share import LocalError, StorageError, UnknownMessage
from rsc_share.messages import Body, Indicator, ThreatAssessment
from rsc_share.testing import Framework
from rsc_share.testing.adversaries import CheatingRelay

GREEN = "TLP:GREEN REL TO @members"


async def publish(fw: Framework, *patterns: str, member: str = "EST") -> None:
    channel = fw.node(member).channel("main")
    for pattern in patterns:
        await (await channel.publish(Indicator(pattern=pattern, stix_id="i"), label=GREEN)).receipt()
    await fw.settle()


async def test_what_is_not_done_comes_again() -> None:
    async with Framework.create("EST", "LVA") as fw:
        await publish(fw, "a", "b")
        channel = fw.node("LVA").channel("main")
        async with channel.subscribe(Indicator) as inbox:
            first = await anext(inbox)
            second = await anext(inbox)
            await second.done()
        assert not first.redelivered
        async with channel.subscribe(Indicator) as inbox:
            again = await anext(inbox)
            assert (again.id, again.redelivered) == (first.id, True)
            await again.done()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(inbox), 0.02)


async def test_done_without_waiting_is_done_all_the_same() -> None:
    async with Framework.create("EST", "LVA") as fw:
        await publish(fw, "a", "b")
        channel = fw.node("LVA").channel("main")
        async with channel.subscribe(Indicator) as inbox:
            await (await anext(inbox)).done(wait=False)
        async with channel.subscribe(Indicator) as inbox:
            assert (await anext(inbox)).body.pattern == "b"


async def test_two_consumers_each_get_everything() -> None:
    async with Framework.create("EST", "LVA") as fw:
        await publish(fw, "a")
        channel = fw.node("LVA").channel("main")
        for name in ("case-db", "screen"):
            async with channel.subscribe(Indicator, consumer=name) as inbox:
                await (await anext(inbox)).done()


async def test_the_same_consumer_twice_is_a_mistake() -> None:
    async with Framework.create("EST", "LVA") as fw:
        channel = fw.node("LVA").channel("main")
        async with channel.subscribe(consumer="x"):
            with pytest.raises(LocalError, match="subscribed already"):
                async with channel.subscribe(consumer="x"):
                    pass
        async with channel.subscribe(consumer="x"):
            pass


async def test_a_window_waits_for_done() -> None:
    async with Framework.create("EST", "LVA") as fw:
        await publish(fw, "a", "b")
        async with fw.node("LVA").channel("main").subscribe(Indicator, window=1) as inbox:
            first = await anext(inbox)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(inbox), 0.02)
            await first.done()
            assert (await anext(inbox)).body.pattern == "b"


async def test_break_releases_the_subscription() -> None:
    async with Framework.create("EST", "LVA") as fw:
        await publish(fw, "a")
        channel = fw.node("LVA").channel("main")
        async with channel.subscribe(Indicator) as inbox:
            async for _ in inbox:
                break
        async with channel.subscribe(Indicator):
            pass


async def test_an_unknown_type_is_delivered_as_bytes_never_dropped() -> None:
    class Sighting(Body):
        TYPE = "ee.mod.drone/sighting/1"
        heading: int

    async with Framework.create("EST", "LVA", types=[Sighting]) as fw:
        fw.node("LVA").registry = type(fw.node("LVA").registry)([Indicator])
        sent = await fw.node("EST").channel("main").publish(Sighting(heading=270), label=GREEN)
        await sent.receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe() as inbox:
            message = await anext(inbox)
            assert isinstance(message.body, UnknownMessage)
            assert message.body.type == "ee.mod.drone/sighting/1"
            assert b"heading" in message.body.payload


async def test_nothing_shown_holds_content() -> None:
    async with Framework.create("EST", "LVA") as fw:
        secret = "never-in-a-log-line"
        await publish(fw, secret)
        channel = fw.node("LVA").channel("main")
        async with channel.subscribe(ThreatAssessment, Indicator) as inbox:
            message = await anext(inbox)
            event = channel.line.reading.inbox.events[0]
            for thing in (message, message.body, event, channel, inbox, fw.node("LVA")):
                assert secret not in repr(thing)
                assert secret not in str(thing)


async def test_a_node_that_was_away_resumes_where_it_stopped() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("LVA")
        await publish(fw, "a", "b", "c")
        fw.clock.advance(seconds=3 * 3600)
        await fw.settle()
        fw.relay.reconnect("LVA")
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
            assert [(await anext(inbox)).body.pattern for _ in range(3)] == ["a", "b", "c"]
        assert "bad-delivery" not in fw.node("EST").engine.alarms.codes()


async def test_undelivered_and_silent_are_said_aloud() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("LVA")
        await publish(fw, "a")
        fw.clock.advance(seconds=20 * 60)
        await fw.settle()
        for _ in range(9):
            fw.clock.advance(seconds=3 * 3600)
            await fw.settle()
        alarms = {(alarm.code, alarm.fields.get("node", "LVA/mod-1")) for alarm in fw.node("EST").alarms}
        assert alarms == {("undelivered", "LVA/mod-1"), ("silent", "LVA/mod-1")}


async def test_flash_is_confirmed_without_waiting_for_the_next_heartbeat() -> None:
    async with Framework.create("EST", "LVA") as fw:
        body = Indicator(pattern="p", stix_id="i")
        sent = await fw.node("EST").channel("main").publish(body, label=GREEN, precedence="FLASH")
        await sent.receipt()
        await fw.settle()
        async with sent.deliveries() as steps:
            assert (await asyncio.wait_for(anext(steps), 1)).state == "stored"


async def test_a_revoked_node_gets_and_sends_nothing_more() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        await publish(fw, "before")
        await fw.revoke("LVA/mod-1")
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="after", stix_id="i"), label=GREEN)
        await sent.receipt()
        await fw.settle()
        assert {(o.member, o.code) for o in sent.plan.withheld} == {("LVA", "inactive")}
        assert len(fw.node("LVA").channel("main").line.reading.inbox.events) == 1
        assert not (await fw.audit()).findings


async def test_a_revocation_by_hand_stops_sending_until_the_log_shows_it() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        from rsc_share.charter.revocation import Revocation, revoke

        made = revoke(
            Revocation("LVA/mod-1", "node", "stolen", fw.clock.now), fw.founded.framework_id, fw.party("LVA").duty
        )
        est = fw.node("EST")
        est.engine.obey(made)
        sent = await est.channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        await fw.settle()
        assert not sent._ticket.settled
        assert est.engine.alarms.codes() == {"pending-revocation"}
        await fw.log(made)
        await fw.settle()
        await sent.receipt()
        assert not fw.node("LVA").channel("main").line.reading.inbox.events


async def test_a_node_whose_work_fails_tells_everybody_who_waits() -> None:
    async with Framework.create("EST", "LVA") as fw:
        node = fw.node("EST")

        async def broken(news: object = None, *, wait: bool = True) -> bool:
            raise OSError("the disk is gone")

        node.engine.turn = broken  # type: ignore[method-assign]
        sent = await node.channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        with pytest.raises(StorageError, match="the disk is gone"):
            await asyncio.wait_for(sent.receipt(), 2)
        with pytest.raises(StorageError):
            node.channel("main")


async def test_a_directory_object_nobody_can_read_is_void_and_reading_goes_on() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        await CheatingRelay(fw).log_object(b"not an object")
        await fw.settle()
        before = fw.node("LVA").engine.trust.size
        await fw.suspend("LVA", by="EST")
        assert fw.node("LVA").engine.trust.size == before + 1
        assert fw.node("LVA").engine.alarms.codes() == {"void-entry"}
        await publish(fw, "after")
        assert len(fw.node("FIN").channel("main").line.reading.inbox.events) == 1


async def test_a_frozen_directory_is_said_aloud_while_messages_wait() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        for member in ("LVA", "FIN"):
            fw.relay.cut_off(member)
        fw.clock.advance(seconds=400)
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        await fw.settle()
        assert "directory-stale" in fw.node("EST").engine.alarms.codes()
        for member in ("LVA", "FIN"):
            fw.relay.reconnect(member)
        await fw.settle()
        await sent.receipt()
