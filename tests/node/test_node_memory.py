"""A node's memory holds what is open and the last few of everything else; what is settled is read when asked for."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator

from rsc_share import Portion
from rsc_share.messages import ThreatAssessment
from rsc_share.node import events, stretches, tickets
from rsc_share.node.inbox import Arrival, RecallEvent
from rsc_share.node.message import Recalled
from rsc_share.node.node import Node
from rsc_share.node.outbox import Item
from rsc_share.node.store import ledger
from rsc_share.node.store.protocol import Room
from rsc_share.node.ticket import Place, Ticket
from rsc_share.rulebook.view import Source
from rsc_share.testing import Framework

FEW = 4
MANY = 120


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is forgotten after four of its kind."""
    for module, name in (
        (events, "REMEMBERED"),
        (tickets, "REMEMBERED"),
        (ledger, "REMEMBERED"),
        (stretches, "IDS"),
        (stretches, "GRANTS"),
        (stretches, "SOURCES"),
    ):
        monkeypatch.setattr(module, name, FEW)
    for name in ("RUN", "SUMMED"):
        monkeypatch.setattr(ledger, name, 5)


KINDS = (Ticket, Arrival, RecallEvent, Place, Item, Source)


def existing() -> list[object]:
    """Everything of these kinds in this process: what other tests left is held here, so that it can be told apart."""
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, KINDS)]


def alive(others: list[object]) -> Counter[str]:
    """How many objects of a kind there are beside others, of all nodes of a framework together."""
    known = set(map(id, others))
    return Counter(type(found).__name__ for found in existing() if id(found) not in known)


async def said(fw: Framework) -> None:
    """Until every node has said what it holds."""
    for _ in range(7):
        fw.clock.advance(seconds=140)
        await fw.settle()


async def sent(fw: Framework, count: int, tag: str = "p", node: Node | None = None) -> list[object]:
    """Ids of messages of EST, or of a node."""
    channel = (node or fw.node("EST")).channel("main")
    found: list[object] = []
    for n in range(count):
        found.append((await channel.publish(indicator(f"{tag}{n}"), label=GREEN, key=f"{n} {tag[:5]}")).id)
        if n % 10 == 9:
            await fw.settle()
    await fw.settle()
    return found


async def given(node: Node, count: int, consumer: str) -> list[tuple[str, bool]]:
    """The next messages of a consumer, and whether they came before. Each is done."""
    found = []
    async with node.channel("main").subscribe(consumer=consumer) as messages:
        async for message in messages:
            text = message.body.reason if isinstance(message.body, Recalled) else message.body.pattern
            found.append((text, message.redelivered))
            await message.done(wait=False)
            if len(found) == count:
                return found
    raise AssertionError("unreachable")


def history(node: Node, which: object) -> list[tuple[str, str, int]]:
    """Every step of a message that is known so far."""
    ticket = node.channel("main").submission(which)._ticket
    return [(step.member, step.state, step.since) for step in ticket.history]


async def test_objects_in_memory_do_not_grow_with_the_messages() -> None:
    others = existing()
    async with Framework.create("EST", "LVA", "FIN") as fw:
        await sent(fw, 20)
        await given(fw.node("LVA"), 20, "c")
        await said(fw)
        before = alive(others)
        await sent(fw, MANY, "more")
        await given(fw.node("LVA"), MANY, "c")
        await said(fw)
        after = alive(others)
        assert before["Arrival"] == after["Arrival"] == 2 * FEW  # LVA's and FIN's
        assert after["Ticket"] <= FEW + 1
        assert after["Place"] <= FEW + 1
        assert after["Source"] <= 3 * FEW
        assert after["Item"] <= before["Item"] + 2


async def test_what_nobody_confirms_is_not_in_memory_either() -> None:
    others = existing()
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("FIN")
        await sent(fw, MANY)
        await said(fw)
        found, shelf = alive(others), fw.node("EST").channel("main").line.shelf
        assert found["Ticket"] <= FEW + 1
        assert found["Item"] < MANY // 4
        assert len(shelf.rows(Room.PAYLOAD)) == MANY
        fw.relay.reconnect("FIN")
        await said(fw)
        assert not shelf.rows(Room.PAYLOAD)
        assert not fw.node("EST").alarms


