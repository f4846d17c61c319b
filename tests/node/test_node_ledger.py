"""What a node keeps on disk and not in memory, against obvious lists and dicts: ledgers, events, facts of a log."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Ref
from rsc_share.errors import StorageError
from rsc_share.node import events, stretches
from rsc_share.node.events import Events
from rsc_share.node.heartbeat import Heartbeat
from rsc_share.node.inbox import Arrival, Cursor, Event, Inbox, RecallEvent
from rsc_share.node.spans import Spans
from rsc_share.node.store import ledger
from rsc_share.node.store.ledger import Ledger, fingerprint
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.stretches import Stretches
from rsc_share.rulebook.facts import Fact, GrantFact, HeadFact, IdFact, Key
from rsc_share.testing import Framework

LOG = "relay.example/regional/ct"
QUICK = settings(max_examples=12, stateful_step_count=30, deadline=None)


class Stored(RuleBasedStateMachine):
    """A store that is committed and crashes now and then; which store is no matter (`StoreConformance`). `open` makes
    what is tested, `keep` notes what of the model is durable, and `lose` goes back to that."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = MemoryStore()
        self.open(Shelf(self.store, LOG))
        self.keep()

    def open(self, shelf: Shelf) -> None:
        raise NotImplementedError

    def keep(self) -> None:
        raise NotImplementedError

    def lose(self) -> None:
        raise NotImplementedError

    def stage(self) -> None:
        """Before a commit."""

    @rule()
    def commit(self) -> None:
        self.stage()
        self.loop.run_until_complete(self.store.commit())
        self.keep()

    @rule()
    def crash(self) -> None:
        self.store = self.store.crashed()
        self.open(Shelf(self.store, LOG))
        self.lose()

    def teardown(self) -> None:
        self.loop.close()


class Ledgers(Stored):
    def __init__(self) -> None:
        self.model: list[tuple[int, int]] = []
        super().__init__()

    def open(self, shelf: Shelf) -> None:
        self.found = Ledger[tuple[int, int]](shelf, Room.PLACE, 2, lambda row: row, str, often=1)

    def keep(self) -> None:
        self.durable = list(self.model)

    def lose(self) -> None:
        self.model = list(self.durable)

    @rule(step=st.integers(0, 2), other=st.sampled_from((0, 1, 255, 256, 1 << 56, (1 << 64) - 1)))
    def add(self, step: int, other: int) -> None:
        thing = (self.model[-1][0] + step if self.model else step), other
        assert self.found.add(thing) == len(self.model)
        self.model.append(thing)

    @invariant()
    def alike(self) -> None:
        assert len(self.found) == len(self.model)
        assert list(self.found.records()) == self.model
        assert [self.found.value(n) for n in range(len(self.found))] == [str(row) for row in self.model]
        for field in range(2):
            for value in {row[field] for row in self.model} | {7}:
                expected = [n for n, row in enumerate(self.model) if row[field] == value]
                assert list(self.found.find(field, value)) == expected[::-1]
        for value in range((self.model[-1][0] if self.model else 0) + 2):
            assert self.found.bisect(value) == sum(row[0] < value for row in self.model)


