"""Offers, cosignatures, freshness, and who is woken when."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_world import (
    BEGIN,
    CT,
    DAY,
    DIRECTORY,
    EST,
    FIN,
    HUB,
    LVA,
    MINUTE,
    Witness,
    head_of,
    key,
    log_keys,
    witness_keys,
)
from test_relay_admission import codes, started
from test_relay_directory import prekey_of

from rsc_share.charter.certificate import NodeCertificate, certify
from rsc_share.charter.revocation import Revocation, revoke
from rsc_share.crypto.signing import Suite
from rsc_share.errors import Refused, RemoteError, Unavailable
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import KeyType, NoteSignature, VerifierKey
from rsc_share.log.note import Note as SignedNote
from rsc_share.relay.notes import by_member, shown, whole
from rsc_share.relay.store.protocol import Note
from rsc_share.relay.store.rows import pack_lines, read_lines
from rsc_share.relay.witnessing import ROUND, Quorum, Witnessing
from rsc_share.rulebook.facts import head_key
from rsc_share.rulebook.witnesses import node_keys, open_witnessed
from rsc_share.rulebook.witnesses import witness_keys as witness_keys_of_all
from rsc_share.session.frames import MAX_NOTE


def lines_of(note: bytes) -> list[str]:
    return [line.name for line in SignedNote.parse(note).signatures]


async def test_quorum_is_in_the_note_that_nodes_are_shown(world):
    await started(world)
    assert await world.ports[EST].read(CT, 1, 10) is None
    await world.witness(EST)
    assert await world.ports[EST].read(CT, 1, 10) is None
    await world.witness(LVA)
    tail = await world.ports[EST].read(CT, 1, 10)
    assert tail.items == ()
    found = open_witnessed(tail.note, world.relay.view, CT, world.clock.now)
    assert (found.checkpoint.size, set(found.times)) == (1, {"EST", "LVA"})
    assert await world.ports[EST].read(CT, 1, 10) is None, "the same note is shown to a session once"
    assert await world.relay.connect(EST).read(CT, 1, 10) is not None


async def test_a_reader_who_is_behind_is_shown_the_witnessed_tree_first(world):
    pen = await started(world)
    await world.witness()
    await world.submit(EST, pen.message(FIN), pen.message(FIN))
    first = await world.ports[FIN].read(CT, 0, 10)
    assert (len(first.items), head_of(first.note).size) == (1, 1)
    second = await world.ports[FIN].read(CT, 1, 10)
    assert (len(second.items), head_of(second.note).size) == (2, 3)
    assert head_of(await world.ports[FIN].witnessed(CT)).size == 1


async def test_idle_logs_are_offered_again_every_quarter_of_lag(world):
    await world.witness()
    assert await world.witnesses[EST].answer(world.ports[EST], world.clock) == []
    world.clock.now += 150_000
    assert {offer.log for offer in await world.witnesses[EST].answer(world.ports[EST], world.clock)} == set(
        world.relay.logs
    )
    assert await world.witnesses[EST].answer(world.ports[EST], world.clock) == []


async def test_all_witnesses_are_offered_one_tree_until_k_have_cosigned_it(world):
    """Else on a busy log every witness would cosign another size and nothing would ever be witnessed."""
    pen = await started(world)
    await world.witness(EST)
    await world.submit(EST, pen.message(FIN))
    (offer,) = [o for o in await world.witnesses[FIN].answer(world.ports[FIN], world.clock, only=CT) if o.log == CT]
    assert head_of(offer.note).size == 1
    assert world.relay.logs[CT].witnessing.quorum.size == 1
    (offer,) = [o for o in await world.ports[LVA].offers({}) if o.log == CT]
    assert head_of(offer.note).size == 2


async def test_a_silent_witness_holds_a_round_for_a_second_only(world):
    pen = await started(world)
    await world.witness(EST)
    await world.submit(EST, pen.message(FIN))
    world.clock.now += ROUND
    sizes = {o.log: head_of(o.note).size for o in await world.ports[EST].offers({CT: 1})}
    assert sizes[CT] == 2


async def test_only_verified_lines_of_this_very_node_are_kept(world):
    """A stored line that nobody verified would be served under the log's name and wedge strict readers."""
    await started(world)
    live = world.relay.logs[CT]
    good = Checkpoint(CT, 1, live.writer.head.root)
    now, name = world.clock.now // 1000, f"regional/{EST}"
    one, two = witness_keys(EST)
    lines = {
        "another's": cosign_ed25519(good, f"regional/{FIN}", witness_keys(FIN)[0], now),
        "a stranger's": cosign_ed25519(good, name, key("stranger"), now),
        "another tree": cosign_ed25519(Checkpoint(CT, 1, bytes(32)), name, one, now),
        "another size": cosign_ed25519(Checkpoint(CT, 2, live.writer.head.root), name, one, now),
        "another log": cosign_ed25519(Checkpoint(DIRECTORY, 1, live.writer.head.root), name, one, now),
        "the future": cosign_ed25519(good, name, one, now + 121),
        "the log's own": cosign_mldsa44(good, CT, log_keys().mldsa44, now),
    }
    before = live.notes[1]
    for what, line in lines.items():
        with pytest.raises(RemoteError):
            await world.ports[EST].cosign(CT, 1, [line.line()])
        assert live.notes[1] == before, what
    with pytest.raises(RemoteError):
        await world.ports[EST].cosign(CT, 1, [b"no line"])
    await world.ports[EST].cosign(CT, 9, [lines["another size"].line()])
    await world.ports[EST].cosign(CT, 1, [cosign_mldsa44(good, name, two, now).line()])
    assert {line.name for line in live.notes[1].lines} == {CT, name}


