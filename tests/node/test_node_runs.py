"""Several runs of a node without an answer: whatever becomes of them, each message is logged once, in order, and no
number is signed twice without the log's word."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from node_gate import Gate, gate_before, gated, idle, logged, one_by_one, publish, seen_in_log, texts, until
from node_world import Bench

from rsc_share.envelope.header import Header, header_hash
from rsc_share.errors import Unavailable
from rsc_share.log.tlogproof import TlogProof
from rsc_share.node.runs import MOST
from rsc_share.relay.room import Room
from rsc_share.session.frames import NOT_TRIED, Logged, Outcome, Submission, Turned, Weather
from rsc_share.session.port import RelayPort
from rsc_share.session.refusal import Refusal
from rsc_share.testing.wire import Wire

BUSY = Weather("rate-limited", 0)


async def test_a_message_leaves_before_the_one_ahead_of_it_is_answered() -> None:
    async with gated() as (fw, node, gate):
        first, second = await one_by_one(node, gate, "a", "b")
        await until(lambda: [header.seq for header in logged(fw)[-2:]] == [run[0].seq for run in gate.runs])
        assert gate.runs[1][0].prev == header_hash(gate.runs[0][0].pack())
        assert not first.settled
        assert not second.settled
        gate.answer(1)
        await idle()
        assert not second.settled, "answers count in the order of the runs"
        gate.answer(0)
        await until(lambda: first.settled and second.settled)
        assert len(gate.runs) == 2
        assert texts(fw)[-2:] == ["a", "b"]


async def test_no_more_than_a_few_runs_wait_and_the_rest_goes_together() -> None:
    async with gated() as (fw, node, gate):
        sent = await one_by_one(node, gate, *(f"m{n}" for n in range(MOST)))
        sent += await publish(node, "x", "y", "z")
        await idle()
        assert len(gate.runs) == MOST
        gate.answer(*range(MOST))
        await until(lambda: len(gate.runs) == MOST + 1)
        assert len(gate.runs[-1]) == 3
        gate.answer(MOST)
        await until(lambda: all(found.settled for found in sent))
        assert texts(fw)[1:] == [*(f"m{n}" for n in range(MOST)), "x", "y", "z"]


async def test_flash_does_not_pass_a_run_it_is_numbered_behind() -> None:
    """Its call would: it waits for the answer, and what is less urgent does not overtake it meanwhile."""
    async with gated() as (_, node, gate):
        await one_by_one(node, gate, "routine")
        await publish(node, "flash", precedence="FLASH")
        await publish(node, "later")
        await idle()
        assert len(gate.runs) == 1
        gate.answer(0)
        await until(lambda: len(gate.runs) == 2)
        assert [header.precedence for header in gate.runs[1]] == ["FLASH", "ROUTINE"]
        gate.answer(1)


async def test_a_receipt_that_comes_after_the_log_was_read_still_brings_its_proof() -> None:
    async with gated() as (fw, node, gate):
        (sent,) = await one_by_one(node, gate, "a")
        own = gate.runs[0][0].seq
        await seen_in_log(node, own)
        assert not sent.settled
        (behind,) = await one_by_one(node, gate, "b")
        assert gate.runs[1][0].seq == own + 1
        gate.answer(0, 1)
        await until(lambda: sent.settled and behind.settled)
        receipt = await sent.receipt()
        assert TlogProof.parse(receipt.proof()).index == receipt.index
        assert node.channel("main").line.sending.numbers.head.seq == own + 1
        assert (await fw.audit()).findings == ()


async def test_what_the_relay_is_short_of_is_handed_in_again_with_all_behind_it() -> None:
    """The relay refuses, with its signature, what is numbered behind something that is not there: not for long, and not
    as one of the times a message is tried."""
    async with gated() as (fw, node, gate):
        for round_ in range(7):
            gate.runs.clear(), gate.answers.clear(), gate.outcomes.clear()
            gate.open = False
            gate.lie = lambda n, entries: [BUSY] + [NOT_TRIED] * (len(entries) - 1) if n == 0 else None
            await one_by_one(node, gate, f"a{round_}", f"b{round_}")
            gate.answer(0, 1)
            await until(lambda: len(gate.outcomes) == 2)
            assert isinstance(gate.outcomes[1][0], Turned)
            gate.open = True
            await idle()
            fw.clock.advance(seconds=1)
            await fw.settle()
        assert texts(fw)[1:] == [f"{name}{n}" for n in range(7) for name in "ab"]
        assert not node.engine.alarms.codes()


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_cut_line_hands_everything_in_again_as_it_was(lost: int) -> None:
    async with gated() as (fw, node, gate):
        cut = Unavailable("the line is cut", code="cut-off")
        gate.lie = lambda n, entries: cut if n == lost else None
        sent = await one_by_one(node, gate, "a", "b")
        gate.answer(0, 1)
        gate.open = True
        await idle()
        fw.clock.advance(seconds=1)
        await fw.settle()
        assert all(found.settled for found in sent)
        assert texts(fw)[1:] == ["a", "b"]
        if lost == 1:
            assert all(len(headers) == 1 for headers in gate.signed().values())


async def test_a_relay_that_takes_the_second_and_not_the_first_is_not_believed() -> None:
    async with gated() as (fw, node, gate):
        gate.lie = lambda n, entries: [BUSY] if n == 0 else [Logged(99, None, b"", ())] if n == 1 else None
        sent = await one_by_one(node, gate, "a", "b")
        gate.answer(0, 1)
        gate.open = True
        await until(lambda: len(gate.outcomes) == 2)
        await idle()
        fw.clock.advance(seconds=1)
        await fw.settle()
        assert [len(run) for run in gate.runs] == [1, 1, 2], "handed in again together"
        assert all(found.settled for found in sent)
        assert texts(fw)[1:] == ["a", "b"]
        assert all(len(headers) == 1 for headers in gate.signed().values())


async def test_an_answer_of_another_length_is_none() -> None:
    async with gated() as (fw, node, gate):
        gate.lie = lambda n, entries: [BUSY, BUSY] if n == 0 else None
        (sent,) = await one_by_one(node, gate, "a")
        gate.answer(0)
        gate.open = True
        await idle()
        assert not sent.settled
        await fw.settle()
        assert sent.settled


async def test_a_crash_between_the_log_and_the_receipt_loses_no_message(tmp_path: Path) -> None:
    """The head is past the entry, and its item still waits for its place."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        await publish(node, "warm")
        await bench.fw.settle()
        gate = gate_before(node, Gate)
        (sent,) = await publish(node, "a")
        await node.drain(wait=False)
        await until(lambda: bool(gate.runs))
        await idle()
        await node.drain(wait=False)
        seq = gate.runs[0][0].seq
        assert node.channel("main").line.sending.numbers.head.seq == seq
        await node.engine.store.commit()
        which = sent.id
        bench.crash()
        node = await bench.started()
        found = node.channel("main").submission(which)
        assert (await found.receipt()).reference.endswith(str(seq))
        await publish(node, "b")
        await bench.fw.settle()
        assert len(node.channel("main").line.sending.outbox) == 0
        assert texts(bench.fw)[-2:] == ["a", "b"]


