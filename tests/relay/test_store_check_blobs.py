"""`check` reads attachments: what is damaged is found, what a recall takes meanwhile is not; it goes on in a file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from relay_world import CT, EST, FIN, World

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.envelope.parts import Part
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.relay.blobs import Blobs
from rsc_share.relay.store import check as checking
from rsc_share.relay.store.check import Checked, check
from rsc_share.relay.store.file_blobs import FOLDER, FileBlobs, path_of
from rsc_share.relay.store.folder import MARK
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.session.frames import Logged

TAIL = 70_000


class Kept:
    """A store of two messages with a blob each: three chunks, and one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: list[bytes] = []

    async def make(self) -> Kept:
        store, files = SqliteStore.open(self.folder), FileBlobs(self.folder / FOLDER)
        world = World(store)
        start = world.start

        async def with_blobs() -> None:
            await start()
            world.relay.blobs = Blobs(files, world.clock, lambda: 1.0)

        world.start = with_blobs
        await world.ready()
        pen = world.pen(EST)
        await world.submit(EST, pen.grant(FIN))
        for chunks in (2, 0):
            await self._message(world, pen, [os.urandom(SEALED_CHUNK) for _ in range(chunks)] + [os.urandom(TAIL)])
        await world.relay.aclose()
        await store.aclose()
        return self

    async def _message(self, world: World, pen: object, chunks: list[bytes]) -> None:
        tree, size = CompactRange(), sum(map(len, chunks))
        for chunk in chunks:
            tree.append(leaf_hash(chunk))
        for index, chunk in enumerate(chunks):
            await world.ports[EST].blob_put(CT, tree.root(), size, index, chunk)
        blob = Part(digest=tree.root(), size=size, commit=bytes(32), media="application/octet-stream")
        (outcome,) = await world.submit(EST, pen.message(FIN, blobs=(blob,)))
        assert isinstance(outcome, Logged), outcome
        self.digests.append(tree.root())

    def path(self, number: int) -> Path:
        return path_of(self.folder / FOLDER, "EST", self.digests[number])


@pytest.fixture
async def kept(tmp_path: Path) -> Kept:
    return await Kept(tmp_path / "store").make()


def wheres(done: Checked) -> list[tuple[str, str]]:
    return [(found.where.split()[0], found.what.partition(", ")[2]) for found in done.findings]


async def test_sound_attachments_are_read_and_counted(kept: Kept) -> None:
    seen = []
    done = check(kept.folder, progress=seen.append)
    assert (done.findings, done.blobs) == ((), 2)
    assert [step for step in seen if step.blobs][-1].checked == [step for step in seen if step.blobs][-1].size
    assert not (kept.folder / "check").exists()


async def test_damage_is_found_and_stops_no_relay(kept: Kept) -> None:
    with kept.path(0).open("r+b") as file:
        file.seek(SEALED_CHUNK + 5)
        file.write(b"x")
    done = check(kept.folder)
    assert wheres(done) == [("blob", "its chunks are not those its digest names")]
    assert kept.digests[0].hex() in done.findings[0].where
    assert (done.passed, done.blobs) == (False, 1)
    assert not (kept.folder / MARK).exists(), "whoever asks for it sees that; the logs are sound"
    (kept.folder / MARK).write_text("an I/O error")
    assert check(kept.folder).released


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda path: os.truncate(path, 100), f"has 100 bytes, where its entry says {TAIL}"),
        (lambda path: path.unlink(), "its file is not there"),
    ],
)
async def test_a_file_that_is_short_gone_or_none(kept: Kept, harm: object, what: str) -> None:
    harm(kept.path(1))
    done = check(kept.folder)
    assert wheres(done) == [("blob", what)]
    assert done.blobs == 1


async def test_a_disk_that_does_not_give_it_is_a_finding(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", failing)
    assert wheres(check(kept.folder)) == [("blob", "its file cannot be read: Input/output error")] * 2


async def test_it_goes_on_within_a_file(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SAVE_EVERY", 1)
    read: list[int] = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, at: read.append(at) or real(file, count, at))

    def interrupted(step: checking.Progress) -> None:
        if len(read) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(kept.folder, progress=interrupted)
    assert check(kept.folder).blobs == 2
    assert read == [0, SEALED_CHUNK, 2 * SEALED_CHUNK, 0], "no chunk twice"


async def test_the_pace_is_kept_for_files_too(kept: Kept) -> None:
    slept: list[float] = []
    check(kept.folder, bytes_per_s=1 << 20, sleep=slept.append)
    assert sum(slept) >= (2 * SEALED_CHUNK + 2 * TAIL) / (1 << 20)


async def test_what_a_recall_takes_meanwhile_is_no_finding(kept: Kept) -> None:
    """The relay deletes the file, and says so in the database a moment later."""
    store = SqliteStore.open(kept.folder)  # a relay that runs
    kept.path(0).unlink()
    slept: list[float] = []

    def later(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            edit(kept.folder, "UPDATE body_2 SET data = NULL, reason = 'recall' WHERE length(data) = 0 AND brought = 1")

    try:
        done = check(kept.folder, sleep=later)
        assert (done.online, done.findings, done.blobs) == (True, (), 1)
        assert len(slept) == 2
        kept.path(1).unlink()
        done = check(kept.folder, sleep=slept.append)
        assert [found.what.partition(", ")[2] for found in done.findings] == ["its file is not there"]
    finally:
        await store.aclose()


async def test_many_bodies_between_two_blobs_are_looked_through_in_short_reads(kept: Kept) -> None:
    edit(
        kept.folder,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
        "INSERT INTO body_2 (digest, brought, data, reason) "
        "SELECT CAST(printf('%032d', i) AS BLOB), 1, NULL, 'recall' FROM n",
        "UPDATE body_2 SET rowid = rowid + 20000 WHERE brought = 2 AND length(data) = 0",
    )
    assert check(kept.folder).blobs == 2


def edit(folder: Path, *statements: str) -> None:
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