async def admitted(world, name="EST/mod-2"):
    """A second node of EST, countersigned by the first: active as soon as it is logged. Its session and its witness."""
    ed25519, mldsa44 = witness_keys(name)
    made = NodeCertificate(
        name=name,
        signing=key(f"{name} signing").public,
        witness=(ed25519.public, mldsa44.public),
        realms=frozenset({"operational"}),
        accreditation={},
        role="full",
        valid=(BEGIN, BEGIN + 365 * DAY),
        issued=world.clock.now,
    )
    found = certify(made, world.id, key("EST authority", Suite.HYBRID), key(f"{EST} signing"))
    await world.ports[EST].submit_object(found, {})
    return world.relay.connect(name), Witness(name)


async def test_who_was_just_admitted_is_offered_what_its_cosignature_counts_for(world):
    await started(world)
    port, newcomer = await admitted(world)
    size = world.relay.directory.size
    assert {offer.log for offer in await newcomer.answer(port, world.clock)} <= {DIRECTORY}, "no unknown-witness"
    assert not world.relay._sessions["EST/mod-2"]._cosigning.waiting(world.relay.logs[CT], world.clock.now)
    world.clock.now += ROUND
    await world.witness()
    await world.witness()
    assert world.relay.witnessed.size == size
    assert {offer.log for offer in await newcomer.answer(port, world.clock)} >= {CT}
    assert any("EST/mod-2" in name for name in lines_of(await world.ports[FIN].witnessed(CT)))


async def test_the_tree_of_a_directory_that_does_not_name_a_node_yet_is_not_offered_to_it(world):
    world.clock.now += 20 * MINUTE
    await world.ports[HUB].submit_object(prekey_of(world), {})
    await world.witness(EST)  # a round has begun: all are offered this tree
    size = world.relay.logs[DIRECTORY].witnessing.target
    port, newcomer = await admitted(world)
    assert world.relay.logs[DIRECTORY].witnessing.target == size < world.relay.directory.size
    assert await newcomer.answer(port, world.clock) == []
    world.clock.now += ROUND
    assert {offer.log for offer in await newcomer.answer(port, world.clock)} == {DIRECTORY}


async def test_a_revoked_node_is_offered_nothing_though_its_lines_would_count(world):
    await started(world)
    port, second = await admitted(world)
    world.clock.now += ROUND
    await world.witness()
    await world.witness()
    act = Revocation("EST/mod-2", subject="node", reason="stolen", issued=world.clock.now)
    await world.ports[EST].submit_object(revoke(act, world.id, key("EST authority", Suite.HYBRID)), {})
    access = world.relay._sessions["EST/mod-2"].access
    assert access.counts(world.relay.logs[CT], 1), "until k members have cosigned the revocation"
    assert not access.witnesses(world.relay.logs[CT])
    with pytest.raises(Refused, match="revoked"):
        await second.answer(port, world.clock)


