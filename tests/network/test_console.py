"""What the console knows: the past minutes, the disk, what needs a person, the state of a relay that runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession
from console_world import DAYS, DIRECTORY, GOOD, ROW, log, world

from rsc_share.errors import StorageError
from rsc_share.relay.net.console import alarms as bounds
from rsc_share.relay.net.console.alarms import alarms
from rsc_share.relay.net.console.history import KEPT, History, Sample
from rsc_share.relay.net.console.page import page
from rsc_share.relay.net.console.state import State
from rsc_share.relay.net.disk import WAL_MOST, Disk, Space
from rsc_share.relay.net.health import ClockGuard, Health
from rsc_share.relay.net.meters import COMMIT_BUCKETS, Meters, Totals
from rsc_share.relay.net.news import News
from rsc_share.relay.room import Room
from rsc_share.relay.store.protocol import Broken
from rsc_share.session.frames import Logged, Outcome, Weather

# --- the past minutes


def totals(commits: tuple[int, ...] = (), **refused: int) -> Totals:
    return Totals(refused, {}, {}, {"a": commits} if commits else {})


def test_rates_are_what_the_logs_grew_by_and_not_what_they_had() -> None:
    history = History()
    assert (history.rates("a"), history.rate("a"), history.seconds, history.latency("a").commits) == ((), 0.0, 0.0, 0)
    for at, found in ((10.0, {"a": 1_000}), (11.0, {"a": 1_003}), (13.0, {"a": 1_007, "b": 400})):
        history.add(Sample(at, found, totals()))
    assert history.rates("a") == ((2.0, 3.0), (0.0, 2.0))
    assert history.rates("b") == ((2.0, 0.0), (0.0, 0.0)), "what a log begins with was not logged now"
    assert history.rate("a") == pytest.approx(7 / 3)
    history.add(Sample(30.0, {"a": 1_024}, totals()))
    assert history.rate("a") == 1.0, "of the last ten seconds and the sample before them"


def test_the_ring_is_bounded_and_a_clock_that_stands_still_divides_by_nothing() -> None:
    history = History()
    for second in range(3 * KEPT):
        history.add(Sample(float(second), {"a": second}, totals(gone=second)))
    assert (len(history), history.seconds, len(history.rates("a"))) == (KEPT, 300.0, 300)
    assert history.lately("refused") == {"gone": 300}
    history.add(Sample(float(3 * KEPT - 1), {"a": 10_000}, totals()))
    history.add(Sample(5.0, {"a": 10_001}, totals()))
    assert len(history) == 1, "a monotonic clock that went back has no past"


def test_latencies_are_the_bounds_of_buckets_of_the_minutes_kept() -> None:
    meters, history = Meters(), History()
    meters.committed("a", 9.0)  # long ago
    history.add(Sample(0.0, {}, meters.totals()))
    for _ in range(98):
        meters.committed("a", 0.0015)
    for _ in range(2):
        meters.committed("a", 0.3)
    history.add(Sample(1.0, {}, meters.totals()))
    found = history.latency("a")
    assert (found.commits, found.p50, found.p99) == (100, 0.002, 0.5)
    meters.committed("b", 99.0)
    history.add(Sample(2.0, {}, meters.totals()))
    assert (history.latency("b").commits, history.latency("b").p99) == (1, None), "above every bound"
    assert len(meters.totals().commits["a"]) == len(COMMIT_BUCKETS) + 1


def test_totals_are_the_metrics_without_what_was_logged() -> None:
    meters = Meters()
    outcomes: list[Outcome] = [Weather("not-ready", 1), Weather("not-ready", 1), Logged.__new__(Logged)]
    meters.outcomes("a", outcomes)
    meters.outcomes("b", outcomes[:1])
    meters.turned_away("waiting")
    meters.ended("left")
    found = meters.totals()
    assert (dict(found.refused), dict(found.turned_away), dict(found.ended)) == (
        {"not-ready": 3}, {"waiting": 1}, {"left": 1},
    )  # fmt: skip


# --- the disk


@pytest.mark.parametrize(
    ("free", "room"),
    [
        (1_000, "enough"),
        (150, "enough"),
        (149, "low"),
        (70, "low"),
        (69, "short"),
        (30, "short"),
        (29, "critical"),
        (0, "critical"),
    ],
)
def test_the_disk_has_three_bounds(free: int, room: str) -> None:
    assert Space(free, 1_000, 0, 0).room == room


def test_a_disk_is_looked_at_and_one_that_does_not_answer_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(bytes(5_000))
    found = Disk(tmp_path).look()
    assert found is not None
    assert (found.store, found.wal, found.ballast) == (5_000, 0, 0)
    assert 0 < found.free <= found.total
    (tmp_path / "store.sqlite3-wal").write_bytes(bytes(7))
    again = Disk(tmp_path).look()
    assert again is not None
    assert again.wal == 7
    assert Disk(tmp_path / "gone").look() is None
    assert Space(0, 0, 0, 0).room == "critical", "a file system of no size has no room"


# --- alarms


def test_a_good_state_alarms_nobody() -> None:
    assert alarms(GOOD) == ()


DISK = GOOD.disk
assert DISK is not None


@pytest.mark.parametrize(
    ("state", "level", "says"),
    [
        (replace(GOOD, logs=(replace(ROW, state="stopped"),)), "stop", "has stopped"),
        (replace(GOOD, logs=(replace(ROW, state="recovering"),)), "attention", "waits for witnesses"),
        (replace(GOOD, logs=(replace(ROW, state="directory-stale"),)), "attention", "takes nothing"),
        (replace(GOOD, logs=(replace(DIRECTORY, witness_age=225_001),)), "attention", "witnessed 225 s ago"),
        (replace(GOOD, logs=(replace(ROW, commits=20, commit_p99=200.0),)), "attention", "are slow"),
        (replace(GOOD, logs=(replace(ROW, commits=20, commit_p99=None),)), "attention", "are slow"),
        (replace(GOOD, clock_off=True, clock_step=-2.5), "stop", "stepped by -2.5 s"),
        (replace(GOOD, disk=replace(DISK, percent=14.9, room=Room.LOW)), "attention", "14.9 % of the disk is free"),
        (replace(GOOD, disk=replace(DISK, percent=2.0, room=Room.CRITICAL)), "stop", "(critical)"),
        (replace(GOOD, disk=replace(DISK, wal=WAL_MOST + 1)), "attention", "above 1 GiB"),
        (replace(GOOD, disk=None), "stop", "does not answer"),
        (replace(GOOD, disk=None, durable=False), "attention", "in memory"),
        (replace(GOOD, certificate_days=29.9), "attention", "ends in 30 days"),
        (replace(GOOD, certificate_days=-0.5), "attention", "has ended"),
    ],
)  # fmt: skip
def test_each_bound_alarms_once(state: State, level: str, says: str) -> None:
    (found,) = alarms(state)
    assert found.level == level
    assert says in found.what
    assert found.advice


def test_what_stops_comes_first_and_one_slow_commit_is_no_alarm() -> None:
    state = replace(GOOD, clock_off=True, certificate_days=3, logs=(replace(ROW, state="stopped", commits=1),))
    assert [alarm.level for alarm in alarms(state)] == ["stop", "stop", "attention"]
    assert alarms(replace(GOOD, logs=(replace(ROW, commits=19, commit_p99=5_000.0),))) == ()


def test_docs_say_the_same_bounds() -> None:
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert f"below {bounds.CERTIFICATE_DAYS} " in text
    assert "three eighths of LAG" in text
    assert "15, 7 and 3 %" in text


# --- a relay that runs


async def test_the_state_is_that_of_the_relay(tmp_path: Path) -> None:
    async with world(tmp_path) as here, ClientSession() as http:
        for _ in range(12):
            await here.second(2)
        here.fw.meters.outcomes(log("cyber"), [Weather("rate-limited", 100)] * 7)
        here.fw.meters.ended("left")
        here.fw.relay_service.stop(here.fw.relay_service.logs[log("disasters")], Broken("no"))
        async with http.get(f"{here.url}/state.json") as answer:
            found = await answer.json()
        assert (found["version"], found["ready"], found["host"], found["durable"]) == (1, False, "relay.example", True)
        rows = {row["log"]: row for row in found["logs"]}
        assert next(iter(rows)) == log("directory")
        cyber = rows[log("cyber")]
        logs = here.fw.relay_service.logs
        assert (cyber["state"], cyber["size"], cyber["per_second"]) == ("ready", logs[log("cyber")].size, 2.0)
        assert cyber["history"][-1] == [0.0, 2.0]
        assert rows[log("disasters")]["state"] == "stopped"
        assert cyber["witnessed_size"] <= cyber["size"]
        assert [(row["member"], row["node"]) for row in found["sessions"]] == [
            (member, f"{member}/mod-1") for member in ("EST", "FIN", "LVA", "SWE")
        ]
        assert found["refused"] == [{"code": "rate-limited", "total": 7, "lately": 0}], "since the last sample: not yet"
        assert found["ended"][0]["total"] == 1
        assert found["disk"]["free"] > 0
        assert found["connections"] == 4
        assert [alarm["what"] for alarm in found["alarms"]] == [f"{log('disasters')} has stopped"]
        here.watch.sample()
        async with http.get(f"{here.url}/state.json") as answer:
            assert (await answer.json())["refused"] == [{"code": "rate-limited", "total": 7, "lately": 7}]


async def test_the_console_names_no_recipient_label_or_title(tmp_path: Path) -> None:
    """Headers are open to the relay; the page of its operator shows none of them."""
    async with world(tmp_path) as here, ClientSession() as http:
        await here.second(3)
        for path in ("", "/state.json"):
            async with http.get(here.url + path) as answer:
                text = await answer.text()
        for word in ("GREEN", "REL TO", "indicator", "Indicator", 'members"', "192.", "grant"):
            assert word not in text, word


async def test_a_clock_that_stepped_is_on_the_page(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.skew[0] = 5.0
        here.clock.advance(seconds=5)
        state = here.watch.state()
        assert state.clock_off
        assert {row.state for row in state.logs} == {"clock"}
        assert [alarm.level for alarm in state.alarms] == ["stop"], "once, and not for every log"
        assert "the clock stepped by +5.0 s" in page(state)


async def test_days_of_the_certificate_and_free_bytes_are_metrics_too(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.health.certificate_end = here.clock.now + 12 * DAYS
        assert here.watch.state().certificate_days == 12.0
        text = here.fw.meters.text().decode()
        free = re.search(r"^rsc_free_bytes (\S+)$", text, re.MULTILINE)
        assert free
        assert float(free[1]) > 0
        assert "\nrsc_wal_bytes 0.0\n" in text
    async with world(None) as here:
        assert "rsc_free_bytes" not in here.fw.meters.text().decode()
        assert isinstance(here.health, Health)


async def test_a_disk_that_is_short_is_a_state_an_alarm_and_one_line(tmp_path: Path) -> None:
    class Lines:
        def __init__(self) -> None:
            self.said: list[tuple[str, str, dict[str, object]]] = []

        def __getattr__(self, level: str) -> Callable[..., None]:
            return lambda event, **more: self.said.append((level, event, more))

    async with world(tmp_path) as here:
        relay, lines = here.fw.relay_service, Lines()
        news = News(relay, ClockGuard(here.clock, lambda: here.clock.now / 1000), lines)
        for room in (Room.ENOUGH, Room.LOW, Room.SHORT, Room.SHORT, Room.CRITICAL, Room.ENOUGH):
            relay.room = lambda room=room: room
            states = here.health.states()
            assert states[log("cyber")] == ("no-space" if room.refuses else "ready"), room
            assert states[log("directory")] == "ready", "objects are always taken"
            news.look()
        assert [(level, event, more["room"]) for level, event, more in lines.said] == [
            ("warning", "disk", "low"),
            ("error", "disk", "short"),
            ("error", "disk", "critical"),
            ("warning", "disk", "enough"),
        ]
        relay.blob_failure = StorageError("gone")
        news.look()
        news.look()
        relay.blob_failure = None
        news.look()
        assert [event for _, event, _ in lines.said[4:]] == ["sweep of blobs failed", "sweep of blobs works again"]


def test_a_disk_that_does_not_answer_takes_only_what_must_be(tmp_path: Path) -> None:
    assert Disk(tmp_path / "gone").room() is Room.CRITICAL
    assert Disk(tmp_path).room() is Disk(tmp_path).look().room
