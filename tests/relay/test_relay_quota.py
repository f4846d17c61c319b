"""What one member may hand in, with a clock the test moves: rates, bytes under way, operator's and charter's."""

from __future__ import annotations

import asyncio
import hashlib
from types import SimpleNamespace

import pytest
from relay_world import CT, EST, FIN, LVA, OPS, World

from rsc_share import codec
from rsc_share.errors import Refused, Unavailable
from rsc_share.relay.net.limits import Limits
from rsc_share.relay.net.sessions import Sessions
from rsc_share.relay.quota import BUSY, Quotas, Rates, Taken
from rsc_share.session.frames import Logged, Submission, Weather


class Seconds:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def run(count: int, size: int = 1_000) -> list[Submission]:
    return [Submission(bytes(size - 10), bytes(10), (), (), ()) for _ in range(count)]


def quotas(**rates: int) -> tuple[Quotas, Seconds, list[str]]:
    clock, told = Seconds(), list[str]()
    made = Quotas(
        Rates(**{"entries_per_second": 10**6, "bytes_per_second": 10**9, "in_flight_bytes": 10**9, **rates}), clock
    )
    made.told = told.append
    return made, clock, told


def test_a_member_that_rested_has_a_second_and_then_its_rate() -> None:
    made, clock, told = quotas(entries_per_second=10)
    assert isinstance(made.take("EST", CT, {}, run(20)), Taken)
    assert made.take("EST", CT, {}, run(1)) == Weather("rate-limited", 1_001)
    clock.now += 1.001
    for _ in range(10):
        assert isinstance(made.take("EST", CT, {}, run(1)), Taken)
        clock.now += 0.1001
    clock.now += 3_600
    assert [isinstance(made.take("EST", CT, {}, run(10)), Taken) for _ in range(3)] == [True, True, False], (
        "an hour of rest is a second's"
    )
    assert told == ["entries_per_second"] * 2


def test_a_run_longer_than_the_rate_is_taken_and_paid_for() -> None:
    made, clock, _ = quotas(entries_per_second=10)
    assert isinstance(made.take("EST", CT, {}, run(256)), Taken)
    clock.now += 24
    weather = made.take("EST", CT, {}, run(1))
    assert isinstance(weather, Weather)
    assert weather.retry_after in (600, 601)
    clock.now += 0.7
    assert isinstance(made.take("EST", CT, {}, run(1)), Taken)


def test_what_is_turned_away_costs_nothing() -> None:
    made, clock, _ = quotas(entries_per_second=10)
    made.take("EST", CT, {}, run(20))
    for _ in range(100):
        assert isinstance(made.take("EST", CT, {}, run(256)), Weather)
    clock.now += 1.001
    assert isinstance(made.take("EST", CT, {}, run(1)), Taken)


def test_bytes_have_a_rate_of_their_own() -> None:
    made, _, told = quotas(bytes_per_second=10_000)
    assert isinstance(made.take("EST", CT, {}, run(20)), Taken)
    assert made.take("EST", CT, {}, run(1)) == Weather("rate-limited", 1_001)
    assert told == ["bytes_per_second"]


def test_members_do_not_pay_for_each_other() -> None:
    made, _, _ = quotas(entries_per_second=1)
    made.take("EST", CT, {}, run(100))
    assert isinstance(made.take("FIN", CT, {}, run(1)), Taken)


def test_the_operator_lowers_what_the_charter_grants_and_never_raises_it() -> None:
    made, _, _ = quotas(entries_per_second=100)
    assert isinstance(made.take("EST", CT, {"entries_per_second": 5}, run(10)), Taken)
    assert isinstance(made.take("EST", CT, {"entries_per_second": 5}, run(1)), Weather)
    assert isinstance(made.take("EST", OPS, {"entries_per_second": 10_000}, run(100)), Taken), "another channel"
    assert isinstance(made.take("EST", OPS, {"entries_per_second": 10_000}, run(1)), Weather), "and all together"


def test_bytes_under_way_are_given_back_once() -> None:
    made, _, told = quotas(in_flight_bytes=5_000)
    first = made.take("EST", CT, {}, run(9))
    assert isinstance(first, Taken), "one that is larger than all is taken alone, or it never was"
    assert made.take("EST", CT, {}, run(1)) is BUSY
    first.done()
    first.done()
    second = made.take("EST", CT, {"in_flight_bytes": 2_000}, run(2))
    assert isinstance(second, Taken)
    assert made.take("EST", CT, {"in_flight_bytes": 2_000}, run(1)) is BUSY
    assert isinstance(made.take("EST", OPS, {}, run(3)), Taken)
    assert told == ["in_flight_bytes"] * 2
    second.done()
    assert isinstance(made.take("EST", CT, {"in_flight_bytes": 2_000}, run(1)), Taken)


def test_new_rates_hold_at_once() -> None:
    made, _, _ = quotas(entries_per_second=1_000)
    made.take("EST", CT, {}, run(1_000))
    made.rates = Rates(entries_per_second=1)
    made.take("FIN", CT, {}, run(2))
    assert made.take("FIN", CT, {}, run(1)) == Weather("rate-limited", 1_001)


