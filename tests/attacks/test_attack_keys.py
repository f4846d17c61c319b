"""Attacks by a relay's time on the keys of a reader: what it cannot open any more, its honest sender is blamed for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rsc_share.envelope.entry import Stamp
from rsc_share.messages import Indicator
from rsc_share.node import line
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.founding import ChannelPlan, Plan

GREEN = "TLP:GREEN REL TO @members"
SAID = Indicator(pattern="p", stix_id="i")
HOUR = 3_600_000


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.of(Plan(channels=(ChannelPlan("main"), ChannelPlan("second")), seed=3)) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework


async def said(fw: Framework, member: str, channel: str = "main") -> None:
    await (await fw.node(member).channel(channel).publish(SAID, label=GREEN)).receipt()
    await fw.settle()


def shown(fw: Framework, member: str) -> int:
    return len(fw.node(member).channel("main").line.reading.inbox.events)


async def blamed(fw: Framework, member: str) -> bool:
    """Whether a reader said in a heartbeat that it could not open what this member sent."""
    fw.clock.advance(seconds=15 * 60)
    await fw.settle()
    return "bad-delivery" in fw.node(member).engine.alarms.codes()


async def test_attack_a_grant_dated_ahead_in_one_log_closes_the_keys_of_another(fw: Framework) -> None:
    """The relay of `second` and a member of it: what EST had granted in `main` was forgotten by every reader."""
    await said(fw, "EST")
    relay, pen = adv.CheatingRelay(fw, "second"), await adv.Pen(fw, "LVA", "second").sync()
    stamp = relay.stamp()
    await relay.log(pen.grant(), stamp=Stamp(stamp.logged_at + 2 * HOUR, stamp.directory))
    await fw.settle()
    await said(fw, "EST")
    assert shown(fw, "FIN") == 2
    assert not await blamed(fw, "EST")


async def test_a_reader_far_behind_in_one_log_opens_it_whatever_it_reads_in_another(
    fw: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes some turns to catch up with `main`; in the first of them it is up to date in `second`."""
    fw.relay.cut_off("FIN")
    for _ in range(12):
        await said(fw, "EST")
    fw.clock.advance(seconds=3 * 60 * 60)
    await fw.settle()
    await said(fw, "LVA", "second")
    monkeypatch.setattr(line, "TURN_ENTRIES", 4)
    monkeypatch.setattr(line, "READ_LIMIT", 4)
    fw.relay.reconnect("FIN")
    await fw.settle()
    assert shown(fw, "FIN") == 12
    assert not await blamed(fw, "EST")


async def test_keys_of_a_log_are_forgotten_by_its_own_time(fw: Framework) -> None:
    keys = fw.node("FIN").engine.keys
    for _ in range(3):
        await said(fw, "EST")
        fw.clock.advance(seconds=2 * 60 * 60)
        await fw.settle()
    await said(fw, "EST")
    assert len(keys._grants) == 1
    assert [len(aging) for aging in keys._aging.values()] == [1]


async def test_attack_logs_dated_ahead_take_the_prekey_that_senders_still_seal_to(fw: Framework) -> None:
    node = fw.node("FIN").engine
    fw.clock.advance(seconds=5 * 60 * 60)
    await fw.settle()
    before = set(node.keys.ids())
    for channel in ("main", "second"):
        relay, pen = adv.CheatingRelay(fw, channel), await adv.Pen(fw, "LVA", channel).sync()
        stamp = relay.stamp()
        await relay.log(pen.grant(), stamp=Stamp(stamp.logged_at + 2 * HOUR, stamp.directory))
    await fw.settle()
    fw.clock.advance(seconds=60 * 60)
    await fw.settle()
    assert before < set(node.keys.ids()), "another one was published a moment ago: nobody can know it yet"