def test_a_ledger_is_a_list_whatever_was_written_when(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RUN", 3), ("SUMMED", 2), ("REMEMBERED", 1), ("BLOCK", 4)):
        monkeypatch.setattr(ledger, name, value)
    run_state_machine_as_test(Ledgers, settings=QUICK)


async def test_a_start_reads_summaries_and_no_run_that_one_of_them_says(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    shelf = Shelf(store, LOG)
    made = Ledger[int](shelf, Room.PLACE, 1, lambda n: (n,), lambda n: n)
    for n in range(1000):
        made.add(n)
        if n % 3 == 0:
            await store.commit()
    await store.commit()
    asked: list[object] = []
    get = Shelf.get
    monkeypatch.setattr(Shelf, "get", lambda self, room, key: (asked.append(key), get(self, room, key))[1])
    again = Ledger[int](shelf, Room.PLACE, 1, lambda n: (n,), lambda n: n)
    assert len(again) == 1000
    assert asked == [[0], [1], [2], [3], [4], [5], *range(320, 335)]


async def test_a_ledger_with_a_hole_is_refused() -> None:
    shelf = Shelf(MemoryStore(), LOG)
    made = Ledger[int](shelf, Room.PLACE, 1, lambda n: (n,), lambda n: n)
    made.add(1)
    await shelf.store.commit()
    shelf.delete(Room.PLACE, 0)
    with pytest.raises(StorageError, match="run 0 is not there"):
        made.value(0)
    shelf.put(Room.PLACE, [0], [bytes([1] * 64), bytes(8)])
    with pytest.raises(StorageError, match="another number of things"):
        Ledger[int](shelf, Room.PLACE, 1, lambda n: (n,), lambda n: n)


def test_fingerprints_tell_the_parts_apart() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc") != fingerprint("abc")
    assert fingerprint("a", b"b") == fingerprint(b"a", "b")


# --- events


@cache
def sample() -> Header:
    """The header of some message."""

    async def made() -> Header:
        from node_world import GREEN, indicator

        async with Framework.create("EST", "LVA") as fw:
            await fw.node("EST").channel("main").publish(indicator("p"), label=GREEN)
            await fw.settle()
            return fw.node("LVA").channel("main").line.reading.inbox.events[0].header

    return asyncio.run(made())


class Paged(Stored):
    """The paged inbox against a list."""

    def __init__(self) -> None:
        self.model: list[Event] = []
        self.index = 0
        super().__init__()

    def open(self, shelf: Shelf) -> None:
        self.events = Events(shelf)
        self.inbox = Inbox(self.events)

    def keep(self) -> None:
        self.durable = list(self.model)

    def lose(self) -> None:
        self.model = list(self.durable)

    def _place(self, index: int) -> Ref:
        return Ref(LOG, index, index.to_bytes(32, "big"))

    @rule(portions=st.sets(st.integers(0, 2), min_size=1), again=st.booleans())
    def arrives(self, portions: set[int], again: bool) -> None:
        if not again:
            self.index += 1
        header = sample()
        event = Arrival(
            reference=f"EST/mod-1/main/{self.index}",
            place=self._place(self.index),
            header=header,
            logged_at=1,
            exercise=False,
            unconfirmed=False,
            total=2,
            labels=dict.fromkeys(portions, header.label),
            payloads=dict.fromkeys(portions, b"%d" % self.index),
            redelivered=again,
        )
        assert self.inbox.add(event) == len(self.model)
        self.model.append(event)

    @rule()
    def is_recalled(self) -> None:
        self.index += 1
        event = RecallEvent("EST/mod-1/main/1", self._place(self.index), sample(), 1, self._place(1), "wrong")
        self.inbox.add(event)
        self.model.append(event)

    @precondition(lambda self: self.model)
    @rule(which=st.integers(0, 1000), portion=st.sampled_from((None, 0, 1)))
    def erased(self, which: int, portion: int | None) -> None:
        positions = self.events.at(self.model[which % len(self.model)].place)
        self.inbox.erase(positions, portion)
        for position in positions:
            event = self.model[position]
            if isinstance(event, Arrival):
                left = {} if portion is None else {at: p for at, p in event.payloads.items() if at != portion}
                self.model[position] = replace(event, payloads=left)

    @invariant()
    def alike(self) -> None:
        assert len(self.events) == len(self.model)
        assert list(self.events) == self.model == self.events[:]
        if self.model:
            assert self.events[-1] == self.model[-1]
        for index in range(self.index + 1):
            place, reference = self._place(index), f"EST/mod-1/main/{index}"
            here = [n for n, event in enumerate(self.model) if event.place == place]
            assert self.events.at(place) == here[::-1]
            shown = any(isinstance(event, Arrival) and event.reference == reference for event in self.model)
            assert self.events.called(reference) == (place if shown else None)
        assert self.events.last_index() == max((event.place.index for event in self.model), default=-1)
        recent = [event for event in self.events._recent._held.values() if isinstance(event, Arrival)]
        assert len(self.events._recent) <= events.REMEMBERED
        assert self.events._bytes == sum(len(payload) for event in recent for payload in event.payloads.values())
        assert self.events._bytes <= events.REMEMBERED_BYTES or len(self.events._recent) == 1


@pytest.mark.parametrize(("most", "size"), [(2, 1 << 20), (100, 5)])
def test_the_paged_inbox_is_a_list(most: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REMEMBERED", most)
    monkeypatch.setattr(events, "REMEMBERED_BYTES", size)
    monkeypatch.setattr(ledger, "RUN", 2)
    run_state_machine_as_test(Paged, settings=QUICK)


async def test_a_position_beyond_the_events_is_none_of_them() -> None:
    with pytest.raises(IndexError):
        Events(Shelf(MemoryStore(), LOG))[0]


# --- facts


class Judging(Stored):
    """Facts of a log against a dict."""

    SENDERS = ("EST/mod-1", "LVA/mod-1")
    ME = "FIN/mod-1"

    def __init__(self) -> None:
        self.model: dict[Key, Fact] = {}
        self.index = 0
        super().__init__()

    def open(self, shelf: Shelf) -> None:
        self.facts = Stretches(shelf, self.ME)

    def keep(self) -> None:
        self.durable = dict(self.model), self.index

    def lose(self) -> None:
        self.model, self.index = dict(self.durable[0]), self.durable[1]

    @rule(sender=st.sampled_from(SENDERS), number=st.integers(0, 6), grant=st.booleans())
    def judged(self, sender: str, number: int, grant: bool) -> None:
        entry_id = bytes([number]) * 16
        effects: dict[Key, Fact] = {
            ("head", sender): HeadFact(self.index + 1, bytes(32), self.index),
            ("id", sender, entry_id): IdFact(self.index, bytes([number]) * 32),
            ("count", sender, self.ME): self.index + 1,
        }
        if grant:
            effects["grant", sender, entry_id] = GrantFact(self.index, 5, (self.ME,))
        self.facts.add(self.index, effects, None)
        self.model.update(effects)
        self.index += 1

    def stage(self) -> None:
        self.facts.save()

    @invariant()
    def alike(self) -> None:
        for sender in self.SENDERS:
            keys: list[Key] = [("head", sender), ("count", sender, self.ME)]
            keys += [(kind, sender, bytes([n]) * 16) for kind in ("id", "grant") for n in range(8)]
            for key in keys:
                assert self.facts.get(key) == self.model.get(key), key
        assert dict(self.facts) == self.model
        assert len(self.facts._ids) <= 3
        assert len(self.facts._grants) <= 2


def test_facts_on_disk_are_a_dict(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in ((stretches, "IDS", 3), (stretches, "GRANTS", 2), (ledger, "RUN", 2)):
        monkeypatch.setattr(module, name, value)
    run_state_machine_as_test(Judging, settings=QUICK)


async def test_what_was_judged_and_not_saved_is_judged_again() -> None:
    """A commit between the two must not leave an id that its own entry then meets as used."""
    store = MemoryStore()
    facts = Stretches(Shelf(store, LOG), "FIN/mod-1")
    key: Key = ("id", "EST/mod-1", bytes(16))
    facts.add(0, {key: IdFact(0, bytes(32))}, None)
    await store.commit()
    assert key not in Stretches(Shelf(store.crashed(), LOG), "FIN/mod-1")
    facts.save()
    await store.commit()
    assert key in Stretches(Shelf(store.crashed(), LOG), "FIN/mod-1")


# --- what a consumer has done


@given(st.lists(st.integers(0, 40)), st.integers(0, 40))
def test_spans_are_a_set(numbers: list[int], low: int) -> None:
    spans, plain = Spans(), set()
    for number in numbers:
        spans.add(number)
        plain.add(number)
        assert all((n in spans) == (n in plain) for n in range(43))
        assert all(stop < after for (_, stop), (after, _) in pairwise(spans.wire()))
    again = Spans(spans.wire())
    after = again.after(low)
    assert after == next(n for n in itertools.count(low) if n not in plain)
    assert all((n in again) == (n in plain) for n in range(after, 43))
    assert not any(n in again for n in range(after))


def test_a_message_that_is_never_done_costs_no_more_for_all_that_are() -> None:
    shelf = Shelf(MemoryStore(), LOG)
    cursor = Cursor(shelf, "c")
    for position in range(1, 1000):
        cursor.done(position)
    assert cursor.low == 0
    assert shelf.get(Room.CURSOR, "c") == [0, [[1, 1000]], 0]
    cursor.done(0)
    assert cursor.low == 1000
    assert shelf.get(Room.CURSOR, "c") == [1000, [], 0]


async def test_what_changes_with_every_message_is_written_once_for_a_commit() -> None:
    """A cursor and what the next heartbeat says: both change twice for every message a node reads."""
    store = MemoryStore()
    shelf, written = Shelf(store, LOG), []
    store.put = lambda room, log, key, value: written.append(room) or MemoryStore.put(store, room, log, key, value)
    cursor, heartbeat = Cursor(shelf, "c"), Heartbeat(LOG, "EST/mod-1", bytes, shelf)
    for position in range(100):
        heartbeat.held("FIN/mod-1", b"%32d" % position, "stored")
        cursor.give(position)
        cursor.done(position)
    assert not written
    await store.commit()
    assert sorted(written) == [Room.HEARTBEAT, Room.CURSOR]
    kept = Shelf(store.crashed(), LOG)
    assert (Cursor(kept, "c").low, Cursor(kept, "c").given) == (100, 100)
    assert kept.get(Room.HEARTBEAT, 0)[0] == [["FIN/mod-1", b"%32d" % 99, "stored"]]
