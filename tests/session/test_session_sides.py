"""Both sides of a session against each other, without a network: every byte is at hand, and nothing waits."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rsc_share import codec
from rsc_share.envelope.header import PRECEDENCES
from rsc_share.errors import LocalError, RemoteError, Unavailable
from rsc_share.session.fault import Fault
from rsc_share.session.node_side import Answered, NodeSide, Opened
from rsc_share.session.relay_side import MAX_FAULTS, Called, RelaySide
from rsc_share.session.table import (
    MAX_FRAME,
    MAX_MESSAGE,
    MIN_WINDOW,
    PIECE,
    Answer,
    Call,
    Cancel,
    Credit,
    Failed,
    Goaway,
    Greeting,
    Hello,
    More,
    State,
    encode,
)

HOST = "relay.example"
OWN = {"relay.example/r/main": (7, bytes(32), 12)}


class Pair:
    """A node and a relay, and what each has heard."""

    def __init__(self, *, calls: int = 8, size: int = 4 << 20, window: int = MIN_WINDOW) -> None:
        self.relay = RelaySide(Hello(b"n" * 32, HOST, 1, calls, size))
        self.node = NodeSide(window)
        self.called: list[Called | Cancel] = []
        self.answered: list[Any] = []

    def to_node(self, limit: int = 1 << 30) -> int:
        count = 0
        while count < limit and (frame := self.relay.next_frame()) is not None:
            assert len(frame) <= MAX_FRAME
            count += 1
            event = self.node.receive(frame)
            if event is not None:
                self.answered.append(event)
        return count

    def to_relay(self, limit: int = 1 << 30) -> int:
        count = 0
        while count < limit and (frame := self.node.next_frame()) is not None:
            assert len(frame) <= MAX_FRAME
            count += 1
            event = self.relay.receive(frame)
            if isinstance(event, Called | Cancel):
                self.called.append(event)
        return count

    def settle(self) -> None:
        while self.to_node() + self.to_relay():
            pass


@pytest.fixture
def pair() -> Pair:
    return opened(Pair())


def opened(pair: Pair) -> Pair:
    pair.to_node()
    pair.node.greet("eyJ", {"relay.example/r/main": 12})
    frame = pair.node.next_frame()
    assert frame is not None
    greeting = pair.relay.receive(frame)
    assert greeting == Greeting("eyJ", MIN_WINDOW, {"relay.example/r/main": 12})
    pair.relay.welcome(OWN)
    pair.settle()
    assert pair.answered[-1] == Opened(OWN)
    pair.answered.clear()
    return pair


def ends(side: RelaySide | NodeSide, frame: Any, code: str) -> None:
    with pytest.raises(RemoteError) as found:
        side.receive(frame if type(frame) is bytes else encode(frame))
    assert found.value.code == code


def test_hello_token_welcome(pair: Pair) -> None:
    assert (pair.relay.state, pair.node.state) == (State.OPEN, State.OPEN)


@pytest.mark.parametrize("seed", range(20))
def test_every_call_gets_its_own_answer_whatever_its_size_and_order(seed: int) -> None:
    """The clever side (pieces, queues, windows, limits) against a dictionary."""
    random = Random(seed)  # noqa: S311 - it must repeat itself
    pair = opened(Pair(calls=random.randint(1, 8)))
    asked: dict[int, bytes] = {}
    answers: dict[int, bytes] = {}
    for _ in range(60):
        if random.random() < 0.5:
            body = random.randbytes(random.choice((1, 100, PIECE, PIECE + 1, 300_000)))
            asked[pair.node.call("read", body, random.choice(PRECEDENCES))] = body
        if pair.called and random.random() < 0.7:
            call = pair.called.pop(random.randrange(len(pair.called)))
            assert isinstance(call, Called)
            assert call.body == asked[call.id]
            answers[call.id] = random.randbytes(random.choice((1, PIECE, PIECE * 3, 1_000_000)))
            pair.relay.answer(call.id, answers[call.id])
        pair.to_relay(random.randint(0, 5))
        pair.to_node(random.randint(0, 5))
    while len(answers) < len(asked):
        pair.settle()
        for call in pair.called:
            answers[call.id] = b"late"
            pair.relay.answer(call.id, b"late")
        pair.called.clear()
    pair.settle()
    assert {item.id: item.body for item in pair.answered} == answers
    assert answers.keys() == asked.keys()
    assert pair.relay.idle


def test_flash_overtakes_what_has_not_left_and_bulk_goes_on(pair: Pair) -> None:
    bulk = pair.node.call("submit_object", bytes(PIECE * 40), "ROUTINE")
    pair.to_relay(3)
    flash = pair.node.call("submit", b"now", "FLASH")
    pair.to_relay(1)
    assert [call.id for call in pair.called] == [flash]
    pair.settle()
    assert [call.id for call in pair.called] == [flash, bulk]


def test_bulk_is_never_starved(pair: Pair) -> None:
    pair.node.call("submit_object", bytes(PIECE * 2), "ROUTINE")
    for _ in range(7):
        pair.node.call("read", bytes(PIECE * 8), "FLASH")
    pair.to_relay(33)
    assert any(isinstance(call, Called) and call.rank == "ROUTINE" for call in pair.called)


def test_a_relay_waits_for_credit_and_is_told_to_wait_by_silence(pair: Pair) -> None:
    id = pair.node.call("read", b"x", "ROUTINE")
    pair.to_relay()
    pair.relay.answer(id, bytes(MIN_WINDOW * 4))
    sent = 0
    while (frame := pair.relay.next_frame()) is not None:
        sent += len(frame)
    assert MIN_WINDOW - MAX_FRAME < sent <= MIN_WINDOW
    assert pair.relay.starved
    pair.relay.receive(encode(Credit(sent)))
    assert not pair.relay.starved or pair.relay.next_frame() is not None


def test_a_call_above_the_relays_limits_waits_at_the_node() -> None:
    pair = opened(Pair(calls=2))
    ids = [pair.node.call("read", b"x", "ROUTINE") for _ in range(5)]
    pair.to_relay()
    assert [call.id for call in pair.called] == ids[:2]
    pair.relay.answer(ids[0], b"done")
    pair.settle()
    assert [call.id for call in pair.called] == ids[:3]


def test_a_call_longer_than_the_relay_takes_is_the_callers_fault(pair: Pair) -> None:
    with pytest.raises(LocalError):
        pair.node.call("submit_object", bytes((4 << 20) + 1), "ROUTINE")


def test_an_answer_longer_than_a_message_becomes_a_fault(pair: Pair) -> None:
    id = pair.node.call("bodies", b"x", "ROUTINE")
    pair.to_relay()
    pair.relay.answer(id, bytes(MAX_MESSAGE + 1))
    pair.settle()
    assert isinstance(pair.answered[0], Failed)
    assert pair.answered[0].fault.code == "too-large"


@pytest.mark.parametrize("left", [0, 1, 100])
def test_a_cancelled_call_is_answered_all_the_same_and_its_room_is_free_again(left: int) -> None:
    pair = opened(Pair(calls=1))
    first = pair.node.call("read", bytes(PIECE * 3), "ROUTINE")
    pair.to_relay(left)
    pair.node.cancel(first)
    pair.settle()
    if left == 100:
        assert pair.called[1:] == [Cancel(first)]
        pair.relay.fault(first, Unavailable("cancelled", code="cancelled"))
        pair.settle()
    second = pair.node.call("logs", b"x", "ROUTINE")
    pair.settle()
    assert isinstance(pair.called[-1], Called)
    assert pair.called[-1].id == second


def test_cancel_after_the_answer_is_no_error(pair: Pair) -> None:
    id = pair.node.call("logs", b"x", "ROUTINE")
    pair.to_relay()
    pair.relay.answer(id, b"y")
    pair.node.cancel(id)
    pair.settle()
    assert pair.answered == [Answered(id, b"y")]
    assert pair.relay.idle


def test_a_draining_relay_finishes_and_takes_nothing_new(pair: Pair) -> None:
    id = pair.node.call("logs", b"x", "ROUTINE")
    pair.to_relay()
    pair.relay.goaway("upgrade")
    late = pair.node.call("logs", b"x", "ROUTINE")
    pair.settle()
    pair.relay.answer(id, b"y")
    pair.settle()
    goaway, failed, answered = pair.answered
    assert goaway == Goaway("upgrade")
    assert (failed.id, failed.fault.code) == (late, "draining")
    assert answered == Answered(id, b"y")


# --- attacks by a node


def test_attack_frame_before_the_token() -> None:
    ends(Pair().relay, Call(1, "logs", "FLASH", 1, b"\x90"), "unexpected")


def test_attack_frame_between_token_and_welcome() -> None:
    pair = Pair()
    pair.relay.receive(encode(Greeting("eyJ", MIN_WINDOW, {})))
    ends(pair.relay, Call(1, "logs", "FLASH", 1, b"\x90"), "unexpected")
    ends(pair.relay, Greeting("eyJ", MIN_WINDOW, {}), "unexpected")


def test_attack_second_token(pair: Pair) -> None:
    ends(pair.relay, Greeting("eyJ", MIN_WINDOW, {}), "unexpected")


def test_attack_frame_after_close(pair: Pair) -> None:
    pair.relay.close(RemoteError("enough"))
    ends(pair.relay, Cancel(1), "unexpected")
    assert pair.relay.next_frame() is None


def test_attack_strangers_frame_above_the_greetings_bound() -> None:
    heads = {f"relay.example/r/{'c' * 50}-{i}": 1 for i in range(400)}
    ends(Pair().relay, codec.pack(["token", "eyJ", MIN_WINDOW, heads]), "malformed")


def test_attack_unknown_call(pair: Pair) -> None:
    ends(pair.relay, codec.pack(["call", 1, "aclose", "FLASH", 1, b"\x90"]), "malformed")


def test_attack_credit_overrun_with_calls() -> None:
    pair = opened(Pair(calls=2))
    for id in (1, 2):
        pair.relay.receive(encode(Call(id, "changed", "FLASH", 2, b"x")))
    ends(pair.relay, Call(3, "changed", "FLASH", 2, b"x"), "credit")


def test_attack_credit_overrun_with_bytes() -> None:
    pair = opened(Pair(size=1 << 20))
    pair.relay.receive(encode(Call(1, "submit", "FLASH", 1 << 20, b"x")))
    ends(pair.relay, Call(2, "submit", "FLASH", 1, b"x"), "credit")


def test_attack_credit_that_was_never_spent(pair: Pair) -> None:
    ends(pair.relay, Credit(MAX_FRAME * 2), "credit")


def test_attack_message_longer_than_it_said(pair: Pair) -> None:
    pair.relay.receive(encode(Call(1, "submit", "FLASH", 3, b"x")))
    ends(pair.relay, More(1, b"xyz"), "malformed")


def test_attack_more_of_nothing(pair: Pair) -> None:
    ends(pair.relay, More(9, b"x"), "malformed")


def test_attack_more_of_a_call_that_is_whole(pair: Pair) -> None:
    pair.relay.receive(encode(Call(1, "logs", "FLASH", 1, b"\x90")))
    ends(pair.relay, More(1, b"x"), "malformed")


def test_attack_two_calls_with_one_id(pair: Pair) -> None:
    pair.relay.receive(encode(Call(1, "logs", "FLASH", 1, b"\x90")))
    ends(pair.relay, Call(1, "logs", "FLASH", 1, b"\x90"), "malformed")


# --- attacks by a relay


def test_attack_relay_floods_a_node_beyond_its_window(pair: Pair) -> None:
    id = pair.node.call("read", b"x", "ROUTINE")
    pair.to_relay()
    pair.node.receive(encode(Answer(id, MAX_MESSAGE, bytes(100_000))))
    pair.node.receive(encode(More(id, bytes(100_000))))
    ends(pair.node, More(id, bytes(100_000)), "credit")


def test_attack_relay_answers_what_was_not_asked(pair: Pair) -> None:
    ends(pair.node, Answer(5, 1, b"x"), "malformed")
    ends(pair.node, More(5, b"x"), "malformed")
    ends(pair.node, Failed(5, Fault.of(Unavailable("x"))), "malformed")


def test_attack_relay_welcomes_with_nonsense() -> None:
    pair = Pair()
    pair.to_node()
    pair.node.greet("eyJ", {})
    ends(pair.node, Answer(0, 1, b"\xc0"), "malformed")


def test_attack_relay_sends_what_only_nodes_send(pair: Pair) -> None:
    ends(pair.node, Credit(1), "unexpected")


def test_heads_that_do_not_fit_the_greeting_are_left_out() -> None:
    pair = Pair()
    pair.to_node()
    pair.node.greet("eyJ", {f"relay.example/r/{'c' * 55}-{i:03d}": i for i in range(600)})
    frame = pair.node.next_frame()
    assert frame is not None
    greeting = pair.relay.receive(frame)
    assert isinstance(greeting, Greeting)
    assert 64 <= len(greeting.heads) <= 256


def test_attack_calls_that_are_cancelled_and_whose_faults_nobody_takes(pair: Pair) -> None:
    """Each made room for the next one, and left a frame with the relay."""
    for id in range(1, MAX_FAULTS + 1):
        pair.relay.receive(encode(Call(id, "logs", "ROUTINE", 2, b"\x90")))
        pair.relay.receive(encode(Cancel(id)))
    with pytest.raises(RemoteError) as found:
        pair.relay.receive(encode(Call(100_000, "logs", "ROUTINE", 2, b"\x90")))
    assert found.value.code == "credit"
    assert pair.relay.next_frame() is not None
    pair.relay.receive(encode(Call(100_000, "logs", "ROUTINE", 1, b"\x90")))