async def test_the_operators_own_node_is_no_witness(world):
    assert await world.ports[HUB].offers({}) == []
    line = cosign_ed25519(
        Checkpoint(CT, 0, world.relay.logs[CT].writer.head.root), f"regional/{HUB}", witness_keys(HUB)[0], 1
    )
    with pytest.raises(RemoteError):
        await world.ports[HUB].cosign(CT, 0, [line.line()])


async def test_mldsa_line_is_at_most_ten_seconds_behind(world):
    def pq(size):
        lines = world.relay.logs[CT].notes[size].lines
        return [line for line in lines if line.name == CT and len(line.blob) > 2_000]

    world.clock.now += 10_000
    pen = await started(world)
    assert len(pq(1)) == 1
    await world.submit(EST, pen.message(FIN))
    assert pq(2) == []
    await world.relay.tick()
    assert pq(2) == []
    world.clock.now += 10_000
    await world.relay.tick()
    assert len(pq(2)) == 1
    vkey = VerifierKey.of(CT, KeyType.ML_DSA_44, log_keys().mldsa44.public)
    assert pq(2)[0].key_id == vkey.key_id


async def test_a_cosignature_outlives_a_restart(world):
    await started(world)
    await world.witness(EST)
    await world.restart()
    await world.witness(FIN)
    assert world.relay.logs[CT].witnessing.quorum.size == 1


# --- waking


async def settled(world, node):
    """Take everything there is to take, so that the next `changed` waits."""
    port = world.ports[node]
    while True:
        await world.witnesses[node].answer(port, world.clock)
        known = dict(await port.logs())
        try:
            await asyncio.wait_for(port.changed(known), 0.01)
        except TimeoutError:
            return known


async def test_changed_wakes_for_entries_quorums_and_offers_and_for_nothing_else(world):
    pen = await started(world)
    await world.witness()
    known = await settled(world, FIN)

    waiting = asyncio.create_task(world.ports[FIN].changed(known))
    await world.relay.tick()
    await asyncio.sleep(0.01)
    assert not waiting.done(), "woken for nothing"
    await world.submit(EST, pen.message(FIN))
    await asyncio.wait_for(waiting, 1)

    known = await settled(world, FIN)
    waiting = asyncio.create_task(world.ports[FIN].changed(known))
    await asyncio.sleep(0)
    await world.witness(EST)  # the second of k
    await asyncio.wait_for(waiting, 1)

    known = await settled(world, FIN)
    waiting = asyncio.create_task(world.ports[FIN].changed(known))
    world.clock.now += 151_000
    await world.relay.tick()
    await asyncio.wait_for(waiting, 1)


async def test_changed_is_level_triggered(world):
    pen = await started(world)
    known = await settled(world, FIN)
    await world.submit(EST, pen.message(FIN))
    for _ in range(3):
        await asyncio.wait_for(world.ports[FIN].changed(known), 1)


async def test_a_fenced_session_is_woken_to_hear_it(world):
    known = await settled(world, FIN)
    waiting = asyncio.create_task(world.ports[FIN].changed(known))
    await asyncio.sleep(0)
    world.relay.connect(FIN)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 1)


async def test_a_log_whose_witnesses_are_silent_goes_on_when_they_come_back(world):
    pen = await started(world)
    world.clock.now += 60 * MINUTE
    assert codes(await world.submit(EST, pen.message(FIN, advance=False))) == ["not-ready"]
    await world.witness()
    await world.witness()
    pen = world.pen(EST)
    (head,) = (await world.store.lookup(CT, [head_key(EST)])).values()
    pen.seq, pen.prev, pen.made = 1, head.header_hash, 9
    pen.counts = {FIN: 1}
    assert codes(await world.submit(EST, pen.grant(FIN), pen.message(FIN))) == ["logged", "logged"]


# --- counting, alone


TIMES = st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 99), max_size=5)


@given(st.lists(st.tuples(st.integers(0, 4), TIMES), max_size=12), st.integers(1, 5))
def test_quorum_is_the_largest_tree_k_members_cosigned(counted, k):
    watching, largest = Witnessing(), None
    for size, times in counted:
        watching.count(size, times, k)
        if len(times) >= k and (largest is None or size >= largest.size):
            largest = Quorum(size, sorted(times.values())[-k])
    assert watching.quorum == largest


