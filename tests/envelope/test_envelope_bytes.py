"""Bytes of others: what parses packs to the same bytes, and what does not parse is a `RemoteError` and nothing else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "rulebook"))

from rulebook_desk import bench

from rsc_share import codec
from rsc_share.envelope.contents import ErasureContent, ReleaseContent
from rsc_share.envelope.entry import DirectoryEntry, Signed, Stamp, UnverifiedEntry
from rsc_share.envelope.header import KEYS, Header
from rsc_share.envelope.parts import MAX_APPROVALS, MAX_PARTS, Opening, Ref, Refs
from rsc_share.envelope.signature import SignatureBlock
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.value import replace


@dataclass(frozen=True)
class Parser:
    name: str
    valid: tuple[bytes, ...]
    again: Callable[[bytes], bytes]
    """Parse, and pack what was parsed."""


def _headers() -> tuple[Header, ...]:
    b = bench()
    message, pen = b.message(), b.pen("EST")
    ref = b.ref("secret")
    refs = Refs(reply_to=ref, derived_from=(ref, ref), releases=(ref,), supersedes=ref)
    return (
        message.header,
        replace(message.header, refs=refs, expires_at=1 << 60, purpose="relief", document=(message.header.id, 2)),
        b.grants["EST"].header,
        pen.heartbeat().header,
        b.release("secret", ("FIN",)).header,
        pen.entry("erasure", pen.others, content=ErasureContent((bytes(32),), "order")).header,
    )


def _entry(raw: bytes) -> bytes:
    entry = UnverifiedEntry.parse(raw)
    assert entry.leaf == leaf_hash(raw)
    signed = Signed.parse(entry.header.pack(), entry.signed.block.pack())
    return UnverifiedEntry.stamped(signed, entry.stamp).raw


def _directory(raw: bytes) -> bytes:
    entry = DirectoryEntry.parse(raw)
    return DirectoryEntry.stamped(entry.object, entry.stamp).raw


@cache
def parsers() -> dict[str, Parser]:
    b, headers = bench(), _headers()
    signed, stamp = b.message().signed, Stamp(b.now, 3)
    made = [
        Parser("header", tuple(h.pack() for h in headers), lambda raw: Header.parse(raw).pack()),
        Parser("block", (signed.block_bytes,), lambda raw: SignatureBlock.parse(raw).pack()),
        Parser("stamp", (stamp.pack(),), lambda raw: Stamp.parse(raw).pack()),
        Parser("entry", (UnverifiedEntry.stamped(signed, stamp).raw,), _entry),
        Parser("directory entry", (DirectoryEntry.stamped(b"object", stamp).raw,), _directory),
    ]
    return {parser.name: parser for parser in made}


NAMES = ("block", "directory entry", "entry", "header", "stamp")


@pytest.mark.parametrize("name", NAMES)
def test_what_was_packed_parses_to_the_same(name: str) -> None:
    parser = parsers()[name]
    for raw in parser.valid:
        assert parser.again(raw) == raw


def check(parser: Parser, raw: bytes) -> None:
    with contextlib.suppress(RemoteError):
        assert parser.again(raw) == raw


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_bytes_changed_in_a_few_places(name: str, data: st.DataObject) -> None:
    parser = parsers()[name]
    raw = bytearray(data.draw(st.sampled_from(parser.valid)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        cut = data.draw(st.integers(0, 3))
        raw[at : at + cut] = data.draw(st.binary(max_size=4))
        if not raw:
            break
    check(parser, bytes(raw))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.binary(max_size=33),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=2),
)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_header_with_any_value_in_any_place(data: st.DataObject) -> None:
    """Canonical bytes with one field turned into something else: the reader of that field decides."""
    value = codec.unpack(data.draw(st.sampled_from(parsers()["header"].valid)), max_size=65_000)
    where = value
    key = data.draw(st.sampled_from(KEYS))
    while isinstance(where[key], list | dict) and where[key] and data.draw(st.booleans()):
        where = where[key]
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
    where[key] = data.draw(VALUES)
    try:
        raw = codec.pack(value)
    except LocalError:
        return  # nothing that can be written
    check(parsers()["header"], raw)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200))
@pytest.mark.parametrize("name", NAMES)
def test_any_bytes(name: str, raw: bytes) -> None:
    check(parsers()[name], raw)


# --- one spelling, named traps


def malformed(header: Header) -> None:
    with pytest.raises(RemoteError):
        Header.parse(header.pack())


def test_header_keys_are_all_there_and_no_others() -> None:
    value = codec.unpack(parsers()["header"].valid[0], max_size=65_000)
    for key in KEYS:
        with pytest.raises(RemoteError):
            Header.parse(codec.pack({k: v for k, v in value.items() if k != key}))
    with pytest.raises(RemoteError):
        Header.parse(codec.pack({**value, "zzz": None}))


def test_audience_is_a_sorted_set_without_the_sender() -> None:
    header = bench().message().header
    malformed(replace(header, to=tuple(reversed(header.to))))
    malformed(replace(header, to=(header.to[0], header.to[0])))
    malformed(replace(header, to=((header.sender, bytes(32)), *header.to)))
    malformed(replace(header, to=tuple((f"EST/n{i:04d}", bytes(32)) for i in range(501))))


def test_only_a_message_has_what_only_a_message_has() -> None:
    message, quiet = bench().message().header, bench().pen("EST").heartbeat().header
    for name in ("type", "label", "grant", "parts", "purpose", "document", "expires_at"):
        value = getattr(message, name) or {"purpose": "x", "document": (message.id, 2), "expires_at": 1}[name]
        malformed(replace(quiet, **{name: value}))
    malformed(replace(quiet, expires_at=0))
    for name in ("type", "label", "grant"):
        malformed(replace(message, **{name: None}))
    malformed(replace(message, parts=()))
    malformed(replace(message, content=quiet.content))


def test_target_stands_where_a_target_is_needed_and_nowhere_else() -> None:
    b = bench()
    release, quiet = b.release("secret", ("FIN",)).header, b.pen("EST").heartbeat().header
    malformed(replace(release, refs=Refs()))
    malformed(replace(release, refs=replace(release.refs, reply_to=b.ref("secret"))))
    malformed(replace(quiet, refs=Refs(target=b.ref("secret"))))


def test_nothing_has_one_spelling() -> None:
    value = codec.unpack(parsers()["header"].valid[0], max_size=65_000)
    empty = {"derived_from": [], "releases": [], "reply_to": None, "supersedes": None, "target": None}
    with pytest.raises(RemoteError):
        Header.parse(codec.pack({**value, "refs": empty}))


def test_numbers_start_at_one_and_stay_within_64_bits() -> None:
    header = bench().message().header
    malformed(replace(header, seq=0))
    malformed(replace(header, seq=-1))
    with pytest.raises(RemoteError):
        Opening.from_wire([bytes(16), 0], "opening")


def test_lists_are_bounded() -> None:
    b = bench()
    header, ref = b.message().header, b.ref("secret")
    malformed(replace(header, parts=header.parts * (MAX_PARTS + 1)))
    malformed(replace(header, refs=Refs(derived_from=(ref,) * 17)))
    rows = tuple((i.to_bytes(32, "big"), bytes(64)) for i in range(MAX_APPROVALS + 1))
    malformed(replace(header, approvals=rows))


def test_clear_contents_are_closed() -> None:
    release = bench().release("secret", ("FIN",)).header
    assert isinstance(release.content, ReleaseContent)
    malformed(replace(release, content=replace(release.content, members=())))
    malformed(replace(release, content=replace(release.content, members=("LVA", "FIN"))))
    value = codec.unpack(release.pack(), max_size=65_000)
    with pytest.raises(RemoteError):
        Header.parse(codec.pack({**value, "content": {**value["content"], "reason": "words"}}))


def test_signature_block_names_one_place_in_one_batch() -> None:
    block = bench().message().signed.block
    for wrong in (
        replace(block, index=1),
        replace(block, size=0),
        replace(block, size=257),
        replace(block, path=(bytes(32),) * 9),
        replace(block, suite=2),
        replace(block, key_id=bytes(31)),
    ):
        with pytest.raises(RemoteError):
            SignatureBlock.parse(wrong.pack())


def test_entry_is_of_version_1_and_fits_a_bundle() -> None:
    header, block, stamp = b"h", b"b", Stamp(1, 1).pack()
    for wrong in ([2, header, block, stamp], [True, header, block, stamp], [1, header, block], [1, "h", block, stamp]):
        with pytest.raises(RemoteError):
            UnverifiedEntry.parse(codec.pack(wrong))
    with pytest.raises(RemoteError):
        DirectoryEntry.stamped(bytes(65_535), Stamp(1, 1))


def test_directory_entry_has_no_signature_and_a_channel_entry_has_one() -> None:
    with pytest.raises(RemoteError):
        DirectoryEntry.parse(codec.pack([1, b"object", b"block", Stamp(1, 1).pack()]))
    with pytest.raises(RemoteError):
        DirectoryEntry.parse(codec.pack([1, b"", b"", Stamp(1, 1).pack()]))
    raw = codec.pack([1, bench().message().submission.header, b"", Stamp(1, 1).pack()])
    with pytest.raises(RemoteError):
        UnverifiedEntry.parse(raw)


def test_reference_is_a_point_in_a_log() -> None:
    for wrong in (["no log", 0, bytes(32)], ["relay.example/f/main", -1, bytes(32)], ["relay.example/f/main", 0, b""]):
        with pytest.raises(RemoteError):
            Ref.from_wire(wrong, "ref")


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 1 << 16)), max_size=6), st.integers(1, 255))
def test_entries_parsed_together_are_what_each_is_alone(chosen: list[tuple[int, int | None]], change: int) -> None:
    """Of every kind, some with a byte changed."""
    b = bench()
    block, raws = b.message().signed.block_bytes, []
    for which, at in chosen:
        signed = Signed.parse(_headers()[which].pack(), block)
        raw = bytearray(UnverifiedEntry.stamped(signed, Stamp(b.now, which)).raw)
        if at is not None:
            raw[at % len(raw)] ^= change
        raws.append(bytes(raw))
    try:
        alone = [UnverifiedEntry.parse(raw) for raw in raws]
    except RemoteError:
        with pytest.raises(RemoteError):
            UnverifiedEntry.parse_all(raws)
    else:
        assert UnverifiedEntry.parse_all(raws) == alone
