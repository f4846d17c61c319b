"""The conformance suite over SQLite on real files, and what only that store has."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import rule
from store_conformance import (
    LOG,
    OTHER,
    StoreConformance,
    StoreMachine,
    batch,
    body,
    cosignature,
    entry,
    everything,
    filled,
    log_line,
    stored,
)

from rsc_share.errors import StorageError
from rsc_share.relay.store.protocol import Body, Broken, Erased, Erasing, Full, Note, Writer
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.sqlite import SqliteStore
from rsc_share.rulebook.facts import IdFact, count_key, id_key


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
async def store(folder):
    made = SqliteStore.open(folder)
    yield made
    await made.aclose()


class TestSqliteStore(StoreConformance):
    pass


class SqliteMachine(StoreMachine):
    """Also with restarts: what was acknowledged is there again."""

    def factory(self):
        self.folder = Path(tempfile.mkdtemp())
        return SqliteStore.open(self.folder)

    @rule()
    def restart(self):
        self.store.close()
        self.store = SqliteStore.open(self.folder)
        self.writer = self.run(self.store.acquire(LOG))
        self.stale = []  # a fence counts within one process and among those of one store

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.folder)
        super().teardown()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def edit(folder: Path, *statements: str) -> None:
    """What a failing disk or a curious person does to the database of a store nobody has open."""
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


async def kept(folder: Path, count: int = 700) -> None:
    store = SqliteStore.open(folder)
    writer = await filled(store, count, each=300)
    await store.keep_note(LOG, Note(count, writer.head.root, (log_line(), cosignature("a", 5))))
    await store.aclose()


async def test_everything_is_there_again_after_a_restart(folder):
    await kept(folder)
    store = SqliteStore.open(folder)
    writer = await store.acquire(LOG)
    assert (writer.head.size, writer.noted, writer.epoch) == (700, 700, 2)
    assert [item.entry for item in await everything(store)] == [entry(i) for i in range(700)]
    assert (await store.append(writer, batch(writer.head, [stored(700)]))).head.size == 701
    assert len((await store.keep_note(LOG, Note(700, writer.head.root))).lines) == 2
    await store.aclose()


async def test_a_start_is_a_synced_write_and_leaves_nothing_in_front_of_the_database(folder):
    await kept(folder)
    store = SqliteStore.open(folder)
    assert store.wal_bytes == 0
    assert sqlite3.connect(f"file:{folder / FILE}?mode=ro&immutable=1", uri=True).execute(
        "SELECT opened FROM store"
    ).fetchone() == (2,)
    await store.aclose()


async def test_the_database_is_set_up_as_promised(folder, store):
    def pragma(name):
        return store._db.execute(f"PRAGMA {name}").fetchone()[0]

    names = ("journal_mode", "synchronous", "secure_delete", "auto_vacuum", "wal_autocheckpoint", "mmap_size")
    assert [pragma(name) for name in names] == ["wal", 2, 1, 2, 0, 0]


async def test_files_are_only_the_owners(folder, store):
    await filled(store, 3)
    assert folder.stat().st_mode & 0o777 == 0o700
    found = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert set(found) == {"lock", FILE, f"{FILE}-wal", f"{FILE}-shm"}
    assert set(found.values()) == {0o600}


def test_a_second_process_is_refused(folder):
    store = SqliteStore.open(folder)
    code = (
        "import sys, pathlib\n"
        "from rsc_share.errors import StorageError\n"
        "from rsc_share.relay.store.sqlite import SqliteStore\n"
        "try: SqliteStore.open(pathlib.Path(sys.argv[1]))\n"
        "except StorageError as error: sys.exit(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, check=False)
    assert done.stderr.strip() == b"locked"
    with pytest.raises(StorageError, match="in use"):
        SqliteStore.open(folder)
    store.close()


async def test_erased_text_is_in_no_file(folder, store):
    writer = await store.acquire(LOG)
    texts = [b"<short, in the row>", b"<long, in pages of its own>" * 700]
    bodies = {digest: found for text in texts for digest, found in body(text, 0).items()}
    await store.append(writer, batch(writer.head, [stored(0)], bodies=bodies))
    assert all(text in files(folder) or text[:500] in files(folder) for text in texts)
    assert await store.erase(LOG, list(bodies), "recall") == 2
    found = files(folder)
    assert not any(text[:19] in found for text in texts)
    assert await store.bodies(LOG, list(bodies)) == {digest: Erased(0, "recall") for digest in bodies}


async def test_erasing_waits_for_a_reader_of_another_process_and_nobody_else_does(folder, store):
    writer = await store.acquire(LOG)
    text = b"<the text that was recalled>"
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=body(text, 0)))
    reader = sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM log").fetchone()
    erasing = asyncio.create_task(store.erase(LOG, body(text, 0).keys(), "recall"))
    writer = await store.append(writer, batch(writer.head, [stored(1)]))
    assert not erasing.done()
    assert text in files(folder)
    reader.execute("COMMIT")
    assert await asyncio.wait_for(erasing, 5) == 1
    assert text not in files(folder)
    reader.close()


async def test_an_erasure_that_waits_hears_of_the_end(folder, store):
    writer = await store.acquire(LOG)
    await store.append(writer, batch(writer.head, [stored(0)], bodies=body(b"text", 0)))
    reader = sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM log").fetchone()
    erasing = asyncio.create_task(store.erase(LOG, body(b"text", 0).keys(), "recall"))
    await store.acquire(LOG)  # the erasure is committed now, and waits to be swept
    assert not erasing.done()
    store._committer.fail(Broken("a reader found damage"))
    with pytest.raises(Broken):
        await asyncio.wait_for(erasing, 5)
    reader.close()


async def test_the_mark_is_there_before_anybody_hears_of_the_end(store, monkeypatch):
    """Else a relay that exits at once could leave a store without it."""
    heard = []
    monkeypatch.setattr(store._committer, "_failed", lambda error: heard.append(store.failure))
    store._committer.fail(Broken("damage"))
    store._committer.fail(Broken("more damage"))
    assert heard == [None]
    assert "more" not in store.failure.what


async def test_a_reader_that_stops_half_way_holds_nothing(folder, store):
    await filled(store, 3_000)
    reading = store.read(LOG, 0, 3_000, max_bytes=1 << 30)
    await anext(reading)
    writer = await store.acquire(LOG)
    text = b"<the text that was recalled>"
    await store.append(writer, batch(writer.head, [stored(3_000)], bodies=body(text, 3_000)))
    await asyncio.wait_for(store.erase(LOG, body(text, 0).keys(), "recall"), 5)
    assert text not in files(folder)
    assert len([item async for item in reading]) == 2_999


async def test_large_entries_are_read_in_pieces(store):
    writer = await store.acquire(LOG)
    items = [type(stored(0))(entry(n, 60_000)) for n in range(30)]
    await store.append(writer, batch(writer.head, items))
    assert await everything(store) == items


async def test_a_log_that_only_it_signed_keeps_one_note(folder, store):
    writer = await store.acquire(LOG)
    for number in range(20):
        writer = await store.append(writer, batch(writer.head, [stored(number)]))
        await store.keep_note(LOG, Note(number + 1, writer.head.root, (log_line(),)))
        if number == 9:
            await store.keep_note(LOG, Note(10, writer.head.root, (cosignature("a", 5),)))
    await store.aclose()
    rows = sqlite3.connect(folder / FILE).execute("SELECT size FROM note_1 ORDER BY size").fetchall()
    assert rows == [(10,), (20,)]


DAMAGE = {
    "an entry is gone": ["DELETE FROM entry_1 WHERE n = 699"],
    "an entry near the end is another": ["UPDATE entry_1 SET entry = x'00' WHERE n = 690"],
    "entries beyond the head": ["INSERT INTO entry_1 VALUES (700, x'00', x'')"],
    "another root": ["UPDATE log SET root = zeroblob(32)"],
    "a shorter log": ["UPDATE log SET size = 699"],
    "another edge": ["UPDATE log SET edge = zeroblob(length(edge))"],
    "a last tile of another width": ["DELETE FROM tile_1 WHERE place = 1 << 48"],
    "a note of another root": ["UPDATE note_1 SET root = zeroblob(32)"],
    "a note of a larger log": ["UPDATE note_1 SET size = 701"],
    "a table is gone": ["DROP TABLE note_1"],
    "another program's database": ["PRAGMA application_id = 1"],
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_store_says_so_before_its_first_answer(folder, damage):
    await kept(folder)
    edit(folder, *DAMAGE[damage])
    with pytest.raises(Broken):
        SqliteStore.open(folder)
    with pytest.raises(StorageError, match="check") as refused:
        SqliteStore.open(folder)
    assert refused.value.code == "unchecked"


@pytest.mark.parametrize("size", [0, 1, 100, 4_096, 60_000])
async def test_a_file_cut_short_is_broken(folder, size):
    await kept(folder)
    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole[:size])
    if size == 0:  # nothing left that says it ever was a store: an empty one, which witnesses then refuse
        SqliteStore.open(folder).close()
    else:
        with pytest.raises(Broken):
            SqliteStore.open(folder)


async def test_a_newer_format_is_left_alone(folder):
    await kept(folder)
    edit(folder, "PRAGMA user_version = 2")
    for _ in range(2):
        with pytest.raises(StorageError) as refused:
            SqliteStore.open(folder)
        assert refused.value.code == "version"


@pytest.mark.parametrize("damage", ["DELETE FROM entry_1 WHERE n = 5", "UPDATE entry_1 SET beside = x'c1' WHERE n = 5"])
async def test_damage_found_while_reading_ends_the_store(folder, damage):
    await kept(folder)
    edit(folder, damage)
    store = SqliteStore.open(folder)
    writer = await store.acquire(LOG)
    with pytest.raises(Broken):
        await everything(store)
    assert isinstance(store.failure, Broken)
    for call in (
        store.logs(),
        store.acquire(OTHER),
        store.append(writer, batch(writer.head, [stored(700)])),
        store.lookup(LOG, []),
        anext(store.read(LOG, 6, 7, max_bytes=1)),
        store.wait(LOG, 0, 60),
        store.tile(LOG, 0, 0),
        store.bodies(LOG, []),
        store.erase(LOG, [], "recall"),
        store.keep_note(LOG, Note(700, writer.head.root)),
    ):
        with pytest.raises(Broken):
            await call
    await store.aclose()
    with pytest.raises(StorageError, match="check"):
        SqliteStore.open(folder)


def test_an_sqlite_without_strict_tables_is_refused(folder, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 36, 9))
    with pytest.raises(StorageError, match="too old"):
        SqliteStore.open(folder)
    assert not folder.exists()


async def test_a_lock_held_by_another_process_is_waited_for_and_then_named(folder, store, monkeypatch):
    monkeypatch.setattr("rsc_share.relay.store.committer.BUSY_TRIES", 1)
    writer = await store.acquire(LOG)
    store._db.execute("PRAGMA busy_timeout=20")
    other = sqlite3.connect(folder / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as refused:
        await store.append(writer, batch(writer.head, [stored(0)]))
    assert refused.value.code == "busy"
    other.execute("COMMIT")
    other.close()
    assert (await store.append(writer, batch(writer.head, [stored(0)]))).head.size == 1
    assert store.failure is None


async def test_one_transaction_serves_all_that_wait(store):
    """Group commit: a hundred logs, far fewer syncs."""
    writers = await asyncio.gather(*(store.acquire(f"relay.example/regional/c{n}") for n in range(100)))
    transactions = []
    store._db.set_trace_callback(lambda sql: transactions.append(sql) if sql == "COMMIT" else None)
    await asyncio.gather(*(store.append(w, batch(w.head, [stored(0)])) for w in writers))
    assert len(transactions) < 20
    assert {head.size for head in (await store.logs()).values()} == {1}


async def test_the_loop_never_waits_for_the_disk(store):
    """Promise 8: every statement of every call runs in a thread of the store."""
    threads = set()
    for db in (store._db, *store._readers._free):
        db.set_trace_callback(lambda sql: threads.add(threading.current_thread()))
    writer = await store.acquire(LOG)
    facts = {id_key("a/a", bytes(16)): IdFact(0, bytes(32)), count_key("a/a", "b/b"): 1}
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=body(b"x", 0), facts=facts))
    await store.keep_note(LOG, Note(1, writer.head.root, (cosignature("a", 1),)))
    await store.lookup(LOG, facts)
    await everything(store)
    await store.tile(LOG, 0, 0)
    await store.bodies(LOG, body(b"x", 0))
    await store.erase(LOG, body(b"x", 0), "recall")
    assert await store.wait(LOG, 0, 60) == 1
    assert len(threads) > 1
    assert threading.current_thread() not in threads


async def test_whoever_calls_while_it_closes_is_answered(folder):
    store = SqliteStore.open(folder)
    writer = await store.acquire(LOG)
    calls = [asyncio.create_task(store.keep_note(LOG, Note(0, writer.head.root))) for _ in range(500)]
    closing = asyncio.create_task(store.aclose())
    late = [asyncio.create_task(store.acquire(LOG)) for _ in range(50)]
    done = await asyncio.wait_for(asyncio.gather(*calls, *late, return_exceptions=True), 10)
    assert all(isinstance(item, Note) for item in done[:500])
    assert all(isinstance(item, Writer) or item.code == "closed" for item in done[500:])
    await closing


async def test_no_call_after_the_end(folder):
    store = SqliteStore.open(folder)
    writer = await store.acquire(LOG)
    await store.aclose()
    await store.aclose()
    for call in (store.logs(), store.acquire(LOG), store.append(writer, batch(writer.head, [stored(0)]))):
        with pytest.raises(StorageError, match="closed"):
            await call
    SqliteStore.open(folder).close()


async def test_bodies_by_the_thousand(store):
    writer = await store.acquire(LOG)
    made = {hashlib.sha256(bytes([n % 256, n >> 8])).digest(): Body(0, bytes([n % 256, n >> 8])) for n in range(1_500)}
    await store.append(writer, batch(writer.head, [stored(0)], bodies=made))
    assert await store.bodies(LOG, list(made)) == made


def limit_pages(store: SqliteStore, more: int | None) -> None:
    """Let SQLite find no more than `more` pages, as a full disk would; None for no limit."""
    (now,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={now + more if more is not None else 1 << 30}")


async def test_full_writes_nothing_and_the_store_goes_on(store):
    writer = await store.acquire(LOG)
    limit_pages(store, 12)
    large = body(bytes(200_000), 0)
    with pytest.raises(Full):
        await store.append(writer, batch(writer.head, [stored(0)], bodies=large))
    assert (await store.logs())[LOG] == writer.head
    assert await everything(store) == []
    assert await store.bodies(LOG, list(large)) == {}
    writer = await store.append(writer, batch(writer.head, [stored(0)]))
    limit_pages(store, None)
    assert (await store.append(writer, batch(writer.head, [stored(1)], bodies=large))).head.size == 2
    assert store.failure is None


async def test_where_not_all_fit_the_small_ones_go_on(store):
    writers = await asyncio.gather(*(store.acquire(f"relay.example/regional/c{n}") for n in range(6)))
    limit_pages(store, 20)
    sizes = [100, 100, 500_000, 100, 500_000, 100]
    calls = [
        store.append(w, batch(w.head, [stored(0)], bodies=body(bytes(n), 0)))
        for w, n in zip(writers, sizes, strict=True)
    ]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(item, Full) for item in done] == [size > 100 for size in sizes]
    assert [head.size for head in (await store.logs()).values()] == [size == 100 for size in sizes]


async def test_erasing_makes_room_again(store):
    writer = await store.acquire(LOG)
    large = body(bytes(200_000), 0)
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=large))
    limit_pages(store, 5)
    again = body(bytes([1]) * 200_000, 1)
    with pytest.raises(Full):
        await store.append(writer, batch(writer.head, [stored(1)], bodies=again))
    await store.erase(LOG, list(large), "recall")
    assert (await store.append(writer, batch(writer.head, [stored(1)], bodies=again))).head.size == 2


async def test_a_cosigners_line_that_found_no_space_is_not_taken_for_kept(folder, store):
    writer = await filled(store, 1)
    note = Note(1, writer.head.root, (log_line(), *(cosignature(f"a{n}", 5) for n in range(200))))
    limit_pages(store, 0)
    for _ in range(2):
        with pytest.raises(Full):
            await store.keep_note(LOG, note)
    limit_pages(store, None)
    assert await store.keep_note(LOG, note) == note
    with sqlite3.connect(folder / FILE) as db:
        assert db.execute("SELECT count(*) FROM note_1").fetchone() == (1,)
    db.close()


async def test_the_note_of_an_erasure_is_seen_beside_the_store_as_soon_as_the_body_is_gone(store, folder):
    """Others of the log alone wait for the next write. Whoever copies the store must see on which order a body went."""

    def beside() -> list[int]:
        with sqlite3.connect(folder / FILE) as db:
            return [size for (size,) in db.execute("SELECT size FROM note_1 UNION ALL SELECT size FROM note_2")]

    bodies, line = body(b"taken back", 0), dataclasses.replace(log_line(), name=OTHER)
    writer = await store.acquire(LOG)
    other = await store.acquire(OTHER)
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=bodies))
    await store.keep_note(LOG, Note(1, writer.head.root, (log_line(),)))
    assert beside() == []
    other = await store.append(other, batch(other.head, [stored(0)]))  # the recall may stand in another log
    assert beside() == [1]
    await store.keep_note(OTHER, Note(1, other.head.root, (line,)), [Erasing(LOG, tuple(bodies), "recall")])
    assert beside() == [1, 1]
    other = await store.append(other, batch(other.head, [stored(1)]))
    await store.keep_note(OTHER, Note(2, other.head.root, (line,)))
    assert beside() == [1, 1], "and those after it wait again"


async def test_an_erasure_that_found_no_space_leaves_no_note_that_says_it_was_done(folder, store):
    """Another log's next write would bring it onto the disk, and a start would not obey the order again."""
    bodies, line = body(b"taken back", 0), dataclasses.replace(log_line(), name=OTHER)
    writer, other = await store.acquire(LOG), await store.acquire(OTHER)
    writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=bodies))
    other = await store.append(other, batch(other.head, [stored(0)]))
    note = Note(1, other.head.root, (line, *(cosignature(f"a{n}", 5) for n in range(200))))
    limit_pages(store, 0)
    with pytest.raises(Full):
        await store.keep_note(OTHER, note, [Erasing(LOG, tuple(bodies), "recall")])
    limit_pages(store, None)
    await store.append(writer, batch(writer.head, [stored(1)]))
    assert isinstance((await store.bodies(LOG, list(bodies)))[next(iter(bodies))], Body)
    with sqlite3.connect(folder / FILE) as db:
        assert db.execute("SELECT count(*) FROM note_2").fetchone() == (0,)
    db.close()
