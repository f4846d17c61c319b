"""Publishing: nothing queued that may not go, nothing sent twice, nothing widened behind its author's back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from rsc_share import Draft, LocalError, PolicyDenied, Portion
from rsc_share.charter.compose import compose, next_charter
from rsc_share.charter.text import parse_charter
from rsc_share.messages import Indicator, ThreatAssessment
from rsc_share.node import plan as plans
from rsc_share.node.store.protocol import Room
from rsc_share.session.frames import Logged, Outcome, Submission
from rsc_share.testing import Framework
from rsc_share.testing.clock import Clock
from rsc_share.testing.founding import ChannelPlan, Plan
from rsc_share.testing.wire import Wire
from rsc_share.value import replace

GREEN = "TLP:GREEN REL TO @members"


def indicator(pattern: str = "p") -> Indicator:
    return Indicator(pattern=pattern, stix_id="i")


async def test_cancelling_a_wait_never_cancels_the_sending() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("EST")
        sent = await fw.node("EST").channel("main").publish(indicator(), label=GREEN)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sent.receipt(), 0.01)
        fw.relay.reconnect("EST")
        await fw.settle()
        assert (await sent.receipt()).index >= 0


async def test_withdrawn_before_it_left_is_gone_and_after_it_left_it_is_too_late() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        fw.relay.cut_off("EST")
        early = await channel.publish(indicator(), label=GREEN)
        assert await early.withdraw()
        with pytest.raises(LocalError):
            await early.receipt()
        fw.relay.reconnect("EST")
        late = await channel.publish(indicator("q"), label=GREEN)
        await late.receipt()
        assert not await late.withdraw()
        await fw.settle()
        assert len(fw.node("LVA").channel("main").line.reading.inbox.events) == 1


async def test_a_rerun_under_one_key_is_the_same_message() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        first = await channel.publish(indicator(), label=GREEN, key="row 7")
        again = await channel.publish(indicator(), label=GREEN, key="row 7")
        assert first.id == again.id
        with pytest.raises(LocalError, match="another message"):
            await channel.publish(indicator("other"), label=GREEN, key="row 7")
        await first.receipt()
        await fw.settle()
        assert len(fw.node("LVA").channel("main").line.reading.inbox.events) == 1


async def test_publish_all_queues_all_or_none() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        drafts = [Draft(indicator(), label=GREEN), Draft(indicator(), label="REGIONAL SECRET REL TO EST")]
        with pytest.raises(PolicyDenied):
            await channel.publish_all(drafts)
        assert not len(channel.line.sending.outbox)


async def test_a_denial_says_in_its_line_who_is_not_reached_and_at_which_step() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel, label = fw.node("EST").channel("main"), "REGIONAL RESTRICTED REL TO FIN"
        with pytest.raises(PolicyDenied, match=r"reach EZT \(no other member of this channel\), LVA \(audience\)"):
            await channel.publish(indicator(), label=label, must_reach=["LVA", "FIN", "EZT"])
        await fw.suspend("LVA")
        with pytest.raises(PolicyDenied, match=r"reach LVA \(inactive\)"):
            await channel.publish(indicator(), label=GREEN, must_reach=["LVA"])
        with pytest.raises(PolicyDenied, match=r"label here: FIN \(audience\), LVA \(inactive\)") as denied:
            await channel.publish(indicator(), label="REGIONAL RESTRICTED REL TO FIM")
        assert "docs/embedding.md" in denied.value.advice


async def test_one_line_names_a_dozen_of_many() -> None:
    plan = plans.ReleasePlan(tuple(plans.Outcome(0, f"M{n:02}", False, "audience", None) for n in range(30)))
    assert plans.why_not(plan, [o.member for o in plan.outcomes]).endswith("M11 (audience) and 18 more")


async def test_what_is_no_message_and_who_is_no_list_is_said() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        with pytest.raises(LocalError, match=r"must_reach is one text: a list of members: must_reach=\[\'LVA\'\]"):
            await channel.publish(indicator(), label=GREEN, must_reach="LVA")
        with pytest.raises(LocalError, match="a dict is no message"):
            await channel.publish({"pattern": "p"}, label=GREEN)  # type: ignore[call-overload]
        assert not len(channel.line.sending.outbox)


async def test_nobody_entitled_always_raises() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        with pytest.raises(PolicyDenied, match="nobody"):
            await fw.node("EST").channel("main").publish(indicator(), label="REGIONAL SECRET ORIGINATOR ONLY")


async def test_a_portion_wider_than_its_message_is_refused() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        report = ThreatAssessment(title="t", text=[Portion("x", "REGIONAL RESTRICTED REL TO @members")])
        with pytest.raises(LocalError, match="wider"):
            await fw.node("EST").channel("main").publish(report, label="REGIONAL RESTRICTED REL TO FIN")


async def test_an_unknown_family_is_named_before_sending() -> None:
    plan = Plan(channels=(ChannelPlan("floods", families=("disaster",)),))
    async with Framework.of(plan) as fw:
        with pytest.raises(LocalError, match="does not carry the family cyber"):
            await fw.node("EST").channel("floods").publish(indicator(), label=GREEN)


async def test_a_queued_message_never_widens_to_a_state_that_joined_meanwhile() -> None:
    plan = Plan(groups={"LVA": frozenset({"@nordic"})})
    async with Framework.of(plan) as fw:
        channel = fw.node("EST").channel("main")
        fw.relay.cut_off("EST")
        sent = await channel.publish(indicator(), label="REGIONAL RESTRICTED REL TO @nordic")
        assert sent.plan.released_to.keys() == {"LVA"}
        charter = fw.relay_service.view.charter
        members = {**charter.members, "FIN": replace(charter.members["FIN"], groups=frozenset({"@nordic"}))}
        wider = parse_charter(compose(next_charter(charter, members=members)))
        everybody = [fw.party(code) for code in ("EST", "LVA", "FIN")]
        await fw.log(*fw.founded.signed(wider, fw.founded.framework_id, everybody))
        fw.clock.advance(seconds=400)  # what EST last knew of the directory is no longer fresh
        fw.relay.reconnect("EST")
        await fw.settle()
        with pytest.raises(PolicyDenied) as denied:
            await sent.receipt()
        assert denied.value.code == "wider"


async def test_a_queued_message_narrows_and_says_so() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("EST")
        sent = await fw.node("EST").channel("main").publish(indicator(), label=GREEN)
        await fw.suspend("LVA", by="EST")
        fw.relay.reconnect("EST")
        await fw.settle()
        receipt = await sent.receipt()
        assert {o.member for o in receipt.outcomes if not o.released} == {"LVA"}
        assert {o.member for o in sent.plan.withheld} == set()


async def test_a_row_that_asks_for_an_officer_gets_one_or_nothing_leaves() -> None:
    label = "REGIONAL SECRET CRYPTO REL TO FIN"
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        with pytest.raises(PolicyDenied) as denied:
            await channel.publish(Draft(indicator(), label=label))
        assert denied.value.fields["rule"] == "crypto-two-persons"
        with pytest.raises(LocalError, match="unlocked"):
            await channel.publish(Draft(indicator(), label=label, approvers=["EST/duty-9"]))
        sent = await channel.publish(Draft(indicator(), label=label, approvers=["EST/duty-1"]))
        await sent.receipt()
        assert not (await fw.audit()).findings


async def test_an_expired_draft_is_refused_with_its_row() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("EST")
        soon = datetime.fromtimestamp(fw.clock.now / 1000, UTC) + timedelta(minutes=1)
        sent = await fw.node("EST").channel("main").publish(Draft(indicator(), label=GREEN, expires_at=soon))
        fw.clock.advance(seconds=120)
        fw.relay.reconnect("EST")
        await fw.settle()
        with pytest.raises(Exception, match="expired") as refused:
            await sent.receipt()
        assert (refused.value.code, refused.value.row) == ("clock", 8)


async def test_grants_are_renewed_before_they_die() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        for _ in range(4):
            await (await channel.publish(indicator(), label=GREEN)).receipt()
            fw.clock.advance(seconds=40 * 60)
            await fw.settle()
        report = await fw.audit()
        assert not report.findings
        assert len(fw.node("LVA").channel("main").line.reading.inbox.events) == 4


async def test_ten_thousand_characters_do_not_fit_and_say_so() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        with pytest.raises(LocalError, match="fit") as error:
            await fw.node("EST").channel("main").publish(indicator("x" * 100_000), label=GREEN)
        assert error.value.code == "too-large"


async def test_derived_material_carries_its_originators_and_may_not_widen() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        await (await fw.node("EST").channel("main").publish(indicator(), label="REGIONAL SECRET REL TO LVA")).receipt()
        await fw.settle()
        lva = fw.node("LVA").channel("main")
        async with lva.subscribe(Indicator) as inbox:
            source = await anext(inbox)
        wide = Draft(indicator("derived"), label="REGIONAL RESTRICTED REL TO FIN, EST", derived_from=[source])
        sent = await lva.publish(wide)
        with pytest.raises(Exception, match="derived") as refused:
            await sent.receipt()
        assert refused.value.code == "third-party"


async def test_the_clock_of_tests_moves_forward_only() -> None:
    with pytest.raises(ValueError, match="forward"):
        Clock().advance(seconds=-1)


async def test_a_revoked_node_is_told_and_nothing_of_it_waits_for_ever() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("LVA").channel("main")
        fw.relay.cut_off("LVA")
        queued = await channel.publish(indicator(), label=GREEN)
        await fw.revoke("LVA/mod-1")
        fw.relay.reconnect("LVA")
        await fw.settle()
        with pytest.raises(Exception, match="revoked") as refused:
            await asyncio.wait_for(queued.receipt(), 1)
        assert refused.value.code == "revoked"


async def test_what_everybody_confirmed_is_forgotten_and_can_still_be_recalled() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        channel = fw.node("EST").channel("main")
        sent = await channel.publish(indicator("secret words"), label=GREEN)
        receipt = await sent.receipt()
        shelf = channel.line.shelf
        assert [b"secret words" in payload for _, (payload, *_) in shelf.rows(Room.PAYLOAD)] == [True]
        fw.relay.cut_off("FIN")
        fw.clock.advance(seconds=16 * 60)
        await fw.settle()
        assert shelf.rows(Room.PAYLOAD), "FIN has not confirmed it"
        fw.relay.reconnect("FIN")
        await fw.settle()
        assert not shelf.rows(Room.PAYLOAD)
        await (await channel.recall(receipt.reference, reason="wrong")).receipt()
        assert not (await fw.audit()).findings


async def test_a_broken_receipt_in_a_run_counts_no_entry_twice() -> None:
    class Spoiled(Wire):
        left = 1

        async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
            outcomes = await super().submit(log, entries)
            last = outcomes[-1]
            if len(outcomes) > 2 and self.left and isinstance(last, Logged):
                self.left -= 1
                return [*outcomes[:-1], replace(last, index=last.index + 1)]
            return outcomes

    async with Framework.create("EST", "LVA", "FIN") as fw:
        engine = fw.node("EST").engine
        engine.ports = {host: Spoiled(wire, "EST", fw.relay) for host, wire in engine.ports.items()}
        channel = fw.node("EST").channel("main")
        drafts = [Draft(indicator(str(i)), label=GREEN) for i in range(4)]
        for sent in await channel.publish_all(drafts):
            await asyncio.wait_for(sent.receipt(), 5)
        assert "bad-proof" in engine.alarms.codes()
        fw.clock.advance(seconds=16 * 60)
        await fw.settle()
        assert len(channel.line.deliveries._logged) == 4
        assert not channel.line.shelf.rows(Room.PAYLOAD)
        assert not (await fw.audit()).findings
