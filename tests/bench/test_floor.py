"""The floor under the benchmarks makes the library's own bytes, takes no others, and does its sums right."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

import floor
import floor_calls
import floor_forms
import pytest
from cryptography.exceptions import InvalidTag
from floor_costs import Cost, Way, calls, said
from floor_entries import record
from floor_line import KINDS, Laps, Rows, decode, encode, lines
from floor_party import Edge, Wrong, levels
from floor_path import rows_of as path_rows
from floor_roles import Disk, Key
from hypothesis import given
from hypothesis import strategies as st
from measure import Row
from nacl.exceptions import BadSignatureError

from rsc_share.errors import RemoteError
from rsc_share.log.merkle import CompactRange
from rsc_share.log.proofs import tree_root

BATCH = 3
both = pytest.mark.parametrize("kind", [floor_calls, floor_forms], ids=["calls", "forms"])


@cache
def recorded(readers=2, batch=BATCH):
    return asyncio.run(record(readers, batch, 2 * batch))


@pytest.fixture
def parties(kind, tmp_path):
    made = recorded()
    names = [made.sender, "relay", *made.readers]
    rows = {name: Rows(tmp_path / name.replace("/", "-")) for name in names}
    laps = Laps()
    laps.begin()
    readers = [kind.Reader(made, name, rows[name]) for name in made.readers]
    yield kind.Publisher(made, made.sender, rows[made.sender]), kind.Relay(made, "relay", rows["relay"]), readers, laps
    for store in rows.values():
        store.close()


@both
def test_what_is_made_is_what_the_library_made(parties):
    publisher, relay, readers, laps = parties
    for run in recorded().runs:
        asked = publisher.compose(run, laps)
        log, entries = decode(asked)
        assert log == recorded().log
        assert entries == decode(encode([entry.wire() for entry in run.submissions]))
        answer = relay.judge(run, asked, laps)
        assert decode(answer) == decode(encode([outcome.wire() for outcome in run.outcomes]))
        publisher.receipts(answer, laps)
        for at, reader in enumerate(readers):
            shown = relay.shown(at, laps)
            assert decode(shown)[:3] == decode(encode(run.tails[reader.name].wire()))[:3]
            values = reader.read(shown, laps)
            assert [value if isinstance(value, dict) else value.model_dump(mode="json") for value in values] == [
                text.value for text in run.texts
            ]


@both
def test_every_kind_of_work_is_counted_for_everybody(parties):
    publisher, relay, readers, laps = parties
    run = recorded().runs[0]
    publisher.receipts(relay.judge(run, publisher.compose(run, laps), laps), laps)
    for at, reader in enumerate(readers):
        reader.read(relay.shown(at, laps), laps)
    counted = {party: set(kinds) for party, kinds in laps.microseconds(BATCH).items()}
    whole = set(KINDS) - {"TLS"}
    assert counted == {"relay": whole - {"sealing"}, **{party.name: whole for party in (publisher, *readers)}}


def _at(asked, *path, change):
    """The packed value with one item changed."""
    value = decode(asked)
    found = value
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = change(found[path[-1]])
    return encode(value)


def _flipped(data):
    return bytes([*data[:-1], data[-1] ^ 1])


@both
@pytest.mark.parametrize(
    "path", [(1, 1, 0), (1, 0, 1), (1, 2, 2, 1, 0), (1, 1, 4, 0)], ids=["header", "block", "opening", "body"]
)
def test_a_relay_of_the_floor_takes_no_altered_submission(parties, path):
    publisher, relay, _, laps = parties
    run = recorded().runs[0]
    asked = _at(publisher.compose(run, laps), *path, change=_flipped)
    with pytest.raises((Wrong, RemoteError, BadSignatureError)):
        relay.judge(run, asked, laps)


@both
@pytest.mark.parametrize(
    "path", [(2, 1, 0), (2, 0, 1, 0), (2, 2, 3, 0), (3,)], ids=["entry", "opening", "body", "checkpoint"]
)
def test_a_reader_of_the_floor_takes_no_altered_tail(parties, path):
    publisher, relay, readers, laps = parties
    run = recorded().runs[0]
    relay.judge(run, publisher.compose(run, laps), laps)

    def change(data):
        return data.replace(b"=\n\n", b"A\n\n", 1) if path == (3,) else _flipped(data)

    shown = _at(relay.shown(0, laps), *path, change=change)
    with pytest.raises((Wrong, RemoteError, BadSignatureError, InvalidTag)):
        readers[0].read(shown, laps)


def test_a_publisher_of_the_floor_believes_no_receipt_for_another_tree(tmp_path):
    made, laps = recorded(), Laps()
    laps.begin()
    rows = [Rows(tmp_path / name) for name in "pr"]
    publisher, relay = floor_calls.Publisher(made, made.sender, rows[0]), floor_calls.Relay(made, "relay", rows[1])
    relay.tree.grow([bytes(32)])
    with pytest.raises(Wrong):
        publisher.receipts(relay.judge(made.runs[0], publisher.compose(made.runs[0], laps), laps), laps)
    for store in rows:
        store.close()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70), st.integers(0, 69))
def test_trees_of_the_floor_are_those_of_the_library(leaves, at):
    edge, known = Edge(leaves[:at]), CompactRange()
    edge.grow(leaves[at:])
    for leaf in leaves:
        known.append(leaf)
    assert (edge.size, edge.root()) == (known.size, known.root())
    assert levels(leaves)[-1] == [tree_root(leaves)]


@pytest.mark.parametrize("size", [1, 131_000, 131_072, 400_000])
def test_what_goes_through_tls_arrives(tmp_path, size):
    body, laps = bytes(range(256)) * (size // 256 + 1), Laps()
    laps.begin()
    with ExitStack() as stack:
        (ends,) = lines(["EST/mod-1"], tmp_path, stack).values()
        assert ends.up(body, laps) == body
        assert ends.down(body[:size], laps) == body[:size]
    assert {party: set(kinds) for party, kinds in laps.microseconds(1).items()} == {
        "EST/mod-1": {"TLS"},
        "relay": {"TLS"},
    }


@pytest.mark.parametrize(("messages", "together", "commits"), [(64, 0, 1), (64, 4, 16), (5, 4, 2), (1, 4, 1)])
def test_a_publisher_that_waits_commits_as_often(tmp_path, messages, together, commits):
    rows = Rows(tmp_path / "rows")
    body = bytes(range(256)) * 5
    rows.keep_in_turn(10, body, messages, together)
    rows.close()
    with sqlite3.connect(tmp_path / "rows") as db:
        kept = db.execute("SELECT entry FROM kept ORDER BY n").fetchall()
    db.close()
    assert len(kept) == commits
    assert b"".join(entry for (entry,) in kept) == body


def test_a_lap_belongs_to_one_party_and_one_kind(monkeypatch):
    clock = iter(range(0, 10_000_000, 1_000))
    laps = Laps()
    with monkeypatch.context() as patched:
        patched.setattr(time, "process_time_ns", lambda: next(clock))
        laps.begin()
        laps("relay", "rows")
        laps("relay", "rows")
        laps("reader", "TLS")
        patched.setattr("floor_line._own_cost", lambda: 400.0)
        assert laps.microseconds(2) == {"relay": {"rows": 0.6}, "reader": {"TLS": 0.3}}


COST = Cost({"forms": 30.0}, {"TLS": 100.0}, {"hashes": 20.0, "rows": 5.0}, 10)


def test_rates_of_two_cores_and_of_one_process():
    assert COST.everybody == 30 + 100 + 250
    assert COST.two_cores == pytest.approx(2e6 / 380)
    assert COST.one_process == pytest.approx(1e6 / 280)
    assert replace(COST, relay={"TLS": 400.0}).one_process == pytest.approx(1e6 / 400)
    assert COST.one_for_all == pytest.approx(2e6 / (380 - 9 * 20))


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
    said = {row.name: (row.value, row.note) for row in floor.against(costs, {"rsc_share, to 10": 526.0})}
    assert said["to 10, measured"] == (526, "on two cores 10% of calls, 10% of forms")
    assert said["to 10, target"][0] == 4_370
    assert "to 1, measured" not in said
    with_targets = {row.name: row.target for row in floor.rows_of(costs, {1: 6_474, 10: 4_370})}
    assert with_targets["to 10, calls: everybody"] == "458"
    assert with_targets["to 1, forms: two cores"] == "6,474"


def test_a_round_of_everything_goes_through():
    found = calls(BATCH, 1, None, Way("", BATCH, 0))
    assert set(found) == {(readers, made) for readers in (1, 10) for made in ("calls", "forms")}
    for cost in found.values():
        assert set(cost.reader) == set(KINDS)
        assert cost.two_cores > 0


def test_a_reader_that_reads_something_else_is_noticed():
    run = recorded().runs[0]
    values = [text.value for text in run.texts]
    said(run, values)
    for wrong in (values[:-1], [*values[:-1], {**values[-1], "pattern": "y"}]):
        with pytest.raises(AssertionError):
            said(run, wrong)


# --- the path


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
    for wrong in (Key("reader").signed(b"text"), _flipped(signed)):
        with pytest.raises(ValueError, match="not signed"):
            Key("relay").opened(wrong)


def test_percentiles_of_the_path_stand_beside_their_targets():
    rows = path_rows({"asyncio": [float(number) for number in range(1, 101)]})
    assert [(row.value, row.target) for row in rows] == [(50.0, "2"), (99.0, "5")]
    assert rows[0] == Row("asyncio p50", 50.0, "ms", "100 messages, at most 100.0", "2")
