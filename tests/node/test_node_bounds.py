"""What others can make a node keep has a bound: times of entries it does not cosign, alarms about who is away."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from node_world import Bench

from rsc_share.node import times as times_room
from rsc_share.node.alarms import CODES, EACH, MORE, TOLD, Alarms
from rsc_share.node.delivery import Addressed, Deliveries
from rsc_share.node.store import ledger
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import Room, Shelf
from rsc_share.node.times import Times
from rsc_share.session.fault import Fault

LOG = "relay.example/test-framework/main"
DAY = 86_400_000


def dead(shelf: Shelf, messages: int, *, of: int = 1) -> tuple[Deliveries, Alarms]:
    """A sender whose messages to LVA and FIN nobody confirms; LVA's `of` first ones were."""
    alarms = Alarms(shelf)
    found = Deliveries(alarms, LOG, "EST/mod-1", shelf)
    for seq in range(1, messages + 1):
        header = hashlib.sha256(seq.to_bytes(4, "big")).digest()
        found.logged(Addressed(seq, header, seq, seq.to_bytes(16, "big"), ("FIN/mod-1", "LVA/mod-1")))
        if seq == of:
            found.stated("LVA/mod-1", header, "stored", seq)
        found.watch(seq, 1_000, ())
    return found, alarms


def test_ten_thousand_messages_to_a_dead_recipient_are_one_alarm() -> None:
    shelf = Shelf(MemoryStore())
    found, alarms = dead(shelf, 10_000)
    found.watch(DAY, 1_000, ())
    for kept in (alarms, Alarms(shelf)):  # the one in memory, and what a restart reads
        fin, lva = kept.all()
        assert (fin.code, fin.key, fin.time) == ("undelivered", f"{LOG}/FIN/mod-1", 1_002)
        assert fin.fields == {
            "node": "FIN/mod-1",
            "count": 10_000,
            "oldest": "EST/mod-1/main/1",
            "newest": "EST/mod-1/main/10000",
            "last": DAY,
        }
        assert fin.what == (
            "FIN/mod-1 has not confirmed EST/mod-1/main/1 and 9999 more, the newest EST/mod-1/main/10000"
        )
        assert (lva.fields["count"], lva.fields["oldest"]) == (9_999, "EST/mod-1/main/2")
    assert len(shelf.rows(Room.ALARM)) == 2


