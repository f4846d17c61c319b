"""Several runs of a node without an answer: whatever becomes of them, each message is logged once, in order, and no
number is signed twice without the log's word."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.errors import RemoteError, RscError, Unavailable
from rsc_share.log.tlogproof import TlogProof
from rsc_share.node.line import OWN_ENTRIES
from rsc_share.node.node import Node
from rsc_share.node.outbox import Item, Sent
from rsc_share.node.runs import MOST, Runs
from rsc_share.relay.room import Room
from rsc_share.session.frames import NOT_TRIED, Logged, Outcome, Submission, Turned, Weather
from rsc_share.session.port import ONE_CALL, RelayPort
from rsc_share.session.refusal import Refusal
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import RelayControl, Wire

SPINS = 2_000
BUSY = Weather("rate-limited", 0)


class Gate(Wire):
    """Hands every run to the relay at once, and its answer to the node when the test says so."""

    def __init__(self, port: RelayPort) -> None:
        super().__init__(port, "EST", RelayControl())
        self.runs: list[list[Header]] = []
        self.answers: list[asyncio.Future[None]] = []
        self.outcomes: list[list[Outcome]] = []
        self.open = False
        self.lie: Callable[[int, Sequence[Submission]], list[Outcome] | RscError | None] = lambda n, entries: None
        """Instead of handing run `n` to the relay."""

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        number = len(self.runs)
        self.runs.append([Header.parse(entry.header) for entry in entries])
        self.answers.append(asyncio.get_running_loop().create_future())
        instead = self.lie(number, entries)
        outcomes = await super().submit(log, entries) if instead is None else instead
        if not self.open:
            await self.answers[number]
        if isinstance(outcomes, RscError):
            raise outcomes
        self.outcomes.append(list(outcomes))
        return outcomes

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.answers[number].set_result(None)

    def signed(self) -> dict[int, set[bytes]]:
        """Headers by number, of everything that left."""
        found: dict[int, set[bytes]] = {}
        for header in (header for run in self.runs for header in run):
            found.setdefault(header.seq, set()).add(header_hash(header.pack()))
        return found


def gated(node: Node) -> Gate:
    wire = node.engine.ports[HOST]
    wire.port = gate = Gate(wire.port)
    return gate


async def until(there: Callable[[], bool]) -> None:
    for _ in range(SPINS):
        if there():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def idle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def publish(node: Node, *texts: str, precedence: str = "ROUTINE"):
    channel = node.channel("main")
    return [await channel.publish(indicator(text), label=GREEN, precedence=precedence) for text in texts]


async def warm(fw: Framework) -> Node:
    """With a grant, so that every run is one message."""
    node = fw.node("EST")
    await publish(node, "warm")
    await fw.settle()
    return node


def logged(fw: Framework) -> list[Header]:
    """What EST has in the channel."""
    (log,) = (log for log in fw.relay_service.logs if log.endswith("/main"))
    headers = [UnverifiedEntry.parse(stored.entry).header for stored in fw.store._log(log).entries]
    return [header for header in headers if header.sender == "EST/mod-1"]


def texts(fw: Framework, member: str = "LVA") -> list[str]:
    return patterns(fw.node(member))


async def test_a_message_leaves_before_the_one_ahead_of_it_is_answered() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        (first,) = await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
        (second,) = await publish(node, "b")
        await until(lambda: len(gate.runs) == 2)
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
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        sent = []
        for n in range(MOST):
            sent += await publish(node, f"m{n}")
            await until(lambda n=n: len(gate.runs) == n + 1)
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
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        await publish(node, "routine")
        await until(lambda: len(gate.runs) == 1)
        await publish(node, "flash", precedence="FLASH")
        await publish(node, "later")
        await idle()
        assert len(gate.runs) == 1
        gate.answer(0)
        await until(lambda: len(gate.runs) == 2)
        assert [header.precedence for header in gate.runs[1]] == ["FLASH", "ROUTINE"]
        gate.answer(1)


async def test_a_receipt_that_comes_after_the_log_was_read_still_brings_its_proof() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        (sent,) = await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
        line = node.channel("main").line
        own = gate.runs[0][0].seq
        for _ in range(SPINS):  # until it is seen in the log
            if line.sending.numbers.head.seq == own:
                break
            await asyncio.sleep(0)
            await node.drain(wait=False)
        assert line.sending.numbers.head.seq == own
        assert not sent.settled
        (behind,) = await publish(node, "b")
        await until(lambda: len(gate.runs) == 2)
        assert gate.runs[1][0].seq == own + 1
        gate.answer(0, 1)
        await until(lambda: sent.settled and behind.settled)
        receipt = await sent.receipt()
        assert TlogProof.parse(receipt.proof()).index == receipt.index
        assert line.sending.numbers.head.seq == own + 1
        assert (await fw.audit()).findings == ()


async def test_what_the_relay_is_short_of_is_handed_in_again_with_all_behind_it() -> None:
    """The relay refuses, with its signature, what is numbered behind something that is not there: not for long, and not
    as one of the times a message is tried."""
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        for round_ in range(7):
            gate.runs.clear(), gate.answers.clear(), gate.outcomes.clear()
            gate.open = False
            gate.lie = lambda n, entries: [BUSY] + [NOT_TRIED] * (len(entries) - 1) if n == 0 else None
            await publish(node, f"a{round_}")
            await until(lambda: len(gate.runs) == 1)
            await publish(node, f"b{round_}")
            await until(lambda: len(gate.runs) == 2)
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
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        cut = Unavailable("the line is cut", code="cut-off")
        gate.lie = lambda n, entries: cut if n == lost else None
        sent = await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
        sent += await publish(node, "b")
        await until(lambda: len(gate.runs) == 2)
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
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        gate.lie = lambda n, entries: [BUSY] if n == 0 else [Logged(99, None, b"", ())] if n == 1 else None
        sent = await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
        sent += await publish(node, "b")
        await until(lambda: len(gate.runs) == 2)
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
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        gate.lie = lambda n, entries: [BUSY, BUSY] if n == 0 else None
        (sent,) = await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
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
        gate = gated(node)
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

    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        wire = node.engine.ports[HOST]
        wire.port = gate = Liar(wire.port)
        (sent,) = await publish(node, "a")
        await until(lambda: bool(gate.runs))
        line = node.channel("main").line
        for _ in range(SPINS):
            if line.sending.numbers.head.seq == gate.runs[0][0].seq:
                break
            await asyncio.sleep(0)
            await node.drain(wait=False)
        gate.answer(0)
        await until(lambda: sent.settled)
        assert (await sent.receipt()).index
        assert "refused-then-logged" in node.engine.alarms.codes()
        assert len(gate.runs) == 1
        await fw.settle()
        assert texts(fw)[1:] == ["a"]


async def test_a_relay_that_answers_one_and_not_the_other_wakes_nobody_again_and_again() -> None:
    runs = Runs()
    answers: list[asyncio.Future[list[Outcome]]] = []

    async def answered(number: int) -> list[Outcome]:
        return await answers[number]

    for number in range(3):
        answers.append(asyncio.get_running_loop().create_future())
        runs.begin([_sent("ROUTINE")], 0, answered(number))
    answers[0].set_result([BUSY])
    await idle()
    assert not runs.heard
    assert runs.next() is None
    assert len(runs.tasks()) == 2, "of those that are not answered yet"
    answers[2].set_result([NOT_TRIED])
    await idle()
    assert len(runs.tasks()) == 1
    answers[1].set_exception(Unavailable("cut"))
    await idle()
    assert runs.heard
    assert len(runs.tasks()) == 1
    found = runs.next()
    assert found is not None
    assert found.outcomes == (BUSY,), "and of what is behind a call that failed nothing is known"
    assert not runs


async def test_a_node_that_is_stopped_waits_for_no_answer() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        gate = gated(node)
        await publish(node, "a")
        await until(lambda: len(gate.runs) == 1)
        assert len(node.engine.under_way()) == 1
        node.channel("main").line.stopped = RemoteError("no more")
        assert node.engine.under_way() == []
        gate.answer(0)
        await idle()
        assert node.engine.under_way() == []


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
    async with Framework.create("EST", "LVA", "FIN", seed=seed) as fw:
        node = await warm(fw)
        wire = node.engine.ports[HOST]
        wire.port = weather = Weathered(wire.port, dice)
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


# --- the part


def _sent(precedence: str, size: int = 100) -> Sent:
    return Sent(Item("message", bytes(16), precedence), Submission(bytes(size), b"", (), (), ()), 1, bytes(32), ())


async def _never() -> list[Outcome]:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def _item(precedence: str) -> Item:
    return Item("message", bytes(16), precedence)


async def test_behind_what_is_cut_into_calls_nothing_is_handed_in() -> None:
    runs = Runs()
    runs.begin([_sent("ROUTINE", ONE_CALL + 1)], 0, _never())
    assert not runs.may_follow([_item("ROUTINE")])
    runs.drop()
    runs.begin([_sent("ROUTINE", ONE_CALL)], 0, _never())
    assert runs.may_follow([_item("ROUTINE")])
    assert not runs.may_follow([_item("ROUTINE"), _item("PRIORITY")])
    runs.begin([_sent("FLASH"), _sent("IMMEDIATE")], 0, _never())
    assert runs.may_follow([_item("ROUTINE")])
    runs.drop()


async def test_an_error_of_a_run_nobody_waits_for_is_nobodys() -> None:
    async def fails() -> list[Outcome]:
        raise RemoteError("no")

    runs = Runs()
    runs.begin([_sent("ROUTINE")], 0, fails())
    runs.begin([_sent("ROUTINE")], 0, fails())
    await runs.answered()
    with pytest.raises(RemoteError, match="no"):
        runs.next()
    assert not runs
    assert runs.next() is None


# --- what a turn does not wait for


async def test_own_entries_are_judged_a_few_in_a_turn_and_those_of_others_at_once() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        line = node.channel("main").line
        gated(node).open = True
        judged: list[list[str]] = []
        take = line._take

        def noted(seen, now):
            judged.append([item.verdict.signed.header.sender for item in seen])
            return take(seen, now)

        line._take = noted  # type: ignore[method-assign]
        fw.relay.cut_off("LVA")
        for n in range(20):
            await publish(node, f"m{n}")
        fw.relay.reconnect("LVA")
        await fw.settle()
        assert sum(map(len, judged)) >= 20
        assert max(map(len, judged)) <= OWN_ENTRIES
        judged.clear()
        other = fw.node("LVA")
        for n in range(20):
            await publish(other, f"o{n}")
        await fw.settle()
        assert line.follower.judged == line.follower.checked
        assert max(sum(sender != "EST/mod-1" for sender in found) for found in judged) > OWN_ENTRIES
        assert texts(fw, "EST")[-20:] == [f"o{n}" for n in range(20)]


async def test_an_old_copy_judges_all_of_its_own_before_it_signs() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        line = node.channel("main").line
        assert line._slice == OWN_ENTRIES
        line._started = False
        assert line._slice is None
        line._started, line.behind = True, True
        assert line._slice is None


async def test_a_message_does_not_wait_for_a_cosignature() -> None:
    class Slow(Gate):
        """Takes cosignatures when the test says so."""

        def __init__(self, port: RelayPort) -> None:
            super().__init__(port)
            self.cosigned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.asked = 0

        async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
            self.asked += 1
            await self.cosigned
            await super().cosign(log, size, lines)

    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = await warm(fw)
        wire = node.engine.ports[HOST]
        wire.port = slow = Slow(wire.port)
        slow.open = True
        await publish(node, "a")
        fw.clock.advance(seconds=1)
        for _ in range(SPINS):
            if slow.asked:
                break
            await fw.relay_service.tick()
            await asyncio.sleep(0)
            node.nudge()
            node.engine._ask = True
        assert slow.asked == 1
        (sent,) = await publish(node, "b")
        await until(lambda: sent.settled)
        assert slow.asked == 1, "one round after the other"
        slow.cosigned.set_result(None)
        await fw.settle()
        assert node.engine.under_way() == []
