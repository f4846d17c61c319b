"""The floor under the benchmarks makes the library's own bytes, takes no others, and does its sums right."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack
from functools import cache

import floor_calls
import floor_forms
import pytest
from cryptography.exceptions import InvalidTag
from floor_calls import _padded
from floor_costs import Way, calls, said
from floor_entries import record
from floor_line import KINDS, Laps, Rows, decode, encode, lines
from floor_party import Edge, Wrong, levels
from hypothesis import given
from hypothesis import strategies as st
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
    whole = set(KINDS) - {"TLS"}
    nodes = {(party.name, kind) for party in (publisher, *readers) for kind in whole}
    assert set(laps.microseconds(BATCH)) == nodes | {("relay", kind) for kind in whole - {"sealing"}}


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


@both
def test_a_reader_of_the_floor_takes_no_stamps_that_the_log_did_not_sign(parties):
    publisher, relay, readers, laps = parties
    run = recorded().runs[0]
    relay.judge(run, publisher.compose(run, laps), laps)
    tail = decode(relay.shown(0, laps))
    for item in tail[2]:
        version, header, block, stamp = decode(item[0])
        logged_at, directory = decode(stamp)
        item[0] = encode([version, header, block, encode([logged_at + 1, directory])])
    with pytest.raises(Wrong):
        readers[0].read(encode(tail), laps)


@both
def test_another_spelling_of_a_header_is_refused_before_its_signature(parties):
    publisher, relay, _, laps = parties
    run = recorded().runs[0]

    def longer(header):
        assert header[:3] == b"\xde\x00\x14"  # a map of 20 keys, in the shortest header that holds them
        return b"\xdf\x00\x00\x00\x14" + header[3:]

    asked = _at(publisher.compose(run, laps), 1, 1, 0, change=longer)
    with pytest.raises((Wrong, RemoteError)):
        relay.judge(run, asked, laps)


@pytest.mark.parametrize(
    "plain",
    [lambda s, c: _padded(s, c + b"x"), lambda s, c: _padded(bytes(32), c), lambda s, c: _padded(s, c)[:-1] + b"x"],
    ids=["text", "salt", "padding"],
)
def test_a_body_that_was_not_committed_to_is_not_read(tmp_path, plain):
    made, laps, rows = recorded(), Laps(), Rows(tmp_path / "rows")
    laps.begin()
    reader, run = floor_calls.Reader(made, made.readers[0], rows), made.runs[0]
    headers = reader.parts([item.header for item in run.submissions[:1]], laps)
    text = run.texts[0]
    content = encode([0, encode(text.value)])
    assert reader._committed(headers, [_padded(text.salt, content)], laps) == [content]
    with pytest.raises(Wrong):
        reader._committed(headers, [plain(text.salt, content)], laps)
    rows.close()


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
    assert set(laps.microseconds(1)) == {("EST/mod-1", "TLS"), ("relay", "TLS")}


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
