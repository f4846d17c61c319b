"""`check` finds every kind of damage, harms nothing, goes on where it stopped, and alone lifts the mark."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from store_conformance import LOG, OTHER, batch, body, cosignature, entry, filled, log_line, stored

from rsc_share.errors import LocalError, StorageError
from rsc_share.relay.store.check import check
from rsc_share.relay.store.folder import MARK
from rsc_share.relay.store.progress import load
from rsc_share.relay.store.protocol import Broken, Note
from rsc_share.relay.store.schema import FILE
from rsc_share.relay.store.sqlite import SqliteStore

SIZE = 66_100


def make(folder, size):
    """A store with `size` entries in one log, bodies and notes in another, and an empty one."""

    async def fill():
        store = SqliteStore.open(folder)
        await filled(store, size, each=20_000)
        writer = await store.acquire(OTHER)
        for number in range(40):
            bodies = {k: v for n in range(5) for k, v in body(b"%d %d" % (number, n) * 400, number).items()}
            writer = await store.append(writer, batch(writer.head, [stored(number)], bodies=bodies))
            await store.keep_note(OTHER, Note(number + 1, writer.head.root, (cosignature("a", number + 1),)))
            if number == 7:
                await store.erase(OTHER, list(bodies), "recall")
        await store.acquire("relay.example/regional/empty")
        await store.aclose()

    asyncio.run(fill())
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return make(tmp_path_factory.mktemp("kept") / "store", SIZE)


@pytest.fixture(scope="module")
def kept_small(tmp_path_factory):
    """For damage that is not in the large log, which takes most of a check's time."""
    return make(tmp_path_factory.mktemp("small") / "store", 300)


def copied(kept, under):
    """To break."""
    made = under / "store"
    made.mkdir()
    (made / FILE).write_bytes((kept / FILE).read_bytes())
    return made


@pytest.fixture
def folder(kept, tmp_path):
    return copied(kept, tmp_path)


@pytest.fixture
def small(kept_small, tmp_path):
    return copied(kept_small, tmp_path)


def edit(folder, *statements):
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_a_sound_store_passes_and_is_not_touched(folder):
    before = (folder / FILE).read_bytes()
    done = check(folder)
    assert (done.findings, done.entries, done.online, done.released) == ((), SIZE + 40, False, False)
    assert (folder / FILE).read_bytes() == before
    SqliteStore.open(folder).close()


