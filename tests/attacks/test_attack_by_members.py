"""Attacks by a member with a node of its own, on an honest relay and on the other readers."""

from __future__ import annotations

from hashlib import sha256

import pytest
from attack_bench import audited

from rsc_share.crypto.bodies import received_commitment
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.parts import Part
from rsc_share.node import line
from rsc_share.relay import lines
from rsc_share.session.frames import Logged, Statement, Turned
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.value import replace


async def test_attack_a_key_hand_out_with_nothing_as_its_key_has_the_relay_accused(fw: Framework) -> None:
    """A body without bytes is how a store says that they lie in a file: every export and every check missed it."""
    pen = await adv.Pen(fw, "EST").sync()
    good = pen.grant()
    await pen.sync()
    (node, prekey, _), *others = good.header.content.nodes
    content = GrantContent(((node, prekey, sha256(b"").digest()), *others), good.header.content.check)
    bodies = (b"", *good.submission.bodies[1:])
    (outcome,) = await pen.submit(pen.entry("grant", good.header.nodes, content=content, bodies=bodies))
    assert isinstance(outcome, Turned)
    assert (outcome.refusal.code, outcome.refusal.row) == ("malformed", 1)
    assert not {"body-missing", "body-reason"} & {finding.code for finding in (await audited(fw)).findings}
    await pen.sync()
    assert isinstance((await pen.submit(pen.grant()))[0], Logged)


async def test_attack_entries_of_fifty_kilobytes_are_read_and_not_all_kept(
    fw: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats about five hundred nodes that never were: a relay kept the newest 4,096, parsed more than a GB."""
    monkeypatch.setattr(lines, "RECENT_BYTES", 200_000)
    pen = await adv.Pen(fw, "EST").sync()
    live = fw.relay_service.logs[pen.log]
    for outcome in await pen.submit(*(about(pen, 500) for _ in range(8))):
        assert isinstance(outcome, Logged)
    assert live._lines.weight <= 200_000
    assert len(live._lines) < 3
    await fw.settle()
    follower = fw.node("LVA").channel("main").line.follower
    assert follower.judged == live.size
    facts = follower._docket.facts
    assert live.size - 1 not in facts._sources
    found = follower.source(live.size - 1)
    assert found is not None, "what refers to it is judged all the same"
    assert (found.kind, found.sender) == ("heartbeat", pen.node)


def about(pen: adv.Pen, count: int) -> adv.Forged:
    """A heartbeat that says of so many nodes that nothing came from them lately."""
    place = {"log": pen.log, "receiver": pen.node, "header_hash": bytes(32), "state": "stored", "salt": bytes(16)}
    said = [f"AAA-{number:04d}/{'x' * 56}" for number in range(count)]
    rows = tuple((node, received_commitment(sender=node, **place)) for node in said)
    made = pen.entry("heartbeat", pen.others, content=HeartbeatContent(rows))
    statements = (Statement(bytes(16), bytes(32), "stored"),) * count
    return replace(made, submission=replace(made.submission, statements=statements))


async def test_a_reader_who_is_behind_pushes_nothing_out(fw: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    pen = await adv.Pen(fw, "EST").sync()
    live = fw.relay_service.logs[pen.log]
    monkeypatch.setattr(lines, "RECENT", 3)
    await pen.submit(*(pen.heartbeat() for _ in range(6)))
    newest = range(live.size - 3, live.size)
    await live.lines(0, live.size - 3)
    assert [index for index in range(live.size) if live._lines.get(index) is not None] == [*newest]
    live._lines.clear()
    await live.line(live.size - 1)
    assert live._lines.get(live.size - 1) is not None, "where there is room it is kept"


async def test_attack_large_messages_that_open_for_nobody_are_not_held_until_the_log_ends(
    fw: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is far behind kept the header of each, hundreds of KB, because it might be recalled further on."""
    monkeypatch.setattr(line, "TURN_ENTRIES", 4)
    monkeypatch.setattr(line, "READ_LIMIT", 4)
    monkeypatch.setattr(line, "MOST_UNREAD", 3)
    fw.relay.cut_off("FIN")
    pen = await adv.Pen(fw, "EST").sync()
    grant, junk = pen.grant(), [bytes([number]) * 1_100 for number in range(12)]
    for outcome in await pen.submit(grant, *(unopened(pen, grant, body) for body in junk)):
        assert isinstance(outcome, Logged)
    fw.relay.reconnect("FIN")
    engine = fw.node("FIN").engine
    reading = engine.line("main").reading
    await engine.turn()
    assert engine.behind
    assert len(reading.unread) <= 4
    assert not any(hasattr(held, "header") for held in reading.unread.values())
    await fw.settle()
    assert not reading.unread
    told = [alarm for alarm in engine.alarms.all() if alarm.code == "bad-part"]
    assert len(told) == len(junk), "each is told all the same"


def unopened(pen: adv.Pen, grant: adv.Forged, body: bytes) -> adv.Forged:
    part = Part(digest=sha256(body).digest(), size=len(body), commit=bytes(32), media="application/msgpack")
    made = pen.message(grant, parts=(part,))
    return replace(made, submission=replace(made.submission, bodies=(body,)))