def test_one_member_has_one_vote_whatever_its_nodes():
    lines = [cosignature(f"regional/{node}", time) for node, time in (("EST/a", 5), ("EST/b", 9), ("FIN/a", 7))]
    assert by_member([*lines, cosignature("other/LVA/a", 9)], "regional", ["EST", "FIN", "LVA"]) == {
        "EST": 9_000,
        "FIN": 7_000,
    }
    assert by_member(lines, "regional", ["FIN"]) == {"FIN": 7_000}


def cosignature(name: str, time: int, size: int = 64) -> NoteSignature:
    return NoteSignature(name, name.encode()[-4:], time.to_bytes(8, "big") + bytes(size))


def test_a_note_with_every_line_is_cut_to_one_for_each_member_when_it_does_not_fit():
    names = [f"M{m:02}/node-{n}" for m in range(60) for n in range(4)]
    lines = [cosignature(f"regional/{name}", n) for n, name in enumerate(names)]
    lines += [cosignature(f"regional/{name}", n, 2_420) for n, name in enumerate(names[:15])]
    note = Note(3, bytes(32), (NoteSignature(CT, b"log!", bytes(64)), *lines))
    assert len(whole(CT, note)) > MAX_NOTE
    found = SignedNote.parse(shown(CT, note)).signatures
    assert len(shown(CT, note)) <= MAX_NOTE
    assert found[0].name == CT
    assert sorted(line.name for line in found[1:]) == [f"regional/M{m:02}/node-3" for m in range(60)]
    small = Note(3, bytes(32), note.lines[:9])
    assert shown(CT, small) == whole(CT, small)


def lines_of_nodes(members: int, nodes: int) -> list[NoteSignature]:
    """Both lines of every node, the later ones of each member newer. Nobody verifies them here."""
    return [
        NoteSignature(f"test/M{member:03}/mod-{node}", bytes([member, node, len(body) == 64, 0]), time + body)
        for member in range(members)
        for node in range(1, nodes + 1)
        for body in (bytes(64), bytes(2_420))
        for time in ((1_000 + node).to_bytes(8, "big"),)
    ]


def test_note_that_hundreds_of_nodes_cosigned_can_be_read_back() -> None:
    """Both lines of 480 nodes have 1.2 MB: a row that the store wrote and took for damage afterwards."""
    own = [NoteSignature(CT, b"logs", bytes(64)), NoteSignature(CT, b"logp", bytes(2_428))]
    note = Note(7, bytes(32), tuple(own))
    for line in lines_of_nodes(60, 8):
        note = note.merged([line])
    assert read_lines(pack_lines(note.lines)) == note.lines
    assert set(own) <= set(note.lines)
    times = by_member(note.lines, "test", [f"M{member:03}" for member in range(60)])
    assert list(times.values()) == [1_008_000] * 60, "each member by its newest line"


def test_note_of_few_nodes_keeps_every_line() -> None:
    found = lines_of_nodes(6, 8)
    assert set(Note(7, bytes(32)).merged(found).lines) == set(found)


def test_keys_of_one_node_are_those_among_all(world):
    view, now = world.relay.view, world.clock.now
    for log in (CT, DIRECTORY):
        found = [key for node in (EST, FIN, LVA, HUB) for key in node_keys(view, log, now, node)]
        assert found == list(witness_keys_of_all(view, log, now))


async def test_readers_are_woken_by_the_kth_cosignature_and_not_by_each(world):
    """Each of them says it each round: what fewer than k have said is nobody's news."""
    await started(world)
    log, woken = world.relay.logs[CT], world.relay.bell.next
    bell = woken()
    await world.witnesses[EST].answer(world.ports[EST], world.clock, only=CT)
    assert (woken(), log.witnessing.quorum.size) == (bell, 0)
    await world.witnesses[LVA].answer(world.ports[LVA], world.clock, only=CT)
    assert bell.is_set()
    assert log.witnessing.quorum.size == 1


async def test_the_kth_cosignature_of_a_tree_offers_the_next_one_at_once(world):
    """Also where a larger one is witnessed already: who waits for the next offer is not left to the tick."""
    pen = await started(world)
    await world.witnesses[EST].answer(world.ports[EST], world.clock, only=CT)
    await world.submit(EST, pen.message(FIN))
    log = world.relay.logs[CT]
    assert log.witnessing.target == 1
    log.witnessing.quorum = Quorum(2, world.clock.now)
    bell = world.relay.bell.next()
    await world.witnesses[LVA].answer(world.ports[LVA], world.clock, only=CT)
    assert bell.is_set()
    assert log.offered(2, world.clock.now).size == 2