DAMAGE = {
    "an old entry is another": (
        "UPDATE entry_1 SET entry = x'00' WHERE n = 5",
        {"tile 0/0", "tile 1/0", f"head of size {SIZE}"},
    ),
    "an old entry is gone": ("DELETE FROM entry_1 WHERE n = 40000", {"entries 39936 to 40191"}),
    "an entry's openings are unreadable": ("UPDATE entry_1 SET beside = x'c1' WHERE n = 70", {"entry 70"}),
    "a tile is another": ("UPDATE tile_1 SET hashes = zeroblob(8192) WHERE place = 7", {"tile 0/7"}),
    "a tile is gone": ("DELETE FROM tile_1 WHERE place = 255", {"tile 0/255"}),
    "a tile above is another": (
        "UPDATE tile_1 SET hashes = zeroblob(8192) WHERE place = 1 << 48",
        {"tile 1/0"},
    ),
    "the tile at the top is another": (
        "UPDATE tile_1 SET hashes = zeroblob(32) WHERE place = 2 << 48",
        {"tile 2/0"},
    ),
    "the head is another": ("UPDATE log SET root = zeroblob(32) WHERE number = 1", {f"head of size {SIZE}"}),
    "the edge is another": (
        "UPDATE log SET edge = zeroblob(length(edge)) WHERE number = 1",
        {f"head of size {SIZE}"},
    ),
}
ELSEWHERE = {
    "an empty log with a root": ("UPDATE log SET root = zeroblob(32) WHERE number = 3", {"head of size 0"}),
    "an old note is another": ("UPDATE note_2 SET root = zeroblob(32) WHERE size = 5", {"note of size 5"}),
    "a note is unreadable": ("UPDATE note_2 SET lines = x'c1' WHERE size = 6", {"note of size 6"}),
    "a note beyond the head": ("UPDATE note_2 SET size = 41 WHERE size = 30", {"after size 40"}),
    "an entry beyond the head": ("INSERT INTO entry_2 VALUES (40, x'00', x'')", {"after size 40"}),
    "a table is gone": ("DROP TABLE note_2", {"the database"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_where_it_is(folder, damage):
    found_where_it_is(folder, *DAMAGE[damage])


@pytest.mark.parametrize("damage", ELSEWHERE)
def test_damage_to_another_log_is_found_where_it_is(small, damage):
    found_where_it_is(small, *ELSEWHERE[damage])


def found_where_it_is(folder, statement, where):
    edit(folder, statement)
    done = check(folder)
    found = {finding.where for finding in done.findings}
    assert found == where
    assert not done.passed
    with pytest.raises(StorageError, match="check"):
        SqliteStore.open(folder)


def test_a_flipped_bit_in_a_body_is_found(small):
    db = sqlite3.connect(small / FILE)
    (digest,) = db.execute("SELECT digest FROM body_2 WHERE brought = 9").fetchone()
    db.execute("UPDATE body_2 SET data = CAST('x' || data AS BLOB) WHERE digest = ?", (digest,))
    db.commit()
    db.close()
    (found,) = check(small).findings
    assert found.log == OTHER
    assert digest.hex() in found.where


def test_pages_nobody_can_read_are_found(folder):
    with (folder / FILE).open("r+b") as file:
        for page in range(50, 60):
            file.seek(page * 4_096)
            file.write(b"\xff" * 4_096)
    assert not check(folder).passed


class Interrupted(Exception):
    pass


def test_an_interrupted_check_goes_on_and_keeps_what_it_found(folder):
    edit(folder, "UPDATE entry_1 SET beside = x'c1' WHERE n = 70")

    def stop(progress):
        if progress.checked >= SIZE // 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        check(folder, progress=stop)
    seen = []
    done = check(folder, progress=seen.append)
    assert [found.where for found in done.findings] == ["entry 70"]
    assert seen[0].checked > SIZE // 2
    assert done.entries == SIZE + 40
    again = []
    check(folder, progress=again.append)
    assert again[0].checked == 256, "a finished check begins anew"


def test_what_was_checked_before_the_mark_does_not_count(folder):
    def stop(progress):
        if progress.checked >= SIZE // 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        check(folder, progress=stop)
    (folder / MARK).write_text("an I/O error\n")
    seen = []
    done = check(folder, progress=seen.append)
    assert seen[0].checked == 256
    assert done.released
    assert not (folder / MARK).exists()
    SqliteStore.open(folder).close()


def test_a_check_copies_nothing_into_the_database(folder):
    """What lies before the database may be what an I/O error left: only a start that may write touches it."""
    writer = sqlite3.connect(folder / FILE, isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("UPDATE store SET opened = 99")
    names = [folder / FILE, folder / (FILE + "-wal")]
    left = [name.read_bytes() for name in names]
    writer.close()
    for name, data in zip(names, left, strict=True):  # as a killed process leaves them
        name.write_bytes(data)
    assert check(folder).passed
    assert [name.read_bytes() for name in names] == left


def test_a_torn_note_of_progress_is_no_progress(folder):
    for torn in (b"", b"{", b"[]", b'{"mark": ""}', b'{"mark": "", "logs": [{}], "findings": []}'):
        (folder / "check").write_bytes(torn)
        assert load(folder, "") is None
    seen = []
    assert check(folder, progress=seen.append).passed
    assert seen[0].checked == 256


async def test_online_beside_a_relay_that_writes_and_erases(folder):
    store = SqliteStore.open(folder)
    writer = await store.acquire(LOG)
    running = asyncio.create_task(asyncio.to_thread(check, folder))
    number, grown = SIZE, 0
    while not running.done():
        made = body(b"%d" % number * 100, number)
        writer = await store.append(writer, batch(writer.head, [stored(number)], bodies=made))
        await store.keep_note(LOG, Note(number + 1, writer.head.root, (log_line(),)))
        assert await asyncio.wait_for(store.erase(LOG, list(made), "recall"), 5) == 1
        number, grown = number + 1, grown + 1
    done = await running
    assert (done.findings, done.online) == ((), True)
    assert grown > 5
    await store.aclose()


async def test_a_check_beside_a_relay_lifts_no_mark(folder):
    store = SqliteStore.open(folder)
    (folder / MARK).write_text("an I/O error\n")
    assert not (await asyncio.to_thread(check, folder)).released
    await store.aclose()
    with pytest.raises(StorageError, match="check"):
        SqliteStore.open(folder)
    assert check(folder).released
    SqliteStore.open(folder).close()


def test_the_pace_is_that_which_was_asked_for(folder):
    pauses = []
    check(folder, bytes_per_s=1_000_000, sleep=pauses.append)
    payload = sum(len(entry(i)) for i in range(SIZE))
    assert payload / 1e6 < sum(pauses) < 20 * payload / 1e6
    assert max(pauses) < 1


def test_where_there_is_no_store(tmp_path):
    with pytest.raises(LocalError, match="no store"):
        check(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(LocalError, match="nothing"):
        check(tmp_path)
    (tmp_path / FILE).write_bytes(b"x" * 4_096)
    with pytest.raises(Broken):
        check(tmp_path)
