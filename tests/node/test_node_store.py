"""The node's store: one set of promises over memory and SQLite, and what a thief of the disk can do."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from node_store_conformance import LOG, StoreConformance
from node_world import grep

from rsc_share.errors import StorageError
from rsc_share.node.store import layers
from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.protocol import MAX_VALUE, Room, Shelf
from rsc_share.node.store.sqlite import HOUR, SqliteStore
from rsc_share.node.store.table import CHUNK

ROOT = bytes(range(32))


class MemoryBench:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def crash(self) -> MemoryStore:
        self.store = self.store.crashed()
        return self.store


class SqliteBench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqliteStore.open(folder, ROOT)

    def crash(self) -> SqliteStore:
        self.store.abandon()
        self.store = SqliteStore.open(self.folder, ROOT)
        return self.store


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[SqliteBench]:
        made = SqliteBench(tmp_path / "state")
        yield made
        made.store.abandon()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SqliteBench]:
    made = SqliteBench(tmp_path / "state")
    yield made
    made.store.abandon()


def copied(folder: Path, to: Path) -> Path:
    """The database as a thief has it, without its keys."""
    to.mkdir()
    for path in folder.glob("store.db*"):
        shutil.copy(path, to)
    return to


async def test_nothing_that_was_stored_can_be_read_in_the_files(bench: SqliteBench) -> None:
    Shelf(bench.store, LOG).put(Room.EVENT, b"the-key", b"the-plaintext")
    await bench.store.commit()
    for needle in (b"the-key", b"the-plaintext", LOG.encode(), ROOT):
        assert grep(bench.folder, needle) == []


async def test_files_are_the_owners_alone(bench: SqliteBench) -> None:
    assert bench.folder.stat().st_mode & 0o077 == 0
    for path in bench.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


async def test_another_keystore_opens_nothing(bench: SqliteBench) -> None:
    bench.store.abandon()
    with pytest.raises(StorageError, match="another keystore"):
        SqliteStore.open(bench.folder, bytes(32))


async def test_a_row_cannot_be_put_in_another_ones_place(bench: SqliteBench) -> None:
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.WITNESS, "a", 1)
    shelf.put(Room.WITNESS, "b", 2)
    await bench.store.rotate(HOUR)
    bench.store.abandon()
    with sqlite3.connect(bench.folder / "store.db") as db:
        (first, _), (second, _) = db.execute("SELECT id, sealed FROM rows").fetchall()
        db.execute("UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE id = ?) WHERE id = ?", (first, second))
    db.close()
    with pytest.raises(StorageError, match="another one's place"):
        Shelf(bench.crash(), LOG).rows(Room.WITNESS)


@pytest.mark.parametrize("column", ["room", "shelf", "segment", "sealed"])
async def test_a_row_that_was_altered_is_refused_or_not_found(bench: SqliteBench, column: str) -> None:
    Shelf(bench.store, LOG).put(Room.FACT, "a", 1)
    await bench.store.rotate(HOUR)
    bench.store.abandon()
    change = {"room": f"{int(Room.WITNESS)}", "shelf": "shelf + 1", "segment": "1", "sealed": "zeroblob(60)"}[column]
    with sqlite3.connect(bench.folder / "store.db") as db:
        db.execute(f"UPDATE rows SET {column} = {change}")  # noqa: S608
    db.close()
    again = bench.crash()
    if column in ("room", "shelf"):
        assert Shelf(again, LOG).get(Room.FACT, "a") is None
    if column == "room":
        with pytest.raises(StorageError, match="altered"):
            Shelf(again, LOG).rows(Room.WITNESS)
    if column in ("segment", "sealed"):
        with pytest.raises(StorageError, match="altered"):
            Shelf(again, LOG).get(Room.FACT, "a")


@pytest.mark.parametrize("column", ["number", "segment", "sealed"])
async def test_a_piece_of_the_journal_that_was_altered_is_refused(bench: SqliteBench, column: str) -> None:
    Shelf(bench.store, LOG).put(Room.FACT, "a", 1)
    await bench.store.commit()
    bench.store.abandon()
    change = {"number": "number + 1", "segment": "segment - 1", "sealed": "zeroblob(60)"}[column]
    with sqlite3.connect(bench.folder / "store.db") as db:
        db.execute(f"UPDATE journal SET {column} = {change}")  # noqa: S608
    db.close()
    with pytest.raises(StorageError, match="altered"):
        bench.crash()


async def test_an_erased_row_cannot_be_read_from_an_older_journal(bench: SqliteBench, tmp_path: Path) -> None:
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.PAYLOAD, b"secret", b"the-plaintext")
    await bench.store.commit()
    older = copied(bench.folder, tmp_path / "older")
    shelf.delete(Room.PAYLOAD, b"secret")
    assert await bench.store.rotate(HOUR)
    bench.store.abandon()
    shutil.copy(bench.folder / "keys", older)
    with pytest.raises(StorageError, match="journal was altered"):
        SqliteStore.open(older, ROOT)
    assert Shelf(bench.crash(), LOG).rows(Room.PAYLOAD) == []


async def test_an_erased_row_cannot_be_read_even_from_an_older_database(bench: SqliteBench, tmp_path: Path) -> None:
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.PAYLOAD, b"secret", b"the-plaintext")
    shelf.put(Room.PAYLOAD, b"other", b"stays")
    assert await bench.store.rotate(HOUR)
    older = copied(bench.folder, tmp_path / "older")
    shelf.delete(Room.PAYLOAD, b"secret")
    assert await bench.store.rotate(2 * HOUR)
    bench.store.abandon()
    shutil.copy(bench.folder / "keys", older)
    again = SqliteStore.open(older, ROOT)
    with pytest.raises(StorageError, match="key of a row"):
        Shelf(again, LOG).get(Room.PAYLOAD, b"secret")
    again.abandon()
    assert Shelf(bench.crash(), LOG).rows(Room.PAYLOAD) == [(b"other", b"stays")]


async def test_a_replaced_row_is_as_gone_as_a_deleted_one(bench: SqliteBench) -> None:
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.EVENT, 1, b"payload")
    await bench.store.commit()
    assert await bench.store.rotate(HOUR)
    before = set(bench.store._table.segments.keys)
    shelf.put(Room.EVENT, 1, b"")
    assert await bench.store.rotate(2 * HOUR)
    assert set(bench.store._table.segments.keys) & before == {0}


async def test_rotation_is_hourly_and_leaves_clean_segments_alone(bench: SqliteBench) -> None:
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.EVENT, 1, 1)
    assert await bench.store.rotate(HOUR)
    assert await bench.store.rotate(2 * HOUR)
    keys = bench.store._table.segments.keys
    assert not await bench.store.rotate(3 * HOUR - 1)
    assert await bench.store.rotate(3 * HOUR)
    assert bench.store._table.segments.keys == keys  # nothing was erased: nothing is sealed again


async def test_the_old_key_file_is_overwritten_before_it_is_let_go(bench: SqliteBench) -> None:
    """A second name for the old file shows what its blocks hold now."""
    (bench.folder / "witness").hardlink_to(bench.folder / "keys")
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.EVENT, 1, 1)
    await bench.store.commit()
    shelf.delete(Room.EVENT, 1)
    assert await bench.store.rotate(HOUR)
    assert set((bench.folder / "witness").read_bytes()) == {0}


@pytest.mark.parametrize("at", range(1, 9))
async def test_a_crash_at_any_step_of_a_rotation_loses_nothing(
    bench: SqliteBench, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(bench.store, LOG)
    for n in range(CHUNK + 10):
        shelf.put(Room.EVENT, n, n)
    await bench.store.commit()
    shelf.delete(Room.EVENT, 0)
    await bench.store.commit()
    steps = 0

    def counted(real):  # type: ignore[no-untyped-def]
        def step(*args):  # type: ignore[no-untyped-def]
            nonlocal steps
            steps += 1
            if steps == at:
                raise OSError(5, "the power is off")
            return real(*args)

        return step

    from rsc_share.node.store.segments import Segments

    monkeypatch.setattr(Segments, "save", counted(Segments.save))
    monkeypatch.setattr(bench.store._table, "fold_all", counted(bench.store._table.fold_all))
    monkeypatch.setattr(bench.store._table, "_move", counted(bench.store._table._move))
    if at <= 6:
        with pytest.raises(StorageError, match="power is off"):
            await bench.store.rotate(HOUR)
        with pytest.raises(StorageError, match="power is off"):
            await bench.store.commit()
    else:
        await bench.store.rotate(HOUR)
    monkeypatch.undo()
    again = bench.crash()
    assert sorted(key for key, _ in Shelf(again, LOG).rows(Room.EVENT)) == list(range(1, CHUNK + 10))
    assert await again.rotate(3 * HOUR)
    assert len(Shelf(again, LOG).rows(Room.EVENT)) == CHUNK + 9


async def test_a_lost_key_file_is_said_and_nothing_is_overwritten(bench: SqliteBench) -> None:
    bench.store.abandon()
    (bench.folder / "keys").unlink()
    with pytest.raises(StorageError, match="keys is missing"):
        SqliteStore.open(bench.folder, ROOT)


async def test_a_crash_while_a_store_is_made_leaves_an_empty_one(bench: SqliteBench) -> None:
    bench.store.abandon()
    for path in bench.folder.glob("store.db*"):
        path.unlink()
    assert bench.crash().fresh
    bench.store.abandon()
    (bench.folder / "store.db").write_bytes(b"")  # made, and nothing in it yet
    for path in bench.folder.glob("store.db-*"):
        path.unlink()
    assert bench.crash().fresh


@pytest.mark.parametrize("damage", [b"", b"x" * 200, bytes(4096)])
async def test_a_damaged_database_is_refused_in_one_line(bench: SqliteBench, damage: bytes) -> None:
    Shelf(bench.store, LOG).put(Room.EVENT, 1, 1)
    await bench.store.commit()
    bench.store.abandon()
    for path in bench.folder.glob("store.db-*"):
        path.unlink()
    whole = (bench.folder / "store.db").read_bytes()
    (bench.folder / "store.db").write_bytes(damage + whole[len(damage) :] if damage else whole[:5000])

    def read() -> None:
        Shelf(bench.crash(), LOG).rows(Room.EVENT)

    with pytest.raises(StorageError) as refused:
        read()
    assert "\n" not in str(refused.value)


async def test_a_row_that_could_not_be_read_back_is_not_written(bench: SqliteBench) -> None:
    with pytest.raises(StorageError, match="store takes"):
        Shelf(bench.store, LOG).put(Room.PAYLOAD, 1, bytes(MAX_VALUE))


async def test_a_store_of_a_later_form_is_left_alone(bench: SqliteBench) -> None:
    bench.store.abandon()
    with sqlite3.connect(bench.folder / "store.db") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StorageError, match="has form 9"):
        SqliteStore.open(bench.folder, ROOT)


async def test_one_row_that_never_changes_keeps_no_journal_for_ever(
    bench: SqliteBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "JOURNAL", 8)
    shelf = Shelf(bench.store, LOG)
    shelf.put(Room.META, "first", 1)
    for n in range(40):
        shelf.put(Room.CURSOR, "c", n)
        await bench.store.commit()
    with sqlite3.connect(bench.folder / "store.db") as db:
        assert db.execute("SELECT count(*) FROM journal").fetchone()[0] <= 10
    db.close()
    again = Shelf(bench.crash(), LOG)
    assert (again.get(Room.META, "first"), again.get(Room.CURSOR, "c")) == (1, 39)


async def test_what_is_written_and_deleted_soon_never_reaches_the_table(bench: SqliteBench) -> None:
    shelf = Shelf(bench.store, LOG)
    for n in range(50):
        shelf.put(Room.SENT, n, b"x")
        await bench.store.commit()
        shelf.delete(Room.SENT, n)
        await bench.store.commit()
    with sqlite3.connect(bench.folder / "store.db") as db:
        assert db.execute("SELECT count(*) FROM rows").fetchone()[0] == 0
    db.close()
    assert Shelf(bench.crash(), LOG).rows(Room.SENT) == []


class Journaled(RuleBasedStateMachine):
    """The store with tiny bounds, folding all the time, against the one in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="journaled-")
        self.loop = asyncio.new_event_loop()
        self.bench = SqliteBench(Path(self.folder.name) / "state")
        self.model = MemoryStore()
        self.now = 0

    @rule(room=st.sampled_from((Room.FACT, Room.EVENT, Room.SENT)), key=st.integers(0, 5), value=st.binary(max_size=40))
    def put(self, room: Room, key: int, value: bytes) -> None:
        for store in (self.bench.store, self.model):
            Shelf(store, LOG).put(room, key, value)

    @rule(room=st.sampled_from((Room.FACT, Room.EVENT, Room.SENT)), key=st.integers(0, 5))
    def delete(self, room: Room, key: int) -> None:
        for store in (self.bench.store, self.model):
            Shelf(store, LOG).delete(room, key)

    @rule()
    def commit(self) -> None:
        for store in (self.bench.store, self.model):
            self.loop.run_until_complete(store.commit())

    @rule()
    def rotate(self) -> None:
        self.now += 2 * HOUR
        for store in (self.bench.store, self.model):
            self.loop.run_until_complete(store.rotate(self.now))

    @rule()
    def crash(self) -> None:
        self.bench.crash()
        self.model = self.model.crashed()

    @invariant()
    def alike(self) -> None:
        for room in (Room.FACT, Room.EVENT, Room.SENT):
            found = Shelf(self.bench.store, LOG).rows(room)
            assert found == Shelf(self.model, LOG).rows(room)
            for key in range(6):
                assert Shelf(self.bench.store, LOG).get(room, key) == dict(found).get(key)

    def teardown(self) -> None:
        self.bench.store.abandon()
        self.loop.close()
        self.folder.cleanup()


@pytest.mark.parametrize(("kept", "journal"), [(3, 1024), (1024, 2), (0, 0)])
def test_folding_changes_nothing_that_can_be_seen(kept: int, journal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "KEPT", kept)
    monkeypatch.setattr(layers, "JOURNAL", journal)
    run_state_machine_as_test(Journaled, settings=settings(max_examples=6, stateful_step_count=20, deadline=None))
