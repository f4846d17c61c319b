"""Row 0, runs, refusals, weather: what a sender is told, and that it can rely on it."""

from __future__ import annotations

import asyncio

import pytest
from relay_world import (
    CT,
    DIRECTORY,
    EST,
    FIN,
    HUB,
    LVA,
    MINUTE,
    OPS,
    Pen,
    PublishedPrekey,
    key,
    log_keys,
    prekey,
    publish_prekey,
    rebuilt,
)

from rsc_share.envelope.header import header_hash
from rsc_share.envelope.parts import Head, Opening
from rsc_share.envelope.signature import sign_batch
from rsc_share.errors import Refused, RemoteError, Unavailable
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.session.frames import Logged, Statement, Submission, Turned, Weather
from rsc_share.value import replace


def codes(outcomes) -> list[str]:
    return [
        "logged" if isinstance(o, Logged) else o.code if isinstance(o, Weather) else o.refusal.code for o in outcomes
    ]


async def started(world, *, node=EST, to=(FIN,), log=CT) -> Pen:
    """A pen whose grant is in the log."""
    pen = world.pen(node, log)
    assert codes(await world.submit(node, pen.grant(*to), log=log)) == ["logged"]
    return pen


async def test_the_same_bytes_again_get_the_same_index_and_a_fresh_receipt(world):
    pen = await started(world)
    message = pen.message(FIN)
    (first,) = await world.submit(EST, message)
    await world.submit(EST, pen.message(FIN))
    (again,) = await world.submit(EST, message)
    assert (again.index, again.stamp) == (first.index, first.stamp)
    assert rebuilt(message, again) == rebuilt(message, first)
    assert again.note != first.note
    assert world.relay.logs[CT].size == 3


async def test_the_same_bytes_twice_in_one_call_are_logged_once(world):
    pen = await started(world)
    message = pen.message(FIN)
    one, two = await world.submit(EST, message, message)
    assert one.index == two.index
    assert world.relay.logs[CT].size == 2


async def test_row_0_does_not_ask_whether_the_directory_is_fresh(world):
    pen = await started(world)
    message = pen.message(FIN)
    await world.submit(EST, message)
    world.clock.now += 30 * MINUTE
    assert codes(await world.submit(EST, message, pen.message(FIN))) == ["logged", "not-ready"]


async def test_row_0_needs_nothing_beside_the_entry(world):
    """After a restore a sender holds its signed bytes and nothing else; a refusal would contradict the log."""
    pen = await started(world)
    message = pen.message(FIN)
    await world.submit(EST, message)
    assert codes(await world.submit(EST, Submission(message.header, message.block, (), (), ()))) == ["logged"]


async def test_the_same_header_in_another_batch_is_not_the_same_entry(world):
    """Another block is another leaf: its receipt would not rebuild."""
    pen = await started(world)
    message = pen.message(FIN)
    await world.submit(EST, message)
    other = pen.message(FIN, advance=False)
    block = sign_batch(key(f"{EST} signing"), world.id, "operational", [message.header, other.header])[0]
    assert codes(await world.submit(EST, replace(message, block=block))) == ["duplicate-id"]


async def test_after_the_first_refusal_the_run_is_not_tried(world):
    pen = await started(world)
    run = [pen.message(FIN), pen.message(HUB), pen.message(FIN), pen.message(FIN)]
    outcomes = await world.submit(EST, *run)
    assert codes(outcomes) == ["logged", "policy-denied", "not-tried", "not-tried"]
    assert world.relay.logs[CT].size == 2


async def test_one_senders_refusal_is_not_another_senders(world):
    one, two = await started(world), await started(world, node=FIN, to=(LVA,))
    answers = await asyncio.gather(
        world.submit(EST, one.message(HUB), one.message(FIN)), world.submit(FIN, two.message(LVA), two.message(LVA))
    )
    assert [codes(answer) for answer in answers] == [["policy-denied", "not-tried"], ["logged", "logged"]]


async def test_a_refusal_is_signed_by_the_log_and_names_the_header(world):
    pen = await started(world)
    message = pen.message(HUB)
    (turned,) = await world.submit(EST, message)
    refusal = turned.refusal
    refusal.verify(log_keys().ed25519.public, world.id)
    assert refusal.header_hash == header_hash(message.header)
    assert (refusal.log, refusal.row, refusal.time) == (CT, 10, world.clock.now)
    with pytest.raises(RemoteError):
        replace(refusal, code="malformed").verify(log_keys().ed25519.public, world.id)