async def test_what_is_refused_and_logged_all_the_same_is_told_and_not_sent_twice() -> None:
    """The log shows the entry before the answer comes, and the answer is a signed refusal."""

    class Liar(Gate):
        async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
            await super().submit(log, entries)
            digest = header_hash(entries[0].header)
            said = Refusal(log, digest, "policy-denied", 12, "no", 1, fw.clock.now)
            return [Turned(said.signed(fw.founded.log_keys[0], fw.founded.framework_id))]

    async with gated(Liar) as (fw, node, gate):
        (sent,) = await one_by_one(node, gate, "a")
        await seen_in_log(node, gate.runs[0][0].seq)
        gate.answer(0)
        await until(lambda: sent.settled)
        assert (await sent.receipt()).index
        assert "refused-then-logged" in node.engine.alarms.codes()
        assert len(gate.runs) == 1
        await fw.settle()
        assert texts(fw)[1:] == ["a"]


class Weathered(Gate):
    """A relay, and a line, that do what they may: late, out of order, lost before or after, short of something."""

    def __init__(self, port: RelayPort, dice: random.Random) -> None:
        super().__init__(port)
        self.dice, self.calm = dice, False
        self.refused: set[bytes] = set()

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self.runs.append([Header.parse(entry.header) for entry in entries])
        fate = "taken" if self.calm else self.dice.choice(("taken", "taken", "taken", "busy", "lost", "deaf"))
        if fate == "busy":
            outcomes: list[Outcome] = [BUSY] + [NOT_TRIED] * (len(entries) - 1)
        elif fate == "lost":
            outcomes = []
        else:
            outcomes = await Wire.submit(self, log, entries)
        for outcome in outcomes:
            if isinstance(outcome, Turned):
                self.refused.add(outcome.refusal.header_hash)
        for _ in range(self.dice.randrange(40) if not self.calm else 0):
            await asyncio.sleep(0)
        if fate in ("lost", "deaf"):
            raise Unavailable("the line is cut", code="cut-off")
        return outcomes


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 120))])
async def test_whatever_becomes_of_the_runs_each_message_is_logged_once_and_in_order(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    async with gated(partial(Weathered, dice=dice), seed) as (fw, node, weather):
        sent, said = [], []
        for n in range(40):
            if dice.random() < 0.1:
                fw.relay_service.room = dice.choice((lambda: Room.ENOUGH, lambda: Room.SHORT))
            said.append(f"m{n}")
            sent += await publish(node, said[-1])
            for _ in range(dice.randrange(30)):
                await asyncio.sleep(0)
            if dice.random() < 0.2:
                fw.clock.advance(seconds=dice.choice((1, 61)))
        weather.calm, fw.relay_service.room = True, lambda: Room.ENOUGH
        for _ in range(8):
            fw.clock.advance(seconds=61)
            await fw.settle()
        assert all(found.settled for found in sent)
        assert [await found.receipt() for found in sent]
        assert texts(fw)[1:] == said
        assert [header.seq for header in logged(fw)] == list(range(1, len(logged(fw)) + 1))
        assert _signed_once(weather)
        assert (await fw.audit()).findings == ()
        assert len(node.channel("main").line.sending.outbox) == 0


def _signed_once(weather: Weathered) -> bool:
    """But for what the log refused with its signature, and what follows such a header by `prev`."""
    headers = {header_hash(header.pack()): header for run in weather.runs for header in run}
    doomed = set(weather.refused)
    for digest, header in sorted(headers.items(), key=lambda row: row[1].seq):
        if header.prev in doomed:
            doomed.add(digest)
    by_number: dict[int, set[bytes]] = {}
    for digest, header in headers.items():
        by_number.setdefault(header.seq, set()).add(digest)
    return all(len(found - doomed) <= 1 for found in by_number.values())
