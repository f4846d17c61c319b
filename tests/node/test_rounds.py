"""Rounds of a cosigner beside the turns: one behind the other, and no error of any is lost or printed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from rsc_share.errors import RemoteError, RscError, StorageError, Unavailable
from rsc_share.node.cosigner import Cosigner
from rsc_share.node.rounds import Rounds


class Scripted(Cosigner):
    """Each round waits until it is let go, and then does what was said."""

    def __init__(self) -> None:
        self.gates: list[asyncio.Future[bool]] = []

    def due(self, feeds: Mapping[str, Any], gap: int) -> bool:
        return True

    async def round(self, ports: Mapping[str, Any], feeds: Mapping[str, Any], gap: int) -> bool:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        return await gate

    def fail(self, number: int, why: str) -> None:
        self.gates[number].set_exception(Unavailable(why, code="cut-off"))


@pytest.fixture
async def printed() -> AsyncIterator[list[str]]:
    """What the loop would print of errors that nobody took."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["message"]))
    yield found
    gc.collect()
    await asyncio.sleep(0)
    assert found == []


async def begun(rounds: Rounds) -> None:
    rounds.begin({}, {}, 0)
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_round_begins_when_the_one_before_has_ended(printed: list[str]) -> None:
    cosigner = Scripted()
    rounds = Rounds(cosigner)
    await begun(rounds)
    await begun(rounds)
    assert len(cosigner.gates) == 1
    cosigner.gates[0].set_result(True)
    while len(cosigner.gates) < 2:  # noqa: ASYNC110 - nothing else can be waited for
        await asyncio.sleep(0)
    cosigner.gates[1].set_result(False)
    assert await rounds.ended(wait=True)


@pytest.mark.parametrize("both", [True, False])
async def test_the_error_of_an_earlier_round_is_raised_whatever_the_later_one_does(
    printed: list[str], both: bool
) -> None:
    cosigner = Scripted()
    rounds = Rounds(cosigner)
    await begun(rounds)
    await begun(rounds)
    cosigner.fail(0, "first")
    while len(cosigner.gates) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    if both:
        cosigner.fail(1, "second")
    else:
        cosigner.gates[1].set_result(True)
    with pytest.raises(Unavailable, match="first"):
        await rounds.ended(wait=True)
    await rounds.aclose()


async def test_a_node_that_closes_prints_nothing_of_rounds_under_way(printed: list[str]) -> None:
    cosigner = Scripted()
    rounds = Rounds(cosigner)
    await begun(rounds)
    await begun(rounds)
    cosigner.fail(0, "first")
    await rounds.aclose()
    assert all(task.done() for task in rounds.tasks())


class Answering(Cosigner):
    """Asks for offers, and takes down what it would cosign."""

    def __init__(self) -> None:
        self._put_off: dict[str, dict[str, Any]] = {}
        self._witness = SimpleNamespace(sizes=dict)  # type: ignore[assignment]
        self.answered: list[str] = []

    def _shown(self, host: str) -> dict[str, Any]:
        return {}

    def _too_soon(self, host: str, offer: Any, gap: int) -> bool:
        return False

    async def _answer(self, port: Any, offer: Any) -> bool:
        self.answered.append(offer.log)
        return True


class Offering:
    def __init__(self, *logs: str, error: RscError | None = None) -> None:
        self._offers, self._error = [SimpleNamespace(log=log) for log in logs], error

    async def offers(self, *known: Any) -> list[Any]:
        if self._error is not None:
            raise self._error
        return self._offers


async def test_relay_that_is_away_keeps_nobody_from_cosigning_the_logs_of_another() -> None:
    cosigner = Answering()
    feeds: Any = {"a.example": Offering(error=Unavailable("no session")), "b.example": Offering("b.example/f/ct")}
    with pytest.raises(Unavailable, match="no session"):
        await cosigner.round(dict.fromkeys(feeds), feeds, 0)
    assert cosigner.answered == ["b.example/f/ct"]


@pytest.mark.parametrize("first", ["a.example", "b.example"])
async def test_relay_that_is_away_hides_nothing_that_another_did(first: str) -> None:
    """Or nobody is told of it for as long as the one is away."""
    errors = {"a.example": Unavailable("no session"), "b.example": RemoteError("a false proof", code="bad-proof")}
    hosts = sorted(errors, reverse=first == "b.example")
    feeds: Any = {host: Offering(error=errors[host]) for host in hosts}
    with pytest.raises(RemoteError, match="false proof"):
        await Answering().round(dict.fromkeys(feeds), feeds, 0)


async def test_store_that_failed_ends_the_round() -> None:
    """What is not on disk must not be cosigned, at any relay."""
    cosigner = Answering()
    feeds: Any = {"a.example": Offering(error=StorageError("no disk")), "b.example": Offering("b.example/f/ct")}
    with pytest.raises(StorageError):
        await cosigner.round(dict.fromkeys(feeds), feeds, 0)
    assert cosigner.answered == []
