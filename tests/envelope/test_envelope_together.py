"""Entries that are read together say what each says by itself, right or wrong."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "rulebook"))

from rulebook_desk import bench

from rsc_share import codec
from rsc_share.envelope.entry import MAX_ENTRY, Stamp, UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.errors import RemoteError
from rsc_share.log.merkle import leaf_hash, leaf_hashes


def _good() -> list[bytes]:
    b = bench()
    signed = [b.message().signed, b.grants["EST"].signed, b.pen("EST").heartbeat().signed]
    return [UnverifiedEntry.stamped(one, Stamp(b.now, at)).raw for at, one in enumerate(signed, 1)]


def _wrong(raw: bytes) -> list[bytes]:
    version, header, block, stamp = codec.unpack(raw, max_size=MAX_ENTRY)
    suite, key, signature, _, size, path = codec.unpack(block, max_size=MAX_ENTRY)
    elsewhere = codec.pack([suite, key, signature, size, size, path])
    return [
        b"",
        b"\xc1",
        bytes(MAX_ENTRY + 1),
        b"\xdc\0\x04" + raw[1:],
        codec.pack([version + 1, header, block, stamp]),
        codec.pack([version, header[:-1], block, stamp]),
        codec.pack([version, header.replace(b"EST/", b"est/"), block, stamp]),
        codec.pack([version, header, elsewhere, stamp]),
        codec.pack([version, header, block, b"\x92\x01"]),
    ]


def _by_itself(raw: bytes) -> UnverifiedEntry | str:
    try:
        return UnverifiedEntry.parse(raw)
    except RemoteError as error:
        return str(error)


def _told(found: UnverifiedEntry | RemoteError) -> UnverifiedEntry | str:
    return str(found) if isinstance(found, RemoteError) else found


def test_right_entries_read_together_are_the_same_entries() -> None:
    good = _good()
    assert UnverifiedEntry.parse_all(good) == list(map(UnverifiedEntry.parse, good))
    assert UnverifiedEntry.parse_all([]) == []


def test_each_wrong_entry_is_wrong_in_its_own_way_among_others() -> None:
    good = _good()
    raws = good + [wrong for raw in good for wrong in _wrong(raw)]
    for seed in range(8):
        random.Random(seed).shuffle(raws)  # noqa: S311
        assert list(map(_told, UnverifiedEntry.parse_each(raws))) == list(map(_by_itself, raws))
    for wrong in _wrong(good[0]):
        assert list(map(_told, UnverifiedEntry.parse_each([*good, wrong]))) == list(map(_by_itself, [*good, wrong]))
        with pytest.raises(RemoteError):
            UnverifiedEntry.parse_all([*good, wrong])


def test_headers_read_together_raise_what_the_wrong_one_raises() -> None:
    header = bench().message().header.pack()
    wrong = header.replace(b"EST/", b"est/")
    with pytest.raises(RemoteError) as by_itself:
        Header.parse(wrong)
    with pytest.raises(RemoteError) as among_others:
        Header.parse_all([header, wrong, header])
    assert str(among_others.value) == str(by_itself.value)


def test_leaf_hashes_are_the_leaf_hash_of_each() -> None:
    good = _good()
    assert leaf_hashes(good) == list(map(leaf_hash, good))


def test_attack_an_unreadable_entry_holds_nothing_of_those_beside_it() -> None:
    """What is kept of it until its row is judged would else keep every value of that row a second time."""
    raws = [*_good(), b"\xc1"]
    (error,) = [found for found in UnverifiedEntry.parse_each(raws) if isinstance(found, RemoteError)]
    assert not {"parse_all", "read_all", "_read_right"} & set(_frames(error))


def _frames(error: BaseException | None) -> Iterator[str]:
    """The functions whose values an error keeps alive, with those it was raised on the way of."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield frame.f_code.co_name
        error = error.__context__
