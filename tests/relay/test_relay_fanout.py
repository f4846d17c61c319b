"""What one node gets of the others' entries: nothing but leaf hashes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_world import CT, DIRECTORY, EST, FIN, GK, HUB, LVA, NODES, OPS, T0, Pen, World, key, prekey

from rsc_share import codec
from rsc_share.charter.certificate import POWERS, OfficerCertificate, certify
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.crypto.bodies import open_part, received_commitment, to_commitment
from rsc_share.crypto.sealing import grant_info, open_key
from rsc_share.crypto.signing import Suite
from rsc_share.envelope.approval import approve
from rsc_share.envelope.contents import ErasureContent, RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.parts import Ref
from rsc_share.errors import Refused, RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.live import State
from rsc_share.relay.snapshot import Snapshot
from rsc_share.relay.store.protocol import Body, Unknown
from rsc_share.relay.store.protocol import Full as StoreFull
from rsc_share.session.frames import Bare, Full, Logged, Turned
from rsc_share.value import replace


async def all_items(world, node, log=CT):
    items, start = [], 0
    while (tail := await world.ports[node].read(log, start, 7)) is not None and tail.items:
        assert tail.start == start
        items += tail.items
        start += len(tail.items)
    return items


async def exchange(world, *moves):
    """Grants where needed, then one message for each move `(sender, recipients, text)`."""
    pens, granted, sent = {}, {}, []
    for sender, to, text in moves:
        pen = pens.setdefault(sender, world.pen(sender))
        if granted.get(sender) != to:
            assert isinstance((await world.submit(sender, pen.grant(*to)))[0], Logged)
            granted[sender] = to
        message = pen.message(*to, text=text)
        (outcome,) = await world.submit(sender, message)
        assert isinstance(outcome, Logged), outcome
        sent.append((sender, to, message, outcome.index))
    return sent


async def test_recipient_gets_everything_it_needs_and_opens_it(world):
    ((_, _, _, index),) = await exchange(world, (EST, (FIN,), b"a convoy"))
    grant, found = await all_items(world, FIN)
    entry = UnverifiedEntry.parse(grant.entry)
    content, h = entry.header.content, UnverifiedEntry.parse(found.entry).header
    place = {"framework_id": world.id, "log": CT, "realm": "operational", "sender": EST}
    info = grant_info(**place, grant_id=entry.header.id, node=FIN, prekey_id=prekey(FIN).id, check=content.check)
    gk = open_key(prekey(FIN), grant.bodies[0], info)
    assert gk == GK
    assert open_part(gk, found.bodies[0], h.parts[0].commit, **place, id=h.id, part=0)[1] == b"a convoy"
    c = to_commitment(log=CT, sender=EST, node=FIN, n=found.opening.n, salt=found.opening.salt)
    assert h.to == ((FIN, c),)
    assert index == 1


async def test_grant_gives_each_node_its_own_sealed_key_only(world):
    await exchange(world, (EST, (FIN, LVA), b"x"))
    keys = {node: (await all_items(world, node))[0].bodies for node in (FIN, LVA)}
    assert [len(found) for found in keys.values()] == [1, 1]
    assert keys[FIN] != keys[LVA]
    port = world.ports[FIN]
    digest = hashlib.sha256(keys[LVA][0]).digest()
    assert await port.bodies(CT, [digest]) == {}
    assert await port.bodies(CT, [hashlib.sha256(keys[FIN][0]).digest()]) == {
        hashlib.sha256(keys[FIN][0]).digest(): keys[FIN][0]
    }


async def test_bodies_are_for_the_audience_and_the_sender(world):
    ((_, _, message, _),) = await exchange(world, (EST, (FIN,), b"x"))
    digest = hashlib.sha256(message.bodies[0]).digest()
    got = {node: await world.ports[node].bodies(CT, [digest]) for node in (EST, FIN, LVA, HUB)}
    assert got == {EST: {digest: message.bodies[0]}, FIN: {digest: message.bodies[0]}, LVA: {}, HUB: {}}
    with pytest.raises(RemoteError):
        await world.ports[FIN].bodies(CT, [bytes(32)] * 257)
    with pytest.raises(RemoteError):
        await world.ports[FIN].bodies(CT, [b"short"])


async def test_statements_go_to_the_sender_they_are_about(world):
    (one, two) = await exchange(world, (EST, (FIN,), b"x"), (LVA, (FIN,), b"y"))
    about = {sender: header_hash(message.header) for sender, _, message, _ in (one, two)}
    items = [(sender, digest, "opened") for sender, digest in about.items()]
    (outcome,) = await world.submit(FIN, world.pen(FIN).heartbeat(*items))
    assert isinstance(outcome, Logged), outcome
    for node in (EST, LVA):
        found = (await all_items(world, node))[outcome.index]
        ((sender, statement),) = found.statements
        assert (sender, statement.header_hash, statement.state) == (node, about[node], "opened")
        received = dict(UnverifiedEntry.parse(found.entry).header.content.received)
        assert received[node] == received_commitment(
            log=CT, receiver=FIN, sender=node, header_hash=about[node], state="opened", salt=statement.salt
        )


async def test_leaves_of_what_anyone_is_shown_make_the_signed_tree(world):
    await exchange(world, (EST, (FIN,), b"x"), (FIN, (LVA, EST), b"y"), (LVA, (EST,), b"z"))
    for node in (*NODES, HUB):
        leaves = [i.leaf if isinstance(i, Bare) else leaf_hash(i.entry) for i in await all_items(world, node)]
        assert MemoryTree(leaves).root() == world.relay.logs[CT].writer.head.root


MOVES = st.lists(
    st.tuples(st.sampled_from(NODES), st.frozensets(st.sampled_from(NODES), min_size=1, max_size=3)), max_size=6
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
async def test_nobody_gets_a_byte_of_what_is_not_for_it(moves):
    """No header, opening, statement or body of another audience appears anywhere in what crosses the port."""
    world = await World().ready()
    planned = [
        (sender, tuple(sorted(to - {sender})), f"{n} {sender} said".encode() * 3)
        for n, (sender, to) in enumerate(moves)
        if to - {sender}
    ]
    sent = await exchange(world, *planned)
    for node in (*NODES, HUB):
        crossed = b"".join([codec.pack(item.wire()) for item in await all_items(world, node)])
        for sender, to, message, _ in sent:
            concerned = node in (sender, *to)
            assert (message.header in crossed) == concerned
            assert (message.block in crossed) == concerned
            assert (message.bodies[0] in crossed) == (node in to)
            for name, opening in zip(to, message.openings, strict=True):
                assert (opening.salt in crossed) == (name == node), (node, name)
    await world.relay.aclose()


async def test_recall_erases_what_it_recalls_for_everybody(world):
    ((_, _, message, index),) = await exchange(world, (EST, (FIN,), b"not like this"))
    pen = Pen(world, EST, seq=2, prev=header_hash(message.header), counts={FIN: 2}, made=9)
    digest = hashlib.sha256(message.bodies[0]).digest()
    target = Ref(CT, index, header_hash(message.header))
    (outcome,) = await world.submit(EST, pen.refer("recall", (FIN,), target, RecallContent(None)))
    assert isinstance(outcome, Logged), outcome
    assert (await all_items(world, FIN))[index].bodies == ()
    for node in (EST, FIN):
        assert await world.ports[node].bodies(CT, [digest]) == {}
    taken: Snapshot = await world.relay.snapshot(CT)
    assert taken.erased == {digest: "recall"}
    assert digest not in taken.bodies
    assert len(taken.entries) == 3


async def test_a_recipient_cannot_recall_anothers_ciphertext_through_an_entry_of_its_own(world):
    """It can name the digest it was shown; but a body is the first entry's, and a second one brings none."""
    ((_, _, message, index),) = await exchange(world, (EST, (FIN, LVA), b"keep this"))
    digest = hashlib.sha256(message.bodies[0]).digest()
    thief = world.pen(LVA)
    await world.submit(LVA, thief.grant(FIN))
    part = Header.parse(message.header).parts[0]
    copy = replace(thief.message(FIN, parts=(part,)), bodies=message.bodies)
    (outcome,) = await world.submit(LVA, copy)
    assert isinstance(outcome, Turned)
    assert outcome.refusal.code == "body-missing"
    assert (await all_items(world, FIN))[index].bodies == message.bodies
    assert await world.ports[FIN].bodies(CT, [digest]) == {digest: message.bodies[0]}


