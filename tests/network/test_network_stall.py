"""Who leaves answers lying is told from who is slow: by a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from rsc_share.relay.net.stall import Stall

SECONDS = 60.0


class Loop:
    """Time and timers of an event loop, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.timers: list[tuple[float, Timer]] = []
        self.set = 0

    def time(self) -> float:
        return self.now

    def call_later(self, delay, call) -> Timer:
        timer = Timer(call)
        self.timers.append((self.now + delay, timer))
        self.set += 1
        return timer

    def pass_time(self, seconds: float) -> None:
        """Second by second, with whatever falls due."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1.0)
            for due in [item for item in self.timers if item[0] <= self.now]:
                self.timers.remove(due)
                due[1].run()


class Timer:
    def __init__(self, call) -> None:
        self._call, self._cancelled = call, False

    def cancel(self) -> None:
        self._cancelled = True

    def run(self) -> None:
        if not self._cancelled:
            self._call()


@pytest.fixture
def loop(monkeypatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


@pytest.fixture
def over() -> list[str]:
    return []


@pytest.fixture
def stall(loop, over) -> Stall:
    return Stall(SECONDS, lambda: over.append("over"))


def test_a_line_that_takes_nothing_is_over_after_its_time(loop, over, stall):
    stall.leaving()
    loop.pass_time(SECONDS - 1)
    assert over == []
    loop.pass_time(1)
    assert over == ["over"]


def test_a_line_that_takes_each_frame_at_the_last_moment_is_slow_and_nothing_more(loop, over, stall):
    for _ in range(5):
        stall.leaving()
        loop.pass_time(SECONDS - 1)
        stall.left()
    assert over == []


def test_a_frame_that_left_before_does_not_shorten_the_time_of_the_next(loop, over, stall):
    stall.leaving()
    stall.left()
    loop.pass_time(1)
    stall.leaving()
    loop.pass_time(SECONDS - 1)
    assert over == []
    loop.pass_time(1)
    assert over == ["over"]


def test_a_node_cannot_stay_without_credit_by_making_other_frames_leave(loop, over, stall):
    """Faults need no credit: each one that leaves must not begin the time of the answer anew."""
    for _ in range(int(SECONDS) // 10):
        stall.starved(True)
        stall.leaving()
        stall.left()
        loop.pass_time(10)
    assert over == ["over"]


def test_credit_that_comes_in_time_begins_it_anew(loop, over, stall):
    stall.starved(True)
    loop.pass_time(SECONDS - 1)
    stall.starved(False)
    loop.pass_time(2)
    stall.starved(True)
    loop.pass_time(SECONDS - 2)
    assert over == []
    loop.pass_time(2)
    assert over == ["over"]


def test_many_frames_set_one_timer_and_an_idle_session_none(loop, over, stall):
    for _ in range(1_000):
        stall.leaving()
        stall.left()
    assert loop.set == 1
    loop.pass_time(10 * SECONDS)
    assert (loop.set, loop.timers, over) == (1, [], [])


def test_a_session_that_ended_is_not_looked_at(loop, over, stall):
    stall.leaving()
    stall.close()
    loop.pass_time(2 * SECONDS)
    assert over == []