def test_attack_statements_about_headers_that_never_were_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any node may say in any number of heartbeats that it holds one: a pass over all entries of ours each time."""
    monkeypatch.setattr(ledger, "BLOCK", 16)
    scanned = list[int]()
    real = ledger.Ledger._scan

    def counted(self: Any, field: int, value: int, start: int, stop: int) -> Any:
        scanned.append(stop - start)
        return real(self, field, value, start, stop)

    monkeypatch.setattr(ledger.Ledger, "_scan", counted)
    found, alarms = dead(Shelf(MemoryStore()), 1_000)
    for number in range(100):
        found.stated("LVA/mod-1", hashlib.sha256(f"never {number}".encode()).digest(), "stored", 1_001)
    scanned.clear()
    for number in range(100):
        found.stated("LVA/mod-1", hashlib.sha256(f"neither {number}".encode()).digest(), "bad-part", 1_001)
    assert sum(scanned) < 100 * 16
    assert not alarms.codes() - {"undelivered"}


def test_one_unconfirmed_message_is_told_as_one() -> None:
    _, alarms = dead(Shelf(MemoryStore()), 1, of=1)
    assert not alarms.all()
    found, alarms = dead(Shelf(MemoryStore()), 1)
    found.watch(DAY, 1_000, ())
    (told,) = alarms.all()
    assert told.what == "FIN/mod-1 has not confirmed EST/mod-1/main/1"


def test_a_log_of_void_entries_raises_some_alarms_and_counts_the_others() -> None:
    shelf = Shelf(MemoryStore())
    alarms, heard = Alarms(shelf), list[str]()
    alarms.listen(lambda alarm: heard.append(alarm.key))
    for index in range(10_000):
        for _ in range(2):  # twice is silent
            alarms.raise_("void-entry", f"{LOG}/{index}", f"entry {index} breaks row 8", index, refused="clock")
    alarms.raise_("equivocation", LOG, "two trees", 10_000)
    assert len(heard) == EACH + 2
    for kept in (alarms, Alarms(shelf)):
        found = {(alarm.code, alarm.key): alarm for alarm in kept.all()}
        assert len(found) == EACH + 2, "one flood hides nothing else"
        assert ("equivocation", LOG) in found
        more = found["void-entry", MORE]
        assert more.what == f"{10_000 - EACH} more void-entry alarms, the newest: entry 9999 breaks row 8"
        assert (more.fields["count"], more.fields["newest"], more.time) == (10_000 - EACH, f"{LOG}/9999", EACH)
        assert more.fields["refused"] == "clock"
        kept.raise_("void-entry", f"{LOG}/0", "again", 10_001)
        assert len(kept.all()) == EACH + 2


def test_a_relay_that_makes_codes_up_has_one_share_for_all() -> None:
    alarms = Alarms(Shelf(MemoryStore()))
    for number in range(5 * EACH):
        alarms.raise_(f"odd-{number}", LOG, "odd", number)
    assert len(alarms.all()) == EACH + 1
    assert alarms.all()[-1].code == "other"


def test_attack_a_relay_says_every_alarm_before_its_time() -> None:
    """What is raised twice is silent: dismissed today, the true one would be told to nobody tomorrow."""
    alarms, heard = Alarms(Shelf(MemoryStore())), list[str]()
    for code in sorted(CODES):
        alarms.failed(Fault("remote", code, LOG).error(), LOG, 0)
    alarms.listen(lambda alarm: heard.append(alarm.code))
    for code in sorted(CODES - {TOLD}):
        alarms.raise_(code, LOG, "it is true", 1)
    assert heard == sorted(CODES - {TOLD})


def test_attack_a_relay_uses_up_the_places_of_an_alarm() -> None:
    alarms, heard = Alarms(Shelf(MemoryStore())), list[str]()
    for number in range(2 * EACH):
        alarms.failed(Fault("refused", "equivocation", f"wolf {number}", "", {"row": 13}).error(), f"{number}", 0)
    alarms.listen(lambda alarm: heard.append(alarm.what))
    alarms.raise_("equivocation", LOG, "two trees", 1)
    assert heard == ["two trees"]


def test_a_relay_whose_words_are_the_key_of_many_breaks_nothing() -> None:
    alarms = Alarms(Shelf(MemoryStore()))
    alarms.raise_("stalled", MORE, "the relay says `more`", 0)
    alarms.raise_("undelivered", f"{LOG}/FIN/mod-1", "and this", 0)
    for number in range(2 * EACH):
        alarms.raise_("stalled", str(number), "stalled", 1)
    alarms.again("undelivered", f"{LOG}/FIN/mod-1", "EST/mod-1/main/1", lambda count, _: str(count), 2)
    found = {alarm.code: alarm for alarm in alarms.all() if "count" in alarm.fields}
    assert (found["stalled"].fields["count"], found["undelivered"].what) == (EACH + 2, "2")


async def test_alarms_that_stand_for_many_go_on_counting_after_a_restart(tmp_path: Path) -> None:
    async with Bench.create(tmp_path) as bench:
        for count in (1, 2, 3):
            node = await bench.restarted() if bench.node else await bench.started()
            node.engine.alarms.again("undelivered", "k", f"m{count}", lambda count, oldest: f"{count} {oldest}", count)
            await node.engine.store.commit()
            (alarm,) = node.alarms
            assert (alarm.what, alarm.time) == (f"{count} m1", 1)


steps = st.lists(
    st.tuples(st.sampled_from(["read", "read", "read", "cosign", "restart"]), st.integers(0, 12), st.integers(0, 12)),
    max_size=60,
)


@given(steps)
def test_times_that_are_folded_say_what_all_of_them_said(steps: list[tuple[str, int, int]]) -> None:
    """Against a list of all: the least and the greatest are the same, or it says that it cannot tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times_room, "EACH", 5)
        found, every, size, cosigned = Times(), list[tuple[int, int]](), 0, 0
        for step, one, other in steps:
            if step == "read":
                size += 1 + one % 3  # entries between are for others
                every.append((size - 1, other))
                found.add(size - 1, other)
            elif step == "restart":
                found = Times(found.wire(size))
            stop = max(cosigned, size - one)
            plain = [at for index, at in every if cosigned <= index < stop]
            told = found.between(cosigned, stop)
            assert told is not None or len([index for index, _ in every if index >= stop]) >= 5
            if told is not None:
                assert (min(told, default=-1), max(told, default=-1)) == (
                    min(plain, default=-1),
                    max(plain, default=-1),
                )
                if step == "cosign":
                    found.forget(stop)
                    cosigned = stop
        assert len(found.wire(size)) <= 6
        assert found.between(cosigned, size) is not None, "what was read can be cosigned"


def test_entries_that_come_again_after_a_restart_are_not_taken_for_all_older_ones() -> None:
    most = times_room.EACH
    found = Times()
    for index in range(2 * most):
        found.add(index, index)
    found = Times(found.wire(100))  # those behind had not been judged
    for index in range(100, 2 * most):
        found.add(index, index)
        assert found.between(0, index) is None or index >= most
    assert found.between(0, 2 * most) == [0, 2 * most - most - 1, *range(most, 2 * most)]


def test_a_tree_far_behind_what_was_read_is_not_cosigned_and_not_blamed() -> None:
    found = Times()
    for index in range(3 * times_room.EACH):
        found.add(index, index)
    assert found.between(0, times_room.EACH) is None
    assert found.between(0, 2 * times_room.EACH) == [0, 2 * times_room.EACH - 1]
    assert len(found.wire(3 * times_room.EACH)) == times_room.EACH + 1
