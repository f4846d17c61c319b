"""What the relay does not take just now: it keeps its number, and does not hold back what the relay would take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from node_world import GREEN, Bench, indicator, patterns

from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.errors import Unavailable
from rsc_share.node.hold import MOST_MS, Hold
from rsc_share.node.node import Node
from rsc_share.node.outbox import BATCH_BYTES, Item, Outbox, Sent
from rsc_share.relay.quota import Quotas, Rates
from rsc_share.relay.room import Room
from rsc_share.session.frames import Logged, Outcome, Submission, Weather
from rsc_share.session.port import RelayPort
from rsc_share.testing import Framework
from rsc_share.testing.founding import HOST
from rsc_share.testing.wire import RelayControl, Wire


class Heard(Wire):
    """Notes every run that reaches the relay; `deaf`: the relay takes the next one, and its answer is lost."""

    def __init__(self, port: RelayPort) -> None:
        super().__init__(port, "EST", RelayControl())
        self.runs: list[list[Header]] = []
        self.deaf = False

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self.runs.append([Header.parse(entry.header) for entry in entries])
        outcomes = await super().submit(log, entries)
        if self.deaf:
            self.deaf = False
            raise Unavailable("the line is cut", code="cut-off")
        return outcomes

    @property
    def numbers(self) -> dict[int, set[bytes]]:
        found: dict[int, set[bytes]] = {}
        for header in (header for run in self.runs for header in run):
            found.setdefault(header.seq, set()).add(header_hash(header.pack()))
        return found

    def signed_once(self) -> bool:
        return all(len(headers) == 1 for headers in self.numbers.values())


def heard(node: Node) -> Heard:
    wire = node.engine.ports[HOST]
    wire.port = found = Heard(wire.port)
    return found


def own(fw: Framework) -> list[tuple[str, str]]:
    """Kind and precedence of every entry of EST in the channel, as they stand there."""
    (log,) = (log for log in fw.relay_service.logs if log.endswith("/main"))
    entries = [UnverifiedEntry.parse(stored.entry) for stored in fw.store._log(log).entries]
    return [(e.header.kind, e.header.precedence) for e in entries if e.header.sender == "EST/mod-1"]


def messages(fw: Framework) -> list[str]:
    return [precedence for kind, precedence in own(fw) if kind == "message"]


async def publish(node: Node, *texts: str, precedence: str = "ROUTINE") -> list[object]:
    channel = node.channel("main")
    return [await channel.publish(indicator(text), label=GREEN, precedence=precedence) for text in texts]


async def queued(fw: Framework, node: Node, count: int) -> None:
    """That many ROUTINE messages in one go."""
    fw.relay.cut_off("EST")
    await publish(node, *(f"r{n}" for n in range(count)))
    fw.relay.reconnect("EST")


@pytest.mark.parametrize("room", [Room.SHORT, Room.CRITICAL])
async def test_flash_passes_routine_the_relay_does_not_take(room: Room) -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node, others = fw.node("EST"), [fw.node("LVA"), fw.node("FIN")]
        line = heard(node)
        fw.relay_service.room = lambda: room
        await queued(fw, node, 100)
        await fw.settle()
        assert messages(fw) == []
        assert len(node.channel("main").line.sending.outbox.in_flight) == 64, "a batch: its grant was taken"
        runs = len(line.runs)
        await fw.settle()
        assert len(line.runs) == runs, "what is not taken is not sent again and again"

        (flash,) = await publish(node, "f1", precedence="FLASH")
        await fw.settle()
        assert flash.settled
        assert messages(fw) == ["ROUTINE"] * 64 + ["FLASH"], "with what had its number already, and nothing else"
        (second,) = await publish(node, "f2", precedence="FLASH")
        await fw.settle()
        assert second.settled
        assert messages(fw) == ["ROUTINE"] * 64 + ["FLASH"] * 2, "nothing is in front of it any more"
        assert all({"f1", "f2"} <= set(patterns(other)) for other in others)

        fw.relay_service.room = lambda: Room.ENOUGH
        fw.clock.advance(seconds=61)
        await fw.settle()
        assert messages(fw).count("ROUTINE") == 100
        assert line.signed_once()
        assert (await fw.audit()).findings == ()
        assert patterns(others[0])[-36:] == [f"r{n}" for n in range(64, 100)], "in their order"


async def test_what_was_refused_is_tried_again_one_by_one() -> None:
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = fw.node("EST")
        line = heard(node)
        await publish(node, "first")
        await fw.settle()
        fw.relay_service.room = lambda: Room.SHORT
        await queued(fw, node, 3)
        await fw.settle()
        await publish(node, "urgent", precedence="IMMEDIATE")
        await fw.settle()
        assert messages(fw) == ["ROUTINE"] * 4 + ["IMMEDIATE"]
        await queued(fw, node, 50)
        await fw.settle()
        assert not node.channel("main").line.sending.outbox.in_flight, "a minute is not over"
        fw.clock.advance(seconds=61)
        await fw.settle()
        flying = node.channel("main").line.sending.outbox.in_flight
        assert len(flying) == 1, "one is enough to see that they are not taken"
        await publish(node, "again", precedence="IMMEDIATE")
        await fw.settle()
        assert messages(fw)[5:] == ["ROUTINE", "IMMEDIATE"]
        assert line.signed_once()


async def test_flash_passes_bulk_above_its_members_rate() -> None:
    class Stopped:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = fw.node("EST")
        seconds = Stopped()
        fw.relay_service.quotas = Quotas(Rates(entries_per_second=10), seconds)
        await queued(fw, node, 200)
        await fw.settle()
        logged = len(messages(fw))
        assert 0 < logged < 200
        (flash,) = await publish(node, "f", precedence="FLASH")
        await fw.settle()
        assert flash.settled
        seconds.now += 60
        fw.clock.advance(seconds=60)
        await fw.settle()
        assert len(messages(fw)) > logged + 1


async def test_a_crash_behind_what_was_refused_signs_no_number_twice(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        line = heard(node)
        fw = bench.fw
        fw.relay_service.room = lambda: Room.CRITICAL
        await publish(node, "r")
        await fw.settle()
        line.deaf = True
        await publish(node, "f", precedence="FLASH")
        await node.drain()
        assert messages(fw) == ["ROUTINE", "FLASH"], "logged, and the node does not know"
        bench.crash()
        node = await bench.open()
        after = heard(node)
        await publish(node, "g", precedence="FLASH")
        await fw.settle()
        assert messages(fw) == ["ROUTINE", "FLASH", "FLASH"]
        line.runs += after.runs
        assert line.signed_once()
        assert sorted(patterns(fw.node("LVA"))) == ["f", "g", "r"]


async def test_a_crash_with_something_refused_lets_flash_pass(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay_service.room = lambda: Room.CRITICAL
        await publish(node, "r")
        await bench.fw.settle()
        bench.crash()
        node = await bench.open()
        await publish(node, "f", precedence="FLASH")
        await bench.fw.settle()
        assert messages(bench.fw) == ["ROUTINE", "FLASH"]


async def test_what_waited_too_long_is_refused_and_flash_goes_first() -> None:
    """The entry in front acts on a directory of half an hour ago: its signed refusal unwrites what follows, too."""
    async with Framework.create("EST", "LVA", "FIN") as fw:
        node = fw.node("EST")
        fw.relay_service.room = lambda: Room.CRITICAL
        await publish(node, "r")
        await fw.settle()
        for _ in range(10):
            fw.clock.advance(seconds=240)
            await fw.settle()
        await fw.log(*_newcomer(fw))
        for _ in range(10):
            fw.clock.advance(seconds=240)
            await fw.settle()
        (flash,) = await publish(node, "f", precedence="FLASH")
        await fw.settle()
        assert flash.settled
        assert messages(fw) == ["FLASH"]
        fw.relay_service.room = lambda: Room.ENOUGH
        fw.clock.advance(seconds=61)
        await fw.settle()
        assert messages(fw) == ["FLASH", "ROUTINE"]


def _newcomer(fw: Framework) -> tuple[bytes, dict[bytes, bytes]]:
    (data, *_) = fw.founded.officers(fw.clock.now)
    return data, {}


# --- the parts


def sent(kind: str, precedence: str) -> Sent:
    return Sent(Item(kind, bytes(16), precedence), Submission(b"", b"", (), (), ()), 1, bytes(32), ())


ROUTINE, IMMEDIATE, FLASH, GRANT = (
    sent("message", "ROUTINE"), sent("message", "IMMEDIATE"), sent("message", "FLASH"), sent("grant", "ROUTINE")
)  # fmt: skip
NO_SPACE, NOT_TRIED = Weather("no-space", 5_000), Weather("not-tried", None)
LOGGED = Logged(0, Stamp(0, 1), b"note", ())


def test_a_hold_says_what_may_be_signed() -> None:
    hold = Hold()
    assert (hold.refusing, hold.least(behind=False), hold.probe(0)) == (False, 2, False)
    hold.answered([GRANT, ROUTINE, ROUTINE], [LOGGED, NO_SPACE, NOT_TRIED], 1_000)
    assert (hold.least(behind=False), hold.least(behind=True)) == (1, 1)
    assert hold.rests([ROUTINE], 1_000)
    assert not hold.rests([ROUTINE, GRANT, FLASH], 1_000)
    assert (hold.probe(5_999), hold.probe(6_000)) == (False, True)
    hold.answered([ROUTINE, IMMEDIATE], [LOGGED, LOGGED], 1_000)
    assert hold.least(behind=False) == 1, "taken for the sake of what followed"
    hold.answered([ROUTINE], [LOGGED], 6_000)
    assert not hold.refusing


def test_a_hold_rises_step_by_step() -> None:
    hold = Hold()
    hold.answered([IMMEDIATE], [NO_SPACE], 0)
    assert hold.least(behind=False) == 0
    hold.answered([IMMEDIATE], [LOGGED], 5_000)
    assert (hold.least(behind=False), hold.probe(5_000)) == (1, True), "of ROUTINE nothing is known: one is tried"


def test_flash_is_offered_again_and_again_and_nothing_is_signed_behind_it() -> None:
    hold = Hold()
    hold.answered([ROUTINE, FLASH], [NO_SPACE, NOT_TRIED], 0)
    assert not hold.rests([ROUTINE, FLASH], 1)
    assert (hold.least(behind=True), hold.least(behind=False)) == (-1, 0)


def test_neither_a_liar_nor_a_clock_holds_a_node_for_long() -> None:
    hold = Hold()
    hold.answered([ROUTINE], [Weather("rate-limited", 1 << 60)], 1_000)
    assert hold.rests([ROUTINE], 1_000 + MOST_MS - 1)
    assert not hold.rests([ROUTINE], 1_000 + MOST_MS)
    assert not hold.rests([ROUTINE], 999), "the clock was set back"
    hold.answered([ROUTINE], [Weather("no-space", None)], 1_000)
    assert not hold.rests([ROUTINE], 1_000)


def test_what_is_of_all_entries_holds_none() -> None:
    hold = Hold()
    hold.answered([ROUTINE], [Weather("not-ready", 1_000)], 0)
    hold.answered([ROUTINE], [NOT_TRIED], 0)
    assert not hold.refusing


def test_a_batch_is_bounded_in_bytes_and_holds_one_at_least() -> None:
    class Nowhere:
        queued: list[Item] = []  # noqa: RUF012
        in_flight: list[Sent] = []  # noqa: RUF012
        kept: dict[bytes, Item] = {}  # noqa: RUF012

        def added(self, item: Item) -> None: ...

    outbox = Outbox(Nowhere())
    sizes = (BATCH_BYTES + 1, 10, BATCH_BYTES - 9, 1)
    outbox.add(Item("message", bytes([n]) * 16, "ROUTINE", payload=bytes(size)) for n, size in enumerate(sizes))
    taken = []
    while batch := outbox.next(64):
        taken.append([len(item.payload) for item in batch])
        outbox._unqueue(batch)
    assert taken == [[BATCH_BYTES + 1], [10], [BATCH_BYTES - 9, 1]]
