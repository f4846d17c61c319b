"""Runs by themselves: which may follow which, and when an answer counts."""

from __future__ import annotations

import asyncio

import pytest
from node_gate import idle

from rsc_share.errors import RemoteError, Unavailable
from rsc_share.node.outbox import Item, Sent
from rsc_share.node.runs import Runs
from rsc_share.session.frames import NOT_TRIED, Outcome, Submission, Weather
from rsc_share.session.port import ONE_CALL

BUSY = Weather("rate-limited", 0)


def _sent(precedence: str, size: int = 100) -> Sent:
    return Sent(Item("message", bytes(16), precedence), Submission(bytes(size), b"", (), (), ()), 1, bytes(32), ())


async def _never() -> list[Outcome]:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def _item(precedence: str) -> Item:
    return Item("message", bytes(16), precedence)


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
