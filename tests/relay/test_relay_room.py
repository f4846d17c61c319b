"""What is taken while the disk fills up, by a meter that the test reads out; and what is answered all the same."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from relay_world import CT, DIRECTORY, EST, FIN, HUB, LVA, World, key, prekey

from rsc_share.charter.prekey import Prekey as PublishedPrekey
from rsc_share.charter.prekey import publish_prekey
from rsc_share.envelope.contents import HeartbeatContent, RecallContent
from rsc_share.envelope.header import PRECEDENCES, header_hash
from rsc_share.envelope.parts import Ref
from rsc_share.relay.room import Room, room_of, takes
from rsc_share.session.frames import Logged, Weather
from rsc_share.session.urgency import inherited, most_urgent, urgency


class Meter:
    """A disk as full as it is told to be."""

    def __init__(self, world: World) -> None:
        self.percent = 100.0
        world.relay.room = lambda: room_of(self.percent)


async def started(world: World) -> tuple[Meter, object]:
    pen = world.pen(EST)
    assert await codes(world, pen.grant(FIN)) == ["logged"]
    return Meter(world), pen


async def codes(world: World, *entries: object) -> list[str]:
    found = await world.submit(EST, *entries)
    return ["logged" if isinstance(outcome, Logged) else outcome.code for outcome in found]


@pytest.mark.parametrize(
    ("percent", "room"),
    [(100, "enough"), (15, "enough"), (14.9, "low"), (7, "low"), (6.9, "short"), (3, "short"), (2.9, "critical")],
)  # fmt: skip
def test_a_threshold_belongs_to_what_is_above_it(percent: float, room: str) -> None:
    assert room_of(percent) is Room(room)


KINDS = ("message", "grant", "release", "acknowledgement", "recall", "erasure", "heartbeat")
REFUSED = {
    Room.ENOUGH: set(),
    Room.LOW: set(),
    Room.SHORT: {("message", "PRIORITY"), ("message", "ROUTINE")},
    Room.CRITICAL: {
        *itertools.product(("release", "acknowledgement", "heartbeat"), PRECEDENCES),
        ("message", "IMMEDIATE"),
        ("message", "PRIORITY"),
        ("message", "ROUTINE"),
    },
}


@pytest.mark.parametrize("room", Room)
def test_the_table_of_what_is_refused(room: Room) -> None:
    refused = {pair for pair in itertools.product(KINDS, PRECEDENCES) if not takes(room, urgency(*pair))}
    assert refused == REFUSED[room]


async def test_a_short_disk_takes_what_is_urgent_and_the_rest_when_there_is_room(world: World) -> None:
    meter, pen = await started(world)
    meter.percent = 5
    routine = pen.message(FIN, advance=False)
    (weather,) = await world.submit(EST, routine)
    assert weather == Weather("no-space", 60_000), "no verdict: the same bytes may come again"
    assert await codes(world, pen.message(FIN, precedence="PRIORITY", advance=False)) == ["no-space"]
    assert await codes(world, pen.message(FIN, precedence="IMMEDIATE")) == ["logged"]
    meter.percent = 50
    assert await codes(world, pen.message(FIN)) == ["logged"]


async def test_a_critical_disk_takes_flash_its_grant_and_what_takes_away(world: World) -> None:
    meter, pen = await started(world)
    sent = pen.message(FIN)
    assert await codes(world, sent) == ["logged"]
    meter.percent = 1
    assert await codes(world, pen.message(FIN, precedence="IMMEDIATE", advance=False)) == ["no-space"]
    beat = pen.entry("heartbeat", [FIN, LVA], content=HeartbeatContent(()), advance=False)
    assert await codes(world, beat) == ["no-space"]
    assert await codes(world, pen.grant(FIN), pen.message(FIN, precedence="FLASH")) == ["logged", "logged"]
    target = Ref(CT, 1, header_hash(sent.header))
    assert await codes(world, pen.refer("recall", [FIN], target, RecallContent(None))) == ["logged"]


async def test_what_follows_a_refused_one_is_not_tried(world: World) -> None:
    meter, pen = await started(world)
    meter.percent = 5
    run = [pen.message(FIN, precedence="IMMEDIATE"), pen.message(FIN), pen.message(FIN, precedence="PRIORITY")]
    assert await codes(world, *run) == ["logged", "no-space", "not-tried"]


@pytest.mark.parametrize(
    ("percent", "last", "taken"),
    [(5, "IMMEDIATE", True), (5, "PRIORITY", False), (1, "FLASH", True), (1, "IMMEDIATE", False)],
)
async def test_what_stands_in_front_of_something_urgent_is_taken_with_it(
    world: World, percent: float, last: str, taken: bool
) -> None:
    """Its number is in front: refused alone, it would hold back what a full disk is kept free for."""
    meter, pen = await started(world)
    meter.percent = percent
    routine = pen.message(FIN)
    assert await codes(world, routine) == ["no-space"]
    behind = [pen.grant(FIN), pen.message(FIN, precedence=last)]
    found = await codes(world, routine, *behind)
    assert found == (["logged"] * 3 if taken else ["no-space", "not-tried", "not-tried"])


async def test_a_faulty_flash_takes_nothing_with_it(world: World) -> None:
    meter, pen = await started(world)
    meter.percent = 1
    routine, flash = pen.message(FIN), replace(pen.message(FIN, precedence="FLASH"), openings=())
    assert await codes(world, routine, flash) == ["no-space", "not-tried"]


def test_a_grant_is_kept_and_says_nothing_about_what_is_in_front() -> None:
    routine, grant, flash = ("message", "ROUTINE"), ("grant", "ROUTINE"), ("message", "FLASH")
    assert inherited([routine, grant]) == [2, 0]
    assert inherited([routine, grant, routine, ("heartbeat", "ROUTINE"), routine]) == [1, 0, 1, 1, 2]
    assert inherited([routine, grant, flash, routine]) == [0, 0, 0, 2]
    assert [most_urgent(run) for run in ([], [grant], [grant, routine], [routine, flash])] == [2, 2, 2, 0]


async def test_what_is_in_the_log_is_answered_on_a_full_disk(world: World) -> None:
    """Else its sender would send it for ever, or believe that it is lost."""
    meter, pen = await started(world)
    (first,) = await world.submit(EST, sent := pen.message(FIN))
    meter.percent = 0
    (again,) = await world.submit(EST, sent)
    assert (again.index, again.stamp) == (first.index, first.stamp)


async def test_the_directory_is_taken_on_a_full_disk(world: World) -> None:
    """A revocation that waits for room is the thief's."""
    meter, _ = await started(world)
    meter.percent = 0
    size = world.relay.logs[DIRECTORY].size
    published = PublishedPrekey(HUB, prekey(HUB).public, world.clock.now)
    await world.ports[HUB].submit_object(publish_prekey(published, world.id, key(f"{HUB} signing")), {})
    assert world.relay.logs[DIRECTORY].size == size + 1


async def test_reading_and_cosigning_go_on(world: World) -> None:
    meter, pen = await started(world)
    assert await codes(world, pen.message(FIN)) == ["logged"]
    meter.percent = 0
    world.clock.now += 2_000
    await world.witness()
    assert world.relay.logs[CT].witnessing.quorum.size == 2
    tail = await world.ports[LVA].read(CT, 0, 10)
    assert tail is not None
