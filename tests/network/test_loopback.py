"""The framework's own flows, over TLS on loopback instead of function calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rsc_share import Draft, Node, Portion, Recalled, Unavailable, Unlock, Withheld, codec
from rsc_share.envelope.parts import Head
from rsc_share.messages import Indicator, ThreatAssessment
from rsc_share.node.identity import Identity
from rsc_share.node.net.port import NetPort
from rsc_share.relay.cosigning import Cosigning
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.store.protocol import Batch, Writer
from rsc_share.session.frames import Offer
from rsc_share.session.port import NOTHING, Shown
from rsc_share.testing.founding import HOST
from rsc_share.testing.loopback import LoopbackFramework, NetWire

GREEN = "TLP:GREEN REL TO @members"
MAIN = f"{HOST}/test-framework/main"


async def test_a_message_crosses_the_network_and_is_quoted_by_its_number() -> None:
    async with LoopbackFramework.create("EST", "LVA", "FIN", seed=7) as fw:
        sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        receipt = await sent.receipt()
        await fw.settle()
        async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
            message = await anext(inbox)
            assert message.reference == receipt.reference
            assert message.body.pattern == "p"
        assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_a_portion_is_withheld_from_whom_its_label_does_not_name(fw: LoopbackFramework) -> None:
    report = ThreatAssessment(
        title="Border",
        text=[
            Portion("General warning.", "REGIONAL RESTRICTED REL TO @members"),
            Portion("Source detail.", "REGIONAL SECRET REL TO FIN"),
        ],
    )
    draft = Draft(report, label="REGIONAL RESTRICTED REL TO @members", precedence="IMMEDIATE")
    await (await fw.node("EST").channel("main").publish(draft)).receipt()
    await fw.settle()
    for member, second in (("FIN", Portion), ("LVA", Withheld)):
        async with fw.node(member).channel("main").subscribe(ThreatAssessment) as inbox:
            message = await anext(inbox)
            assert isinstance(message.body.text[1], second)


async def test_recall_and_delivery_cross_the_network(fw: LoopbackFramework) -> None:
    channel = fw.node("EST").channel("main")
    sent = await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
    receipt = await sent.witnessed()
    await fw.settle()
    await (await channel.recall(receipt.reference, reason="source compromised")).receipt()
    await fw.settle()
    async with fw.node("LVA").channel("main").subscribe(Indicator, Recalled) as inbox:
        message = await anext(inbox)
        assert isinstance(message.body, Recalled)
        await message.body.comply(copies="erased")
        await message.done()
    await fw.settle()
    async with sent.deliveries() as steps:
        assert (await anext(steps)).state == "recalled"


async def test_what_was_logged_over_the_network_passes_an_audit(fw: LoopbackFramework) -> None:
    for member in ("EST", "LVA", "FIN"):
        sent = await fw.node(member).channel("main").publish(Indicator(pattern=member, stix_id="i"), label=GREEN)
        await sent.witnessed()
    assert not (await fw.audit()).findings


async def test_a_hundred_messages_arrive_once_and_in_order(fw: LoopbackFramework) -> None:
    channel = fw.node("EST").channel("main")
    sent = [await channel.publish(Indicator(pattern=str(n), stix_id="i"), label=GREEN) for n in range(100)]
    receipts = [await item.receipt() for item in sent]
    await fw.settle()
    async with fw.node("LVA").channel("main").subscribe(Indicator) as inbox:
        heard = []
        for _ in range(100):
            message = await anext(inbox)
            heard.append((message.reference, message.body.pattern))
            await message.done()
    assert heard == [(receipt.reference, str(n)) for n, receipt in enumerate(receipts)]


async def test_a_node_that_moves_out_takes_its_place_over_the_network(fw: LoopbackFramework, tmp_path: Path) -> None:
    await fw.move_out("EST", tmp_path / "est", b"correct horse battery staple")
    (tmp_path / "secret").write_bytes(b"correct horse battery staple\n")
    async with Node.open(tmp_path / "est", unlock=Unlock.file(tmp_path / "secret")) as node:
        sent = await node.channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        async with asyncio.timeout(60):
            await sent.receipt()


# --- cut off and back


def net(fw: LoopbackFramework, member: str) -> NetPort:
    wire = fw.node(member).engine.port(MAIN)
    assert isinstance(wire, NetWire)
    return wire.net


def cut(fw: LoopbackFramework, member: str) -> None:
    opened = next(item for item in fw.server.sessions if item.token.node.startswith(member))
    opened.serving.end(Unavailable("cut by a test", code="slow"))


async def again_and_again(call: Callable[[], Awaitable[object]]) -> None:
    while True:
        await call()


async def test_a_node_that_is_cut_off_dials_again_and_what_waits_leaves(fw: LoopbackFramework) -> None:
    port, channel = net(fw, "EST"), fw.node("EST").channel("main")
    pause = asyncio.Event()
    port._link._pause = lambda _: pause.wait()
    cut(fw, "EST")
    with pytest.raises(Unavailable) as found:
        await again_and_again(port.logs)
    assert found.value.code == "slow"
    sent = await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
    waiting = asyncio.create_task(sent.receipt())
    pause.set()
    async with asyncio.timeout(60):
        receipt = await waiting
    await fw.settle()
    assert port.own[MAIN][0] < int(receipt.reference.rpartition("/")[2])
    assert not [alarm for node in fw.nodes for alarm in node.alarms]


async def test_the_welcome_says_the_senders_newest_entry(fw: LoopbackFramework) -> None:
    port = net(fw, "EST")
    assert port.own[MAIN] == (0, bytes(32), -1)
    sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
    receipt = await sent.receipt()
    bell = port._link._bell.next()
    cut(fw, "EST")
    async with asyncio.timeout(60):
        await bell.wait()
        await port._link.opened()
    seq, _, index = port.own[MAIN]
    assert (seq, index) == (int(receipt.reference.rpartition("/")[2]), receipt.index)


async def test_every_session_begins_with_what_the_node_was_shown(fw: LoopbackFramework) -> None:
    """Its receipt too, whether or not anybody has cosigned that: a relay that was rolled back hears of it first."""
    sent = await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
    receipt = await sent.receipt()
    told: list[dict[str, Head]] = []
    offers = Cosigning.offers

    async def heard(self: Cosigning, heads: Mapping[str, int], known: Shown = NOTHING) -> list[Offer]:
        if self._access.node == "EST/mod-1":
            told.append(dict(known))
        return await offers(self, heads, known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cosigning, "offers", heard)
        bell = net(fw, "EST")._link._bell.next()
        cut(fw, "EST")
        async with asyncio.timeout(60):
            await bell.wait()
            await net(fw, "EST")._link.opened()
        for _ in range(2):
            await fw.node("EST").engine.turn()
    assert {log: head.size > receipt.index for log, head in told[0].items() if log == MAIN} == {MAIN: True}
    assert told[1] == {}, "once is enough: this relay shows nothing that it does not have"


async def test_calls_under_way_end_with_the_session(fw: LoopbackFramework) -> None:
    """Whoever waits for news learns that there is no session: nobody waits for an answer that cannot come."""
    link = net(fw, "EST")._link

    async def news() -> None:
        await link.call("changed", codec.pack([{MAIN: 1 << 40}, {}]), "ROUTINE")

    waiting = asyncio.create_task(again_and_again(news))
    await asyncio.sleep(0)
    cut(fw, "EST")
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable):
            await waiting


async def test_a_draining_relay_says_so_and_ends_every_session(fw: LoopbackFramework) -> None:
    port = net(fw, "EST")
    await fw.server.drain()
    with pytest.raises(Unavailable) as found:
        await port.logs()
    assert found.value.code in ("draining", "cut-off")
    assert not len(fw.server.sessions)


async def test_what_is_being_committed_while_a_relay_drains_is_answered(
    fw: LoopbackFramework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes its time; the node hears that its entry is logged before it hears goodbye."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    append = fw.store.append

    async def slowly(writer: Writer, batch: Batch) -> Writer:
        begun.set()
        await go_on.wait()
        return await append(writer, batch)

    channel = fw.node("EST").channel("main")
    await (await channel.publish(Indicator(pattern="first", stix_id="i"), label=GREEN)).receipt()
    await fw.settle()
    monkeypatch.setattr(fw.store, "append", slowly)
    receipt = asyncio.create_task((await channel.publish(Indicator(pattern="p", stix_id="i"), label=GREEN)).receipt())
    async with asyncio.timeout(60):
        await begun.wait()
        draining = asyncio.create_task(fw.server.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        go_on.set()
        assert (await receipt).index >= 0
        await draining


async def test_a_relay_that_drains_waits_for_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hasty(LoopbackFramework):
        limits = replace(Limits(), drain_seconds=0.2)

    async with Hasty.create("EST", "LVA", "FIN", seed=7) as fw:
        never, begun = asyncio.Event(), asyncio.Event()
        append = fw.store.append

        async def stuck(writer: Writer, batch: Batch) -> Writer:
            begun.set()
            await never.wait()
            return await append(writer, batch)

        monkeypatch.setattr(fw.store, "append", stuck)
        await fw.node("EST").channel("main").publish(Indicator(pattern="p", stix_id="i"), label=GREEN)
        async with asyncio.timeout(60):
            await begun.wait()
            await fw.server.drain()
        never.set()


async def test_nobody_answers_is_unavailable_at_once(fw: LoopbackFramework) -> None:
    await fw.server.drain()
    keys = fw.party("EST").nodes[0]
    identity = Identity("EST/mod-1", fw.founded.framework_id, keys.signing, keys.witness, keys.witness_pq)
    with pytest.raises(Unavailable):
        await fw.link(identity, "late").start()


async def test_a_large_object_crosses_in_pieces(fw: LoopbackFramework) -> None:
    """A charter with its policy, megabytes of it, is split on the way and whole at the other end."""
    charter = fw.relay_service.view.charter
    found, bodies = fw.founded.amended(charter, {**charter.members}, ["EST", "LVA", "FIN"])
    index = await net(fw, "EST").submit_object(found, bodies)
    asked = await net(fw, "FIN").bodies(fw.founded.charter.directory, list(bodies))
    assert dict(asked) == bodies
    assert index == fw.relay_service.directory.size - 1