async def test_a_refused_number_can_be_signed_again(world):
    pen = await started(world)
    head = (pen.seq, pen.prev, dict(pen.counts))
    await world.submit(EST, pen.message(HUB))
    pen.seq, pen.prev, pen.counts = head
    assert codes(await world.submit(EST, pen.message(FIN))) == ["logged"]


async def test_nobody_submits_anothers_entry(world):
    """Its readers hold its header and block; a signed refusal in their hands would contradict the log."""
    pen = await started(world)
    message = pen.message(FIN)
    await world.submit(EST, message)
    for submitted in (message, pen.message(FIN)):
        with pytest.raises(RemoteError, match="session of FIN/mod-1"):
            await world.submit(FIN, submitted)
    assert world.relay.logs[CT].size == 2


async def test_entry_for_another_log_is_refused(world):
    pen = await started(world)
    assert codes(await world.submit(EST, pen.message(FIN), log=OPS)) == ["unknown-log"]


async def test_unknown_logs_and_the_directory_take_no_entries(world):
    pen = await started(world)
    for log in ("relay.example:8443/regional/nowhere", DIRECTORY):
        with pytest.raises(Refused, match=r"no log|takes objects"):
            await world.ports[EST].submit(log, [pen.message(FIN)])


def _damaged(message: Submission) -> dict[str, Submission]:
    opening = message.openings[0]
    return {
        "header": replace(message, header=message.header + b"\0"),
        "block": replace(message, block=message.block[:-1]),
        "no openings": replace(message, openings=()),
        "one opening too many": replace(message, openings=(*message.openings, opening)),
        "another salt": replace(message, openings=(Opening(bytes(16), opening.n),)),
        "another count": replace(message, openings=(Opening(opening.salt, opening.n + 1),)),
        "a statement": replace(message, statements=(Statement(bytes(16), bytes(32), "opened"),)),
        "a stranger's body": replace(message, bodies=(*message.bodies, b"more")),
        "a body twice": replace(message, bodies=message.bodies * 2),
    }


@pytest.mark.parametrize("name", sorted(_damaged(Submission(b"", b"", (Opening(bytes(16), 1),), (), ()))))
async def test_what_travels_beside_an_entry_is_checked(world, name):
    pen = await started(world)
    outcomes = await world.submit(EST, _damaged(pen.message(FIN))[name])
    assert codes(outcomes) == ["malformed"]
    assert isinstance(outcomes[0], Turned)
    assert outcomes[0].refusal.row == 1


async def test_missing_or_altered_bodies_are_refused(world):
    pen = await started(world)
    message = pen.message(FIN, advance=False)
    assert codes(await world.submit(EST, replace(message, bodies=()))) == ["body-missing"]
    altered = bytes([message.bodies[0][0] ^ 1]) + message.bodies[0][1:]
    assert codes(await world.submit(EST, replace(message, bodies=(altered,)))) == ["malformed"]
    assert codes(await world.submit(EST, message)) == ["logged"]


async def test_heartbeat_statements_must_open_what_it_says(world):
    pen = await started(world)
    (digest,) = {header_hash(pen.message(FIN, advance=False).header)}
    beat = world.pen(FIN).heartbeat((EST, digest, "opened"))
    lies = replace(beat.statements[0], state="bad-part")
    for wrong in ((), (lies,), beat.statements * 2):
        assert codes(await world.submit(FIN, replace(beat, statements=wrong))) == ["malformed"]
    assert codes(await world.submit(FIN, beat)) == ["logged"]


async def test_an_entry_that_does_not_fit_with_its_stamp_is_malformed(world):
    pen = await started(world)
    message = pen.message(FIN)
    oversized = replace(message, header=message.header.ljust(65_535, b"\0"))
    assert codes(await world.submit(EST, oversized)) == ["malformed"]


async def test_nothing_is_admitted_under_a_directory_that_is_not_fresh(world):
    pen = await started(world)
    world.clock.now += 5 * MINUTE - 3_000
    assert codes(await world.submit(EST, pen.message(FIN))) == ["logged"]
    world.clock.now += 3_000
    late = pen.message(FIN)
    assert codes(await world.submit(EST, late)) == ["not-ready"]
    await world.witness()
    assert codes(await world.submit(EST, late)) == ["logged"]


async def test_one_witness_short_of_k_is_not_fresh(world):
    pen = await started(world)
    world.clock.now += 6 * MINUTE
    await world.witness(EST)
    late = pen.message(FIN)
    assert codes(await world.submit(EST, late)) == ["not-ready"]
    await world.witness(LVA)
    assert codes(await world.submit(EST, late)) == ["logged"]