async def test_a_recall_cut_off_before_its_erasure_is_finished_at_the_next_start(world):
    ((_, _, message, index),) = await exchange(world, (EST, (FIN,), b"not like this"))
    pen = Pen(world, EST, seq=2, prev=header_hash(message.header), counts={FIN: 2}, made=9)
    target = Ref(CT, index, header_hash(message.header))
    keep, world.store.keep_note = world.store.keep_note, _cut_off
    await world.submit(EST, pen.refer("recall", (FIN,), target, RecallContent(None)))
    world.store.keep_note = keep
    digest = hashlib.sha256(message.bodies[0]).digest()
    assert isinstance((await world.store.bodies(CT, [digest]))[digest], Body)
    await world.restart()
    assert await world.ports[FIN].bodies(CT, [digest]) == {}


async def test_an_erasure_that_finds_no_space_stops_the_log_and_is_made_good(world):
    """Were the log to go on, its next note would say that everything under it had been obeyed."""
    ((_, _, message, index),) = await exchange(world, (EST, (FIN,), b"not like this"))
    pen = Pen(world, EST, seq=2, prev=header_hash(message.header), counts={FIN: 2}, made=9)
    keep, world.store.keep_note = world.store.keep_note, _no_space
    recall = pen.refer("recall", (FIN,), Ref(CT, index, header_hash(message.header)), RecallContent(None))
    await world.submit(EST, recall)
    world.store.keep_note = keep
    assert world.relay.states()[CT] is State.STOPPED
    await world.restart()
    await world.witness()
    assert await world.ports[FIN].bodies(CT, [hashlib.sha256(message.bodies[0]).digest()]) == {}
    (again,) = await world.submit(EST, recall)
    assert isinstance(again, Logged)


