"""Entries that contradict each other about one attachment: whoever names a false size is found, in whatever order."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from rsc_share.audit.attachments import Held, blob_file, hold_against_entries
from rsc_share.audit.bodies import Missing
from rsc_share.audit.findings import Grade
from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.proofs import tree_root

BLOB = bytes(range(256)) * 16 + b"end"
DIGEST = tree_root([leaf_hash(BLOB[at : at + SEALED_CHUNK]) for at in range(0, len(BLOB), SEALED_CHUNK)])


def named(log: str, index: int, size: int) -> Missing:
    return Missing(log, index, DIGEST, "EST/one", 0, None, size)


def held(apart: list[Missing], folder: Path | None) -> Held:
    return hold_against_entries(apart, folder, lambda *_: None)


def test_attack_a_false_size_hides_behind_no_other_entry(tmp_path: Path) -> None:
    """Logs are judged as they wait for one another, so a relay has a say in which of them is taken down first."""
    path = tmp_path / blob_file(DIGEST)
    path.parent.mkdir()
    path.write_bytes(BLOB)
    true, again = named("relay.example/f/a", 7, len(BLOB)), named("relay.example/f/c", 2, len(BLOB))
    short, long = named("relay.example/f/b", 3, 5), named("relay.example/f/z", 1, len(BLOB) + 1)
    for apart in permutations([true, again, short, long]):
        found = held(list(apart), tmp_path)
        assert [(f.code, f.log, f.index) for f in found.findings] == [
            ("blob-altered", short.log, 3),
            ("blob-altered", long.log, 1),
        ]
        assert (found.checked, found.checked_bytes, found.absent) == (1, len(BLOB), 0)
    assert held([true, again], tmp_path).findings == held([], tmp_path).findings == ()


def test_what_is_not_there_is_counted_once_for_each_size() -> None:
    found = held([named("relay.example/f/b", 3, 5), named("relay.example/f/a", 7, 9), named("x", 1, 9)], None)
    assert [f.grade for f in found.findings] == [Grade.OBSERVATION]
    assert (found.checked, found.absent, found.absent_bytes) == (0, 2, 14)
