"""What the floor says of its measurements: laps, rates, targets; and the parts of the empty path."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import replace

import floor
import pytest
from floor_costs import Cost, cheapest
from floor_line import Laps
from floor_path import rows_of as path_rows
from floor_roles import Disk, Key
from measure import Row


def test_a_lap_belongs_to_one_party_and_one_kind(monkeypatch):
    clock = iter(range(0, 10_000_000, 1_000))
    laps = Laps()
    with monkeypatch.context() as patched:
        patched.setattr(time, "process_time_ns", lambda: next(clock))
        laps.begin()
        laps("relay", "rows")
        laps("relay", "rows")
        laps("reader", "TLS")
        patched.setattr("floor_line.own_cost", lambda: 400.0)
        assert laps.microseconds(2) == {("relay", "rows"): 0.6, ("reader", "TLS"): 0.3}


def test_of_each_run_the_cheapest_round_counts():
    rounds = [[{("a", "rows"): 1.0}, {("a", "rows"): 9.0}], [{("a", "rows"): 4.0}, {("a", "rows"): 2.0}]]
    assert cheapest(rounds) == {("a", "rows"): 1.5}


COST = Cost({"forms": 30.0}, {"TLS": 100.0}, {"hashes": 20.0, "rows": 5.0}, 10)


def test_rates_of_two_cores_and_of_one_process():
    assert COST.everybody == 30 + 100 + 250
    assert COST.two_cores == pytest.approx(2e6 / 380)
    assert COST.one_process == pytest.approx(1e6 / 280)
    assert replace(COST, relay={"TLS": 400.0}).one_process == pytest.approx(1e6 / 400)
    assert COST.one_for_all == pytest.approx(2e6 / (380 - 9 * 20))


def test_the_least_of_several_costs_is_below_all_of_them():
    other = replace(COST, publisher={"forms": 10.0}, reader={"hashes": 30.0, "rows": 1.0})
    least = Cost.least([COST, other])
    assert (least.publisher, least.relay, least.reader) == (other.publisher, COST.relay, {"hashes": 20.0, "rows": 1.0})
    assert least.everybody == 10 + 100 + 210 < min(COST.everybody, other.everybody)


def test_targets_are_multiples_of_what_was_measured_beside():
    assert floor.targets_of({}) == {1: 3 * 2_158, 10: 10 * 437}
    found = {"NATS JetStream, sync always, to 1": 1_000.0, "  and signed, SealedBox by hand, to 10": 100.0}
    assert floor.targets_of(found) == {1: 3_000, 10: 1_000}


def test_rates_are_read_from_what_end_to_end_wrote(tmp_path):
    rows = {"end to end": [{"name": "rsc_share, to 1", "value": 700}], "peers": [{"name": "Redis", "value": 9}]}
    (tmp_path / "found.json").write_text(json.dumps({"machine": {}, "tables": rows}))
    assert floor.read_rates(tmp_path / "found.json") == {"rsc_share, to 1": 700, "Redis": 9}


def test_targets_and_rates_are_said_as_a_part_of_what_two_cores_can():
    costs = {(readers, made): replace(COST, readers=readers) for readers in (1, 10) for made in ("calls", "forms")}
    shown = {row.name: (row.value, row.note) for row in floor.against(costs, {"rsc_share, to 10": 526.0})}
    part = "take 10% of two cores, 285 us left for each party"
    assert shown["to 10, measured"] == (526, f"calls {part}; forms {part}")
    assert shown["to 10, target"][0] == 4_370
    assert "to 1, measured" not in shown
    assert (
        "nothing left"
        in {row.name: row.note for row in floor.against(costs, {"rsc_share, to 10": 5_270.0})}["to 10, measured"]
    )
    with_targets = {row.name: row.target for row in floor.rows_of(costs, {1: 6_474, 10: 4_370})}
    assert with_targets["to 10, calls: everybody"] == "458"
    assert with_targets["to 1, forms: two cores"] == "6,474"


@pytest.mark.parametrize("in_loop", [False, True])
async def test_what_is_kept_on_the_path_is_durable_and_commits_are_shared(tmp_path, in_loop):
    disk = Disk(tmp_path / "rows", in_loop=in_loop)
    committed = []
    inner = disk._commit
    disk._commit = lambda rows: (committed.append(len(rows)), inner(rows))
    await asyncio.gather(*(disk.keep(bytes([number])) for number in range(9)))
    with sqlite3.connect(tmp_path / "rows") as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone() == (9,)
    db.close()
    disk.close()
    assert sum(committed) == 9
    assert len(committed) == (9 if in_loop else 2)


def test_what_another_signed_does_not_pass_on_the_path():
    signed = Key("relay").signed(b"text")
    assert Key("relay").opened(signed) == b"text"
    for wrong in (Key("reader").signed(b"text"), signed[:-1] + b"x"):
        with pytest.raises(ValueError, match="not signed"):
            Key("relay").opened(wrong)


def test_percentiles_of_the_path_stand_beside_their_targets():
    rows = path_rows({"asyncio": [float(number) for number in range(1, 101)]})
    assert [(row.value, row.target) for row in rows] == [(50.0, "2"), (99.0, "5")]
    assert rows[0] == Row("asyncio p50", 50.0, "ms", "100 messages, at most 100.0", "2")