async def test_a_node_with_many_settled_messages_starts_without_them(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        lva = bench.fw.node("LVA")
        mine = await sent(bench.fw, 40, "mine", node)
        await sent(bench.fw, MANY, "theirs", lva)
        await given(node, MANY, "c")
        await said(bench.fw)
        bench.crash()
        del node
        others = existing()
        node = await bench.open()
        found = alive(others)
        assert not {"Ticket", "Arrival", "Place", "Item", "Source"} & set(found), found
        await bench.fw.settle()
        # A new consumer begins with the first one, and nothing is said to come again; an old one is done with all.
        expected = [(f"theirs{n}", False) for n in range(MANY)]
        assert await given(node, MANY, "another") == expected
        await sent(bench.fw, 1, "last", lva)
        assert await given(node, 1, "c") == [("last0", False)]
        again = await node.channel("main").publish(indicator("mine3"), label=GREEN, key="3 mine")
        assert again.id == mine[3]
        assert (await again.receipt()).reference.startswith("EST/mod-1/main/")


@pytest.mark.parametrize("restart", [False, True])
async def test_an_old_message_is_recalled_after_it_was_forgotten(tmp_path: Path, restart: bool) -> None:
    async with Bench.create(tmp_path, "LVA") as bench:
        lva = await bench.started()
        fw = bench.fw
        (which,) = await sent(fw, 1, "the-secret-pattern")
        await sent(fw, 30)
        assert await given(lva, 3, "slow") == [("the-secret-pattern0", False), ("p0", False), ("p1", False)]
        if restart:
            lva = await bench.restarted()
        channel = fw.node("EST").channel("main")
        reference = (await channel.submission(which).receipt()).reference
        recall = await channel.recall(reference, reason="wrong")
        await fw.settle()
        await recall.receipt()
        line = lva.channel("main").line
        assert line.reading.inbox.events[0].payloads == {}
        for store, logs in ((lva.engine.store, lva.engine.lines), (fw.node("EST").engine.store, lva.engine.lines)):
            values = [value for room in Room for log in ("", *logs) for _, value in store.rows(room, log)]
            assert not any(b"the-secret-pattern0" in value for value in values)
        found = await given(lva, 31, "from the beginning")
        assert [text for text, _ in found] == [*(f"p{n}" for n in range(30)), "wrong"]
        assert not (await fw.audit()).findings


async def test_what_was_stated_of_a_forgotten_message_is_worked_out_again() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        est, lva = fw.node("EST"), fw.node("LVA")
        first, *_ = await sent(fw, 1)
        held = est.channel("main").submission(first)
        await said(fw)
        async with lva.channel("main").subscribe() as messages:
            message = await anext(aiter(messages))
            await message.done()
            await message.acknowledge()
        await said(fw)
        fw.relay.cut_off("FIN")
        later, *_ = await sent(fw, 12, "later")
        await said(fw)
        told = history(est, first)
        assert {step[:2] for step in told} >= {("LVA", "handed-over"), ("LVA", "acknowledged"), ("FIN", "stored")}
        assert len({step[2] for step in told}) > 1
        del held
        gc.collect()
        assert first.bytes not in est.channel("main").line.tickets._live
        assert history(est, first) == told
        assert {step[:2] for step in history(est, later)} == {("LVA", "stored")}
        fw.relay.reconnect("FIN")
        await said(fw)
        assert {step[:2] for step in history(est, later)} == {("LVA", "stored"), ("FIN", "stored")}


async def test_a_late_statement_wakes_whoever_waits_for_an_old_message() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        fw.relay.cut_off("FIN")
        first, *_ = await sent(fw, 20)
        await said(fw)
        async with fw.node("EST").channel("main").submission(first).deliveries() as steps:
            assert (await anext(steps)).member == "LVA"
            waiting = asyncio.create_task(anext(steps))
            fw.relay.reconnect("FIN")
            await said(fw)
            async with asyncio.timeout(5):
                step = await waiting
            assert (step.member, step.state) == ("FIN", "stored")


async def test_an_old_entry_of_ours_is_acknowledged_and_a_stranger_one_is_not() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        first, *_ = await sent(fw, 20)
        lva = fw.node("LVA")
        async with lva.channel("main").subscribe() as messages:
            await (await anext(aiter(messages))).acknowledge()
        await fw.settle()
        assert [step[:2] for step in history(fw.node("EST"), first)] == [("LVA", "acknowledged")]
        with pytest.raises(Exception, match="no message LVA/mod-1/main/1 is known"):
            await fw.node("EST").channel("main").recall("LVA/mod-1/main/1", reason="x")


async def test_a_portion_that_comes_late_joins_a_document_that_was_forgotten(tmp_path: Path) -> None:
    async with Bench.create(tmp_path, "LVA") as bench:
        lva = await bench.started()
        label = "REGIONAL RESTRICTED REL TO @members"
        report = ThreatAssessment(title="t", text=[Portion("a", label), Portion("b", label)])
        est = bench.fw.node("EST").channel("main")
        await est.publish(report, label=label)
        await bench.fw.settle()
        line = lva.channel("main").line
        (event,) = line.reading.events
        assert set(event.payloads) == {0, 1, 2}
        (row,) = (value for key, value in line.shelf.rows(Room.HELD) if isinstance(key[0], str))
        assert row == [0]
        await sent(bench.fw, 10)
        await bench.restarted()
        line = bench.node.channel("main").line
        shown = line.reading.documents._document((event.header.sender, event.header.document[0]), event.header)
        assert {portion: payload for portion, (_, payload) in shown.parts.items()} == event.payloads
        assert shown.head is not None
        assert shown.head.place == event.place


async def test_keys_are_forgotten_when_nobody_can_rerun_them(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await sent(bench.fw, 12, "old", node)
        line = node.channel("main").line
        bench.fw.clock.advance(seconds=60)
        await sent(bench.fw, 1, "new", node)
        line.tickets.forget_keys(bench.fw.clock.now - 30_000)
        assert [key for key, _ in line.shelf.rows(Room.KEY)] == ["0 new"]
        await node.engine.store.commit()
        line = (await bench.restarted()).channel("main").line
        assert line.tickets.under("3 old") is None
        assert line.tickets.under("0 new") is not None
