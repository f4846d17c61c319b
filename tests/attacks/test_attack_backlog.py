"""What a node is shown of a tree that it has not read to its end is proved by itself, or is not kept."""

from __future__ import annotations

import pytest
from attack_bench import admitted

from rsc_share.errors import RemoteError, Unavailable
from rsc_share.messages import Indicator
from rsc_share.node.engine import Engine
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import Shelf
from rsc_share.node.trust import Trust, needed, object_of
from rsc_share.session.frames import Bare, Tail
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.value import replace

WIDE = "REGIONAL RESTRICTED REL TO @members"


class Short(adv.Lie):
    """A relay that shows one entry at a time, `most` of them, and then breaks off."""

    def __init__(self, framework: Framework, member: str, most: int) -> None:
        super().__init__(framework, member)
        self.log, self.left = self.engine.line("main").log, most

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        if log != self.log:
            return await super().read(log, start, limit)
        if not self.left:
            raise Unavailable("gone", code="cut-off")
        self.left -= 1
        tail = await super().read(log, start, 1)
        return tail and self.altered(tail)

    def altered(self, tail: Tail) -> Tail:
        return tail


class Unproved(Short):
    """One that proves nothing of what it shows: it could go on for ever."""

    def altered(self, tail: Tail) -> Tail:
        return replace(tail, proof=())


class Invented(Short):
    """One that shows hashes of its own, with the proof for the true ones."""

    def altered(self, tail: Tail) -> Tail:
        return replace(tail, items=tuple(Bare(bytes(32)) for _ in tail.items))


async def behind(fw: Framework, count: int) -> tuple[Engine, str, int]:
    """LVA, which has not read the newest entries of a channel; the channel's log; the size as LVA knows it."""
    engine = fw.node("LVA").engine
    line, channel = engine.line("main"), fw.node("EST").channel("main")
    start, away = line.follower.size, Short(fw, "LVA", 0)
    for number in range(count):
        await (await channel.publish(Indicator(pattern="p", stix_id=f"{number}"), label=WIDE)).receipt()
    assert line.follower.size == start
    away.stop()
    return engine, line.log, start


async def test_entries_of_a_tail_are_judged_before_the_rest_of_the_tree_is_read(fw: Framework) -> None:
    engine, log, start = await behind(fw, 5)
    Short(fw, "LVA", 2)
    await fw.settle()
    follower = engine.lines[log].follower
    assert (follower.size, follower.checked, follower.judged) == (start + 2,) * 3
    assert admitted(engine, log, start + 1)
    assert not engine.alarms.codes()


@pytest.mark.parametrize("lie", [Unproved, Invented])
async def test_relay_cannot_make_a_node_hold_what_it_never_proves(fw: Framework, lie: type[Short]) -> None:
    engine, log, start = await behind(fw, 5)
    liar = lie(fw, "LVA", 3)
    await fw.settle()
    follower = engine.lines[log].follower
    assert (follower.size, follower.checked, follower.judged) == (start,) * 3
    assert set(engine.alarms.codes()) == {"bad-proof"}
    liar.stop()
    await fw.settle()
    assert admitted(engine, log, start + 4)


@pytest.mark.parametrize("proved", [True, False])
async def test_relay_cannot_show_a_beginning_of_a_directory_without_proof(fw: Framework, proved: bool) -> None:
    engine = fw.node("LVA").engine
    log, now = engine.directory_log, fw.clock.now
    trust = Trust(engine.identity.charter_digest, Shelf(MemoryStore()))
    tail = await engine.port(log).read(log, 0, 2)
    assert tail is not None
    bodies = await engine.port(log).bodies(log, needed(object_of(tail.items[0].entry), {}))
    bodies |= await engine.port(log).bodies(log, needed(object_of(tail.items[0].entry), bodies))
    if proved:
        trust.take(tail, bodies, now)
        assert trust.size == 2
    else:
        with pytest.raises(RemoteError) as caught:
            trust.take(replace(tail, proof=()), bodies, now)
        assert (caught.value.code, trust.size) == ("bad-proof", 0)