def test_a_flash_has_the_rates_once_more_and_no_more_than_that() -> None:
    made, clock, told = quotas(entries_per_second=10)
    made.take("EST", CT, {}, run(20))
    assert isinstance(made.take("EST", CT, {}, run(1)), Weather)
    assert isinstance(made.take("EST", CT, {}, run(20), urgent=True), Taken), "its own bulk does not hold it back"
    assert made.take("EST", CT, {}, run(1), urgent=True) == Weather("rate-limited", 1_001)
    assert told == ["entries_per_second"] * 2, "what the reserve let in was not turned away"
    clock.now += 1.001
    assert [isinstance(made.take("EST", CT, {}, run(10), urgent=True), Taken) for _ in range(3)] == [True, True, False]


async def test_only_what_ends_urgently_may_overdraw(world: World) -> None:
    pen = world.pen(EST)
    await world.submit(EST, pen.grant(FIN))
    world.relay.quotas = Quotas(Rates(entries_per_second=1), Seconds())
    assert isinstance((await world.submit(EST, *(pen.message(FIN) for _ in range(4))))[0], Logged)
    routine = pen.message(FIN)
    assert (await world.submit(EST, routine))[0].code == "rate-limited"
    urgent = [routine, pen.grant(FIN), pen.message(FIN, precedence="FLASH")]
    assert all(isinstance(outcome, Logged) for outcome in await world.submit(EST, *urgent))
    assert (await world.submit(EST, pen.message(FIN, precedence="IMMEDIATE")))[0].code == "rate-limited"


async def test_a_flood_is_weather_for_its_member_and_nothing_for_others(world: World) -> None:
    pens = {node: world.pen(node) for node in (EST, LVA)}
    for pen, to in ((pens[EST], FIN), (pens[LVA], FIN)):
        await world.submit(pen.node, pen.grant(to))
    clock = Seconds()
    world.relay.quotas = Quotas(Rates(entries_per_second=4), clock)
    entries = [pens[EST].message(FIN) for _ in range(10)]
    first = await world.submit(EST, *entries[:8])
    assert all(isinstance(outcome, Logged) for outcome in first)
    size = world.relay.logs[CT].size
    weather, *rest = await world.submit(EST, *entries[8:])
    assert (weather.code, [item.code for item in rest]) == ("rate-limited", ["not-tried"])
    assert world.relay.logs[CT].size == size
    assert all(isinstance(outcome, Logged) for outcome in await world.submit(LVA, pens[LVA].message(FIN)))
    clock.now += weather.retry_after / 1_000
    assert all(isinstance(outcome, Logged) for outcome in await world.submit(EST, *entries[8:])), "the same bytes"


async def test_what_is_under_way_is_free_again_though_nobody_waits_for_it(world: World) -> None:
    pen = world.pen(EST)
    world.relay.quotas = made = Quotas(Rates(in_flight_bytes=1))
    waiting = asyncio.create_task(world.submit(EST, pen.grant(FIN)))
    await asyncio.sleep(0)
    assert made._waiting
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance((await world.submit(EST, pen.message(FIN)))[0], Weather | Logged)
    await world.relay.aclose()
    assert not made._waiting


def charter(**limits: int | None) -> SimpleNamespace:
    """A relay whose charter has a channel for each limit of sessions; None: a channel without one. Members: EST."""
    specs = {
        name: SimpleNamespace(spec=SimpleNamespace(limits={} if most is None else {"sessions": most}), members={"EST"})
        for name, most in limits.items()
    }
    directory = SimpleNamespace(spec=None, members={"EST", "FIN"})
    return SimpleNamespace(view=SimpleNamespace(logs={"directory": directory, **specs}))


@pytest.mark.parametrize(
    ("channels", "member", "most"),
    [
        ({}, "EST", 16),
        ({"a": 3, "b": 5}, "EST", 5),
        ({"a": 3, "b": None}, "EST", 16),
        ({"a": 99}, "EST", 16),
        ({"a": 3}, "FIN", 16),
    ],
)
def test_sessions_are_as_many_as_the_most_generous_channel_and_the_operator_grant(
    channels: dict[str, int | None], member: str, most: int
) -> None:
    assert Sessions(charter(**channels), Limits())._most(member) == most


def test_bodies_of_objects_have_a_slow_rate_of_their_own() -> None:
    made, clock, told = quotas()
    assert made.objects("EST", 4 << 20) is None, "the first is taken whole"
    weather = made.objects("EST", 1)
    assert weather is not None
    assert (weather.code, weather.retry_after) == ("rate-limited", 255_001)
    assert made.objects("FIN", 1) is None
    clock.now += 256
    assert made.objects("EST", 1) is None
    assert told == ["object_bytes"]


async def test_attack_charters_that_nobody_signed_come_seldom() -> None:
    """Each kept a relay from everything else for as long as its text takes to read."""
    world = await World().ready()
    text = b"x = [" + b"1," * 130_000 + b"]\n"
    bodies = {hashlib.sha256(body).digest(): body for body in (text, b"keys", b"signatures")}
    names = ("text", "keys", "signatures")
    content = codec.pack({"version": 2, **dict(zip(names, bodies, strict=True))})
    charter = codec.pack(["charter", content, []])
    with pytest.raises(Refused):
        await world.ports[EST].submit_object(charter, bodies)
    for _ in range(3):
        with pytest.raises(Unavailable) as found:
            await world.ports[EST].submit_object(charter, bodies)
        assert found.value.code == "rate-limited"
        assert found.value.retry_after is not None
    with pytest.raises(Refused):  # a revocation, say, waits for nothing
        await world.ports[EST].submit_object(charter, {})
