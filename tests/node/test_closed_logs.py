"""A log that the charter closes is read to its end by who was behind: what was logged there is lost to nobody."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from node_world import PASSPHRASE, Bench

from rsc_share.charter.compose import compose, next_charter
from rsc_share.charter.model import Closed
from rsc_share.charter.text import parse_charter
from rsc_share.messages import Indicator
from rsc_share.node.backup import restore, write_backup
from rsc_share.node.home import Home
from rsc_share.node.line import Line
from rsc_share.session.frames import Tail
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.testing.founding import HOST, ChannelPlan, Plan

GREEN = "TLP:GREEN REL TO @members"
MAIN, SECOND = f"{HOST}/test-framework/main", f"{HOST}/test-framework/second"


@pytest.fixture
async def fw() -> AsyncIterator[Framework]:
    async with Framework.of(Plan(channels=(ChannelPlan("main"), ChannelPlan("second")), seed=3)) as framework:
        framework.clock.advance(seconds=30 * 60)
        await framework.settle()
        yield framework


async def said(fw: Framework, count: int, channel: str = "second") -> None:
    for number in range(count):
        said = Indicator(pattern=f"{number}", stix_id="i")
        await (await fw.node("EST").channel(channel).publish(said, label=GREEN)).receipt()
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


async def benched(fw: Framework, folder: Path) -> Bench:
    """FIN's node, to be stopped and started."""
    bench = Bench(fw, "FIN", folder / "node")
    await fw.move_out("FIN", bench.path, PASSPHRASE)
    await bench.started()
    return bench


async def test_who_was_not_running_when_a_log_was_closed_reads_it_to_its_end(fw: Framework, tmp_path: Path) -> None:
    bench = await benched(fw, tmp_path)
    bench.crash()
    await said(fw, 3)
    await closed(fw)
    await bench.started()
    assert await received(fw, "FIN", 3) == ["0", "1", "2"]
    await bench.close()


async def test_what_was_read_of_a_log_is_there_after_it_was_closed_and_its_reader_restarted(
    fw: Framework, tmp_path: Path
) -> None:
    bench = await benched(fw, tmp_path)
    await said(fw, 3)
    await closed(fw)
    assert SECOND not in fw.node("FIN").engine.trust.view.logs
    for _ in range(2):  # what a start writes down must not forget it either
        bench.crash()
        await bench.started()
    assert not fw.node("FIN").engine.alarms.codes()
    assert await received(fw, "FIN", 3) == ["0", "1", "2"]
    await bench.close()


async def test_a_backup_brings_back_what_was_read_of_a_closed_log(fw: Framework, tmp_path: Path) -> None:
    bench = await benched(fw, tmp_path)
    await said(fw, 3)
    await closed(fw)
    bench.crash()
    await bench.started()
    await bench.close()
    home = Home.open(bench.path, bench.unlock)
    store = home.store()
    write_backup(tmp_path / "backup", home, store, fw.clock.now)
    await store.close()
    home.close()
    shutil.rmtree(bench.path)
    await restore(tmp_path / "backup", bench.path, PASSPHRASE)
    fw.clock.advance(seconds=601)
    await bench.started()
    assert await received(fw, "FIN", 3) == ["0", "1", "2"]
    await bench.close()


async def test_what_was_queued_for_a_log_that_is_closed_meanwhile_is_given_up_after_a_restart(
    fw: Framework, tmp_path: Path
) -> None:
    bench = await benched(fw, tmp_path)
    await fw.node("FIN").channel("second").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
    await fw.node("FIN").engine.store.commit()
    bench.crash()
    await closed(fw)
    fw.clock.advance(seconds=3600)
    await fw.settle()
    await bench.started()
    await fw.settle()
    assert not len(line(fw, "FIN").sending.outbox)
    await bench.close()


async def test_a_closed_log_keeps_no_prekey_from_being_forgotten(fw: Framework) -> None:
    """Its time stands still: what was sealed to any prekey since could be opened for a week."""
    await said(fw, 1)
    await closed(fw)
    for _ in range(16):
        fw.clock.advance(seconds=3 * 3600)
        await fw.settle()
        await said(fw, 1, "main")
    assert len(fw.node("FIN").engine.keys) <= 3


async def test_a_channel_that_has_moved_is_the_one_that_goes_on(fw: Framework) -> None:
    node = fw.node("FIN")
    lines, old = node.engine.lines, "other.example/test-framework/main"
    lines[old], main = lines.pop(SECOND), lines.pop(MAIN)
    lines[old].log = old
    assert node.channel("main").line.log == old, "there is no other one yet"
    lines[MAIN] = main
    assert node.channel("main").line.log == MAIN
    lines[old] = lines.pop(old)
    assert node.channel("main").line.log == MAIN, "in either order"
