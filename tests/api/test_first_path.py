"""The whole path once: publish, log, read, delivery, recall, restriction, portions."""

from __future__ import annotations

import pytest

from rsc_share import Draft, PolicyDenied, Portion, Recalled, Withheld
from rsc_share.messages import Indicator, ThreatAssessment
from rsc_share.testing import Framework

GREEN = "TLP:GREEN REL TO @members"


async def test_a_message_reaches_every_member_and_is_quoted_by_its_number() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        channel = fw.node("EST").channel("main")
        sent = await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        receipt = await sent.receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
            async for message in inbox:
                assert message.reference == receipt.reference
                assert message.body.pattern == "p"
                await message.done()
                break
        assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_delivery_is_said_by_the_recipient() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        await sent.witnessed()
        fw.clock.advance(seconds=16 * 60)
        await fw.settle()
        async with sent.deliveries() as steps:
            seen = {(await anext(steps)).member, (await anext(steps)).member}
        assert seen == {"LVA", "FIN"}


async def test_a_portion_is_withheld_from_whom_its_label_does_not_name() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        report = ThreatAssessment(
            title="Border",
            text=[
                Portion("General warning.", "REGIONAL RESTRICTED REL TO @members"),
                Portion("Source detail.", "REGIONAL SECRET REL TO FIN"),
            ],
        )
        draft = Draft(report, label="REGIONAL RESTRICTED REL TO @members", precedence="IMMEDIATE")
        channel = fw.node("EST").channel("main")
        assert channel.plan(draft).released_to == {"FIN": frozenset({0, 1, 2}), "LVA": frozenset({0, 1})}
        sent = await channel.publish(draft)
        await sent.receipt()
        await fw.settle()
        for member, second in (("FIN", Portion), ("LVA", Withheld)):
            async with fw.node(member).channel("main").subscribe(ThreatAssessment) as inbox:
                message = await anext(inbox)
                assert isinstance(message.body.text[0], Portion)
                assert isinstance(message.body.text[1], second)


async def test_must_reach_refuses_before_anything_is_queued() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        await fw.suspend("LVA", by="EST")
        channel = fw.node("EST").channel("main")
        with pytest.raises(PolicyDenied) as denied:
            await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN, must_reach=["LVA"])
        assert {o.member for o in denied.value.plan.withheld} == {"LVA"}
        assert not len(channel.line.sending.outbox)


async def test_recall_erases_and_says_why() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        channel = fw.node("EST").channel("main")
        sent = await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        receipt = await sent.receipt()
        await fw.settle()
        await (await channel.recall(receipt.reference, reason="source compromised")).receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator, Recalled) as inbox:
            message = await anext(inbox)
            assert isinstance(message.body, Recalled)
            assert (message.body.reference, message.body.reason) == (receipt.reference, "source compromised")
            await message.body.comply(copies="erased")
            await message.done()
        await fw.settle()
        async with sent.deliveries() as steps:
            assert (await anext(steps)).state == "recalled"
        assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_acknowledgement_is_a_persons_act() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        await sent.receipt()
        await fw.settle()
        async with fw.node("FIN").channel("main").subscribe(Indicator) as inbox:
            message = await anext(inbox)
            await message.acknowledge()
        await fw.settle()
        async with sent.deliveries() as steps:
            step = await anext(steps)
        assert (step.member, step.state) == ("FIN", "acknowledged")
        assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_withheld_portion_can_be_asked_for() -> None:
    async with Framework.create("EST", "LVA", "FIN", seed=7) as fw:
        report = ThreatAssessment(title="t", text=[Portion("secret", "REGIONAL SECRET REL TO FIN")])
        await (
            await fw.node("EST").channel("main").publish(report, label="REGIONAL RESTRICTED REL TO @members")
        ).receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(ThreatAssessment) as inbox:
            message = await anext(inbox)
            asked = await message.request_release(1, reason="case 17/2026")
        await asked.receipt()
        await fw.settle()
        assert [type(e).__name__ for e in fw.node("EST").channel("main").line.reading.inbox.events] == ["Arrival"]
        assert not fw.node("FIN").channel("main").line.reading.inbox.events[1:]
