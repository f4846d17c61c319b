"""A whole node that reads a log full of everything: together, and one entry after the other."""

from __future__ import annotations

from random import Random

import pytest
from node_mixture import MEMBERS, Writer

from rsc_share.envelope.entry import Stamp
from rsc_share.errors import Unavailable
from rsc_share.messages import Indicator
from rsc_share.node import docket
from rsc_share.node.engine import Engine
from rsc_share.node.identity import World as Outside
from rsc_share.node.load import idle
from rsc_share.node.store.memory import MemoryStore
from rsc_share.rulebook.admit import AHEAD
from rsc_share.session.frames import Full
from rsc_share.testing import Framework
from rsc_share.testing.adversaries import EVERYBODY, CheatingRelay, Pen
from rsc_share.testing.clock import Dice
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import RelayControl, Wire
from rsc_share.value import replace


class Reader(Wire):
    """The line of a node that only reads, and is not given every opening."""

    async def read(self, log, start, limit):
        tail = await super().read(log, start, limit)
        if tail is None or not log.endswith("/main"):
            return tail
        items = [
            replace(item, opening=None) if isinstance(item, Full) and index % 11 == 0 else item
            for index, item in enumerate(tail.items, tail.start)
        ]
        return replace(tail, items=tuple(items))

    async def submit(self, log, entries):
        raise Unavailable("reading only")

    async def submit_object(self, found, bodies):
        raise Unavailable("reading only")

    async def offers(self, heads, shown=None):
        return []


async def read_by(fw: Framework, ahead: int, monkeypatch) -> Engine:
    """A new node of LVA's, with its keys, that has read everything: so many entries at a time."""
    monkeypatch.setattr(docket, "AHEAD", ahead)
    node = fw.node("LVA").engine
    port = Reader(fw.relay_service.connect(node.identity.node), "LVA", RelayControl())
    outside = Outside(fw.clock, Dice("again"), idle)
    engine = Engine(node.identity, node.directory_log, {HOST: port}, outside, store=MemoryStore())
    engine.keys._prekeys.update(node.keys._prekeys)
    while await engine.turn():
        pass
    return engine


async def log_of_everything(fw: Framework, seed: int) -> None:
    for n in range(12):  # of its own, which nobody else may sign
        await fw.node("LVA").channel("main").publish(Indicator(pattern=f"own {n}", stix_id="i"), label=EVERYBODY)
    await fw.settle()
    for member in MEMBERS:
        fw.relay.cut_off(member)  # nobody hands anything in beside the pens
    relay, pens = CheatingRelay(fw), {member: await Pen(fw, member).sync() for member in ("EST", "FIN")}
    writer = Writer(Random(seed), relay.size, pens, fw.clock.now)  # noqa: S311
    for _ in range(2 * AHEAD):
        made, wrong = writer.write()
        fw.clock.advance(seconds=0.02)
        writer.at = fw.clock.now
        if made is None:
            writer.index -= 1  # of bytes that are no entry this relay shows nobody anything
            continue
        stamp = relay.stamp()
        stamp = Stamp(stamp.logged_at - 1000, stamp.directory) if wrong == "stamp" else stamp
        await relay.log(made, stamp=stamp)


@pytest.mark.parametrize("seed", range(2))
async def test_alarms_events_and_store_of_a_node_are_those_of_one_entry_after_the_other(monkeypatch, seed) -> None:
    async with Framework.create(*MEMBERS, seed=seed) as fw:
        await fw.settle()
        fw.clock.advance(seconds=40 * 60)
        await fw.settle()
        await log_of_everything(fw, seed)
        await read_by(fw, AHEAD, monkeypatch)  # what a relay has read from its disk ends tails where nothing else does
        together, alone = await read_by(fw, AHEAD, monkeypatch), await read_by(fw, 1, monkeypatch)
        log = fw.node("LVA").channel("main").line.log
        assert together.alarms.all() == alone.alarms.all()
        assert {"void-entry", "opening-missing"} <= {alarm.code for alarm in alone.alarms.all()}
        assert list(together.lines[log].reading.events) == list(alone.lines[log].reading.events)
        assert len(alone.lines[log].reading.events) > AHEAD // 4
        for engine in (together, alone):
            await engine.store.commit()
        assert together.store._rows == alone.store._rows