async def test_time_never_runs_back_in_a_log(world):
    pen = await started(world)
    world.clock.now += MINUTE
    (first,) = await world.submit(EST, pen.message(FIN))
    message = pen.message(FIN)
    world.clock.now -= 30_000
    (second,) = await world.submit(EST, message)
    assert second.stamp.logged_at == first.stamp.logged_at


async def test_stamps_name_the_witnessed_directory_not_the_newest(world):
    pen = await started(world)
    assert world.relay.directory.size == 4
    published = PublishedPrekey(HUB, prekey(HUB).public, world.clock.now)
    await world.ports[HUB].submit_object(publish_prekey(published, world.id, key(f"{HUB} signing")), {})
    assert world.relay.directory.size == 5
    (outcome,) = await world.submit(EST, pen.message(FIN))
    assert outcome.stamp.directory == 4
    await world.witness()
    (outcome,) = await world.submit(EST, pen.message(FIN))
    assert outcome.stamp.directory == 5


async def test_concurrent_runs_share_one_commit_and_one_stamp(world):
    pens = [await started(world, node=node, to=(to,)) for node, to in ((EST, FIN), (FIN, LVA), (LVA, EST))]
    runs = [[pen.message(to) for _ in range(5)] for pen, to in zip(pens, (FIN, LVA, EST), strict=True)]
    before = world.relay.logs[CT].size
    answers = await asyncio.gather(*(world.submit(pen.node, *run) for pen, run in zip(pens, runs, strict=True)))
    found = [outcome for answer in answers for outcome in answer]
    assert sorted(outcome.index for outcome in found) == list(range(before, before + 15))
    assert len({outcome.note for outcome in found}) == 1
    for run, answer in zip(runs, answers, strict=True):
        for pair in zip(run, answer, strict=True):
            rebuilt(*pair)


async def test_cancelling_the_wait_does_not_cancel_the_sending(world):
    pen = await started(world)
    message = pen.message(FIN)
    waiting = asyncio.create_task(world.submit(EST, message))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    (outcome,) = await world.submit(EST, message)
    assert outcome.index == 1
    assert world.relay.logs[CT].size == 2


async def test_a_new_session_fences_the_older_one(world):
    pen = await started(world)
    old = world.ports[EST]
    queued = asyncio.create_task(old.submit(CT, [pen.message(FIN)]))
    await asyncio.sleep(0)
    world.ports[EST] = world.relay.connect(EST)
    assert codes(await queued) == ["not-tried"]
    with pytest.raises(Unavailable, match="newer session"):
        await old.submit(CT, [pen.message(FIN, advance=False)])


async def test_one_call_and_one_session_are_bounded(world):
    pen = await started(world)
    message = pen.message(FIN)
    for count in (0, 257):
        with pytest.raises(RemoteError):
            await world.submit(EST, *[message] * count)
    calls = await asyncio.gather(*(world.submit(EST, *[message] * 256) for _ in range(3)))
    assert codes(calls[2])[:2] == ["rate-limited", "not-tried"]
    assert codes(calls[0] + calls[1]) == ["logged"] * 512


@pytest.mark.parametrize("world", ["memory"], indirect=True)  # whose limit can be set; a disk's is in the fault tests
async def test_a_full_store_is_weather_and_nothing_is_lost(world):
    pen = await started(world)
    world.store.limit = world.store.used + 25_000
    entries = [pen.message(FIN, text=bytes(4_000)) for _ in range(10)]
    outcomes = await world.submit(EST, *entries[:2])
    assert codes(outcomes) == ["logged", "logged"]
    assert codes(await world.submit(EST, *entries[2:])) == ["no-space", *["not-tried"] * 7]
    assert codes(await world.submit(EST, entries[2])) == ["logged"]


async def test_roll_back_shown_by_a_signed_head_stops_the_log(world):
    """The sender saw a tree the log signed and does not have any more: it must not sign another one."""
    pen = await started(world)
    invented = pen.message(FIN, seen=Head(9, bytes(32), bytes(64)), advance=False)
    assert codes(await world.submit(EST, invented)) == ["malformed"]
    line = sign_checkpoint(Checkpoint(CT, 9, bytes(32)), log_keys().ed25519)
    proof = pen.message(FIN, seen=Head(9, bytes(32), line.blob), advance=False)
    assert codes(await world.submit(EST, proof)) == ["equivocation"]
    with pytest.raises(Unavailable, match="stopped"):
        await world.submit(EST, pen.message(FIN))
    assert world.relay.failure is not None
    assert (await world.ports[EST].logs())[OPS] == 0
