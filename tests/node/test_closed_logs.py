"""A log that the charter closes is read to its end by who was behind: what was logged there is lost to nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from rsc_share.charter.compose import compose, next_charter
from rsc_share.charter.model import Closed
from rsc_share.charter.text import parse_charter
from rsc_share.messages import Indicator
from rsc_share.node.line import Line
from rsc_share.session.frames import Tail
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.founding import HOST, ChannelPlan, Plan

GREEN = "TLP:GREEN REL TO @members"
SECOND = f"{HOST}/test-framework/second"


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.of(Plan(channels=(ChannelPlan("main"), ChannelPlan("second")), seed=3)) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework


async def said(fw: Framework, count: int) -> None:
    for number in range(count):
        said = Indicator(pattern=f"{number}", stix_id="i")
        await (await fw.node("EST").channel("second").publish(said, label=GREEN)).receipt()
    await fw.settle()


async def closed(fw: Framework) -> None:
    """The next charter has no second channel."""
    charter, log = fw.relay_service.view.charter, fw.relay_service.logs[SECOND]
    channels = {name: channel for name, channel in charter.channels.items() if name != "second"}
    ended = (Closed(SECOND, log.size, log.writer.head.root),)
    text = parse_charter(compose(next_charter(charter, channels=channels, closed=ended)))
    signers = [fw.party(code) for code, member in charter.members.items() if member.role == "member"]
    await fw.log(*fw.founded.signed(text, fw.founded.framework_id, signers))


def line(fw: Framework, member: str) -> Line:
    return fw.node(member).engine.lines[SECOND]


async def received(fw: Framework, member: str, count: int) -> list[str]:
    assert len(line(fw, member).reading.inbox.events) == count
    async with fw.node(member).channel("second").subscribe(Indicator) as messages:
        return [(await anext(messages)).body.pattern for _ in range(count)]


async def test_who_was_behind_reads_a_closed_log_to_its_end(fw: Framework) -> None:
    fw.node("FIN").channel("second")
    fw.relay.cut_off("FIN")
    await said(fw, 3)
    await closed(fw)
    fw.relay.reconnect("FIN")
    await fw.settle()
    assert SECOND not in fw.node("FIN").engine.trust.view.logs
    assert line(fw, "FIN").follower.judged == fw.relay_service.logs[SECOND].size
    assert await received(fw, "FIN", 3) == ["0", "1", "2"]
    assert not fw.node("FIN").engine.alarms.codes()


class Old(adv.Lie):
    """The directory is as it was."""

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        return None if log == self.engine.directory_log else await super().read(log, start, limit)

    async def witnessed(self, log: str) -> bytes | None:
        return None if log == self.engine.directory_log else await super().witnessed(log)

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        return {} if log == self.engine.directory_log else await super().bodies(log, digests)


async def test_attack_what_waited_for_the_directory_that_closes_its_log_is_not_lost(fw: Framework) -> None:
    """The relay gives both at once: entries were judged, and dropped because their channel was no more."""
    lie = Old(fw, "FIN")
    await fw.restrict("LVA", "EST")
    await said(fw, 3)
    assert line(fw, "FIN").follower.waiting
    await closed(fw)
    lie.stop()
    await fw.settle()
    assert not line(fw, "FIN").follower.waiting
    assert await received(fw, "FIN", 3) == ["0", "1", "2"]
