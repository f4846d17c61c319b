"""What a small packet unpacks to costs its reader no more than its largest file."""

from __future__ import annotations

import tracemalloc

import pytest
from forger_world import ran, remade

from rsc_share.audit import layout
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.load import load
from rsc_share.audit.replay import replay
from rsc_share.charter.directory import Directory
from rsc_share.compiled import modules
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.note import Note
from rsc_share.log.tree import MemoryTree

HONEST = ran()


class Unpacked:
    """Files of which all but the honest ones are made when they are read, as from a packet or a disk."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self.made = {f"export/charter/{number:04d}/bundle": number for number in range(100, 100 + count)}

    def paths(self) -> list[str]:
        return sorted([*HONEST.files, *self.made])

    def odd(self) -> list[tuple[str, str]]:
        return []

    def read(self, path: str, limit: int) -> bytes | None:
        if path in self.made:
            return (self.made[path].to_bytes(4, "big") + bytes(self.size))[: limit + 1]
        data = HONEST.files.get(path)
        return None if data is None else data[: limit + 1]


def _short_lines() -> bytes:
    return b"{" + b",".join(b'"%d":0' % number for number in range(300_000)) + b"}"


def test_attack_many_large_charters_are_never_held_together() -> None:
    tracemalloc.start()
    try:
        found = load(Unpacked(64, 1_000_000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.permanent) >= 64
    assert most < 16_000_000


@pytest.mark.parametrize(
    "data", [b'{"a": [' + b"[]," * 1_000_000 + b"[]]}", b"{" + b'"a":{},' * 400_000 + b"}", _short_lines()]
)
def test_attack_a_list_of_absent_bodies_that_takes_many_times_its_bytes(data: bytes) -> None:
    files = MemoryFiles(remade({**HONEST.files, layout.ABSENT: data}))
    tracemalloc.start()
    try:
        found = load(files)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(data) + 4_000_000
    assert [f.evidence["path"] for f in found.findings] == [layout.ABSENT]


def test_bodies_of_charters_are_there_under_their_digests() -> None:
    found = load(Unpacked(2, 10)).permanent
    assert all(found[digest] for digest in found)
    assert found.get(bytes(32)) is None


@pytest.mark.skipif(
    "rsc_share.charter.directory" in modules(), reason="compiled callers do not see what a test puts in its place"
)
def test_attack_logs_that_no_charter_names_are_not_looked_for_in_every_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    at = Directory.at
    monkeypatch.setattr(Directory, "at", lambda self, size: asked.append(size) or at(self, size))

    def cost(count: int) -> int:
        asked.clear()
        files = {}
        for number in range(count):
            checkpoint = Checkpoint(f"relay.example/odd/x{number}", 0, MemoryTree().root())
            note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, HONEST.keys[0]),))
            files |= {f"export/logs/x{number}/checkpoint": note.encode(), f"export/logs/x{number}/vkeys": b""}
        found = replay(MemoryFiles(remade({**HONEST.files, **files})), HONEST.anchors)
        assert sum(f.code == "checkpoint" for f in found.findings) == count
        return len(asked)

    assert cost(40) - cost(20) <= 20  # once each; before, at every size of the directory
