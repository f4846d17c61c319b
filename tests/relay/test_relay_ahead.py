"""A batch that is begun ahead, against the same judged one by one: every verdict, byte and fact of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_world import CT, EST, FIN, HUB, LVA, NODES, World, key, log_keys

from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Head, Opening, Part, Ref, Refs
from rsc_share.envelope.signature import sign_batch
from rsc_share.errors import Refused
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.relay import ahead
from rsc_share.relay.ahead import Ahead
from rsc_share.relay.commit import _past, with_roots
from rsc_share.relay.intake import Candidate, take
from rsc_share.relay.sequencer import Placed, sequence
from rsc_share.session.frames import Logged
from rsc_share.value import replace

BROKEN = b"\x81" * 40
BLOB = bytes(range(32))
BLOB_SIZE = 100_000
OTHERS = {EST: (FIN, LVA), FIN: (EST, LVA), LVA: (EST, FIN)}


class Senders:
    """What honest, broken and hostile senders hand in. Each act gives one submission of its node."""

    def __init__(self, world) -> None:
        self.world, self.pens, self.sent = world, {node: world.pen(node) for node in NODES}, []

    async def begin(self) -> None:
        for node, pen in self.pens.items():
            run = [pen.grant(*OTHERS[node]), pen.message(*OTHERS[node], text=b"old")]
            assert all(isinstance(outcome, Logged) for outcome in await self.world.submit(node, *run))
            self.sent.append((node, run[1]))

    def make(self, act: str, node: str):
        made = getattr(self, act)(self.pens[node], node)
        self.sent.append((node, made))
        return made

    def good(self, pen, node):
        return pen.message(*OTHERS[node])

    def again(self, pen, node):
        """What it handed in last, taken or not."""
        return next((entry for sender, entry in reversed(self.sent) if sender == node), None)

    def logged_long_ago(self, pen, node):
        return next(entry for sender, entry in self.sent if sender == node)

    def reordered(self, pen, node):
        """The second of two, without the first."""
        pen.message(*OTHERS[node])
        return pen.message(*OTHERS[node])

    def another_with_the_same_id(self, pen, node):
        used = Header.parse(self.logged_long_ago(pen, node).header).id
        return pen.message(*OTHERS[node], id=used, advance=False)

    def not_permitted(self, pen, node):
        return pen.message(HUB, advance=False)

    def above_the_ceiling(self, pen, node):
        return pen.message(*OTHERS[node], level="TOP SECRET", advance=False)

    def forged(self, pen, node):
        entry = pen.message(*OTHERS[node], advance=False)
        (block,) = sign_batch(key("nobody signing"), self.world.id, "operational", [entry.header])
        return replace(entry, block=block)

    def badly_signed(self, pen, node):
        """With its own key, for another realm."""
        entry = pen.message(*OTHERS[node], advance=False)
        (block,) = sign_batch(key(f"{node} signing"), self.world.id, "exercise", [entry.header])
        return replace(entry, block=block)

    def anothers_block(self, pen, node):
        return replace(pen.message(*OTHERS[node], advance=False), block=self.sent[0][1].block)

    def broken(self, pen, node):
        return replace(pen.message(*OTHERS[node], advance=False), header=BROKEN)

    def no_openings(self, pen, node):
        return replace(pen.message(*OTHERS[node], advance=False), openings=())

    def false_opening(self, pen, node):
        entry = pen.message(*OTHERS[node], advance=False)
        return replace(entry, openings=(Opening(bytes(16), 1), *entry.openings[1:]))

    def no_body(self, pen, node):
        return replace(pen.message(*OTHERS[node], advance=False), bodies=())

    def unknown_source(self, pen, node):
        refs = Refs(reply_to=Ref(CT, 900, bytes(32)), derived_from=(Ref(CT, 901, bytes(32)),))
        return pen.message(*OTHERS[node], refs=refs, advance=False)

    def unknown_grant(self, pen, node):
        return pen.message(*OTHERS[node], grant=pen.new_id(), advance=False)

    def invented_past(self, pen, node):
        line = sign_checkpoint(Checkpoint(CT, 2, bytes(32)), log_keys().ed25519)
        return pen.message(*OTHERS[node], seen=Head(2, bytes(32), line.blob), advance=False)

    def blob(self, pen, node):
        """All of them name the same one: it belongs to the first that is taken."""
        part = Part(digest=BLOB, size=BLOB_SIZE, commit=bytes(32), media="application/octet-stream")
        return pen.message(*OTHERS[node], blobs=(part,))

    def anothers_body(self, pen, node):
        """A ciphertext that another entry of the same batch may have brought a moment before, or the log long ago."""
        other = next(entry for _, entry in reversed(self.sent) if entry.bodies and entry.header != BROKEN)
        parts = Header.parse(other.header).parts[:1]
        return replace(pen.message(*OTHERS[node], parts=parts, advance=False), bodies=other.bodies[:1])

    def new_grant(self, pen, node):
        return pen.grant(*OTHERS[node])

    def two_wrongs(self, pen, node):
        """One that asks about the past and one that does not: the first of the table counts."""
        return self.forged(pen, node) if pen.seq % 2 else pen.message(HUB, seq=99, advance=False)


BAD = [name for name, made in vars(Senders).items() if callable(made) and name not in ("__init__", "begin", "make")]
ACTS = st.tuples(st.sampled_from((*BAD, *["good"] * len(BAD))), st.sampled_from(NODES))
RUNS = st.lists(st.tuples(st.sampled_from(NODES), st.lists(ACTS.map(lambda act: act[0]), min_size=1, max_size=8)))


async def batch_of(world, senders, drawn):
    """Runs as sessions hand them in, and what the log says about them."""
    runs = [[take(senders.make(act, node), node) for act in acts] for node, acts in drawn]
    log = world.relay.logs[CT]
    ground = await with_roots(world.relay.ground(log), log, world.relay.directory_log, runs)
    candidates = [item for run in runs for item in run if isinstance(item, Candidate)]
    past = await _past(log, world.relay.logs, candidates)
    here = {(node.partition("/")[0], BLOB): BLOB_SIZE for node in NODES}
    old = frozenset(part.digest for _, entry in senders.sent[:3] for part in Header.parse(entry.header).parts)
    return ground, runs, replace(past, blobs=here, taken=old)


def said(done):
    """Everything that was decided, as it can be compared."""
    verdicts = [
        [(v.code, v.row, v.what, v.advice, v.fields) if isinstance(v, Refused) else v for v in found]
        for found in done.verdicts
    ]
    batch = done.batch
    return verdicts, batch, None if batch is None else list(batch.bodies), done.entries


def one_by_one(monkeypatch, *arguments):
    with monkeypatch.context() as patched:
        patched.setattr(Ahead, "_goes_ahead", lambda self, item: False)
        return said(judged(*arguments))


def judged(ground, runs, past, now):
    return sequence(replace(ground, signatures=VerifyCache(64)), runs, past, now)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=RUNS, most=st.sampled_from((2, 3, 64)))
async def test_a_batch_of_broken_refused_replayed_and_forged_is_judged_as_one_by_one(drawn, most, monkeypatch):
    world = await World().ready()
    senders = Senders(world)
    await senders.begin()
    arguments = (*await batch_of(world, senders, drawn), world.clock.now)
    expected = one_by_one(monkeypatch, *arguments)
    with monkeypatch.context() as patched:
        patched.setattr(ahead, "AHEAD", most)
        assert said(judged(*arguments)) == expected
    await world.relay.aclose()


@pytest.mark.parametrize("act", sorted(BAD))
async def test_each_kind_of_entry_behind_good_ones_is_judged_as_by_itself(act, monkeypatch):
    world = await World().ready()
    senders = Senders(world)
    await senders.begin()
    drawn = [(FIN, ["good"]), (EST, ["good", "good", act, "good"]), (LVA, [act, "good"])]
    arguments = (*await batch_of(world, senders, drawn), world.clock.now)
    expected = one_by_one(monkeypatch, *arguments)
    assert said(judged(*arguments)) == expected
    assert [type(verdict) for verdict in expected[0][1][:2]] == [Placed, Placed]
    await world.relay.aclose()


async def test_a_good_batch_is_begun_together_and_what_is_replayed_not_at_all(monkeypatch):
    world = await World().ready()
    senders, begun = Senders(world), []
    await senders.begin()
    begin_all = ahead.begin_all
    monkeypatch.setattr(ahead, "begin_all", lambda items: (begun.append(len(items)), begin_all(items)))
    good = await batch_of(world, senders, [(EST, ["good"] * 5), (FIN, ["good"] * 3)])
    assert all(isinstance(verdict, Placed) for run in judged(*good, world.clock.now).verdicts for verdict in run)
    assert begun == [8]
    begun.clear()
    replayed = [(FIN, ["logged_long_ago"] * 6), (LVA, ["good", *["logged_long_ago"] * 6, "good"])]
    mixed = await batch_of(world, senders, replayed)
    assert all(isinstance(verdict, Placed) for run in judged(*mixed, world.clock.now).verdicts for verdict in run)
    assert begun == [2]
    await world.relay.aclose()


async def test_a_sender_cannot_make_more_than_one_group_be_begun_for_nothing(monkeypatch):
    """A run that is refused at its first entry ends there, however long it is."""
    world = await World().ready()
    senders, begun = Senders(world), []
    await senders.begin()
    begin_all = ahead.begin_all
    monkeypatch.setattr(ahead, "begin_all", lambda items: (begun.append(len(items)), begin_all(items)))
    run = await batch_of(world, senders, [(EST, ["badly_signed", *["good"] * 200])])
    ((first, *rest),) = judged(*run, world.clock.now).verdicts
    assert (first.code, {verdict.code for verdict in rest}) == ("bad-signature", {"not-tried"})
    assert begun == [ahead.AHEAD]
    await world.relay.aclose()