async def _no_space(log, note, erasing):
    assert erasing
    raise StoreFull("the disk is full")


async def _cut_off(log, note, erasing):
    assert erasing
    raise Unknown("the process was killed")


async def test_a_revoked_node_reads_nothing_more(world):
    await exchange(world, (EST, (FIN,), b"x"))
    act = Revocation(FIN, subject="node", reason="stolen", issued=world.clock.now)
    await world.ports[EST].submit_object(revoke(act, world.id, key("FIN authority", Suite.HYBRID)), {})
    for call in (
        world.ports[FIN].read(CT, 0, 10),
        world.ports[FIN].read(DIRECTORY, 0, 10),
        world.ports[FIN].logs(),
        world.ports[FIN].bodies(CT, []),
        world.ports[FIN].changed({}),
    ):
        with pytest.raises(Refused, match="revoked"):
            await call


async def test_strangers_get_nothing(world):
    for node in ("EST/mod-2", "SWE/mod-1"):
        with pytest.raises(Refused, match="not certified"):
            await world.relay.connect(node).logs()


async def test_everybody_reads_the_directory_whole(world):
    for node in (*NODES, HUB):
        items = await all_items(world, node, DIRECTORY)
        assert len(items) == 4
        assert all(isinstance(item, Full) for item in items)
        assert len(await world.ports[node].bodies(DIRECTORY, list(world.bodies))) == 4


async def test_reading_beyond_the_end_or_of_a_strange_log_is_refused(world):
    with pytest.raises(RemoteError):
        await world.ports[EST].read(CT, 1, 10)
    with pytest.raises(Refused):
        await world.ports[EST].read("relay.example:8443/regional/nowhere", 0, 10)
    for start, limit in ((-1, 1), (0, 0)):
        with pytest.raises(RemoteError):
            await world.ports[EST].read(OPS, start, limit)


async def test_snapshot_holds_what_an_auditor_needs(world):
    ((_, to, message, index),) = await exchange(world, (EST, (FIN,), b"x"))
    assert (await world.relay.snapshot(CT)).witnessed != (await world.relay.snapshot(CT)).note
    await world.witness()
    taken = await world.relay.snapshot(CT)
    assert taken.witnessed == taken.note
    assert [stored.openings.keys() for stored in taken.entries] == [{FIN}, {FIN}]
    assert dict(taken.entries[index].openings) == dict(zip(to, message.openings, strict=True))
    assert hashlib.sha256(message.bodies[0]).digest() in taken.bodies
    assert len(taken.bodies) == 2
    assert (
        MemoryTree(leaf_hash(stored.entry) for stored in taken.entries).root() == world.relay.logs[CT].writer.head.root
    )
    directory = await world.relay.snapshot(DIRECTORY)
    assert dict(directory.bodies) == world.bodies
    with pytest.raises(Refused):
        await world.relay.snapshot("relay.example:8443/regional/nowhere")


async def test_what_an_erasure_removed_does_not_come_again(world):
    """Under another entry. What the reason for its absence is would be another one there."""
    ((_, _, message, _),) = await exchange(world, (EST, (FIN,), b"unlawful"))
    digest = hashlib.sha256(message.bodies[0]).digest()
    officer = OfficerCertificate(
        "EST/duty-1", key("duty-1").public, frozenset(POWERS), (T0 - 1, T0 + 10**9), world.clock.now
    )
    await world.ports[EST].submit_object(
        certify(officer, world.id, key("EST authority", Suite.HYBRID), key(f"{EST} signing")), {}
    )
    await world.witness()
    pen = Pen(world, EST, seq=2, prev=header_hash(message.header), counts={FIN: 2}, made=9)
    order = {"content": ErasureContent((digest,), "court order 7"), "id": pen.new_id()}
    draft = Header.parse(pen.entry("erasure", NODES, advance=False, **order).header)
    approval = approve(key("duty-1"), world.id, draft)
    (outcome,) = await world.submit(EST, pen.entry("erasure", NODES, **order, approvals=(approval,)))
    assert isinstance(outcome, Logged), outcome
    assert await world.ports[FIN].bodies(CT, [digest]) == {}

    pen.last_grant = Header.parse(message.header).grant
    again = replace(pen.message(FIN, parts=Header.parse(message.header).parts), bodies=message.bodies)
    (outcome,) = await world.submit(EST, again)
    assert isinstance(outcome, Turned)
    assert outcome.refusal.code == "body-missing"
    await world.restart()
    assert await world.ports[FIN].bodies(CT, [digest]) == {}
