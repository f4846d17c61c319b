"""What every `LogStore` must pass. A store's test module subclasses `StoreConformance` and `StoreMachine`.

It defines the fixture `store` (an empty store), and `factory` of the machine as a function that makes one.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening
from rsc_share.log.merkle import EMPTY_ROOT, leaf_hash
from rsc_share.log.note import NoteSignature
from rsc_share.log.tree import MemoryTree
from rsc_share.relay.store.protocol import (
    EMPTY,
    Batch,
    Body,
    Broken,
    Conflict,
    Erased,
    Erasing,
    Fenced,
    Head,
    Note,
    Stored,
    Taken,
    Writer,
)
from rsc_share.rulebook.facts import GrantFact, HeadFact, IdFact, count_key, grant_key, head_key, id_key
from rsc_share.session.frames import Statement

LOG = "relay.example/regional/ct"
OTHER = "relay.example/regional/ops"
SENDER = "EST/mod-1"
SIZES = (0, 1, 255, 256, 257, 65_536)


def entry(number: int, size: int = 0) -> bytes:
    return f"entry {number}".encode().ljust(size, b".")


def stored(number: int) -> Stored:
    """An entry with everything that can lie beside it."""
    opening = Opening(number.to_bytes(16, "big"), number + 1)
    statement = Statement(bytes(16), hashlib.sha256(entry(number)).digest(), "opened")
    return Stored(entry(number), {"FIN/mod-1": opening}, (statement,))


def batch(head: Head, items: list[Stored], *, bodies=None, facts=None) -> Batch:
    stamp = Stamp(1_000 + head.size, 1)
    after = head.grown([item.entry for item in items], stamp)
    return Batch(tuple(items), bodies or {}, facts or {}, after)


def body(data: bytes, index: int) -> dict[bytes, Body]:
    return {hashlib.sha256(data).digest(): Body(index, data)}


def uuid7_at(time: int, number: int) -> bytes:
    return time.to_bytes(6, "big") + number.to_bytes(10, "big")


def cosignature(name: str, time: int) -> NoteSignature:
    return NoteSignature(name, hashlib.sha256(name.encode()).digest()[:4], time.to_bytes(8, "big") + bytes(64))


def log_line(fill: int = 1) -> NoteSignature:
    return NoteSignature(LOG, b"log!", bytes([fill]) * 64)


async def collected(found) -> list[Stored]:
    return [item async for item in found]


async def everything(store, log: str = LOG) -> list[Stored]:
    return await collected(store.read(log, 0, 1 << 40, max_bytes=1 << 40))


async def filled(store, count: int, log: str = LOG, *, each: int = 1_000) -> Writer:
    writer = await store.acquire(log)
    for start in range(0, count, each):
        items = [stored(i) for i in range(start, min(start + each, count))]
        writer = await store.append(writer, batch(writer.head, items))
    return writer


class StoreConformance:
    """The nine promises, one after the other."""

    @pytest.mark.parametrize("count", SIZES)
    async def test_what_is_appended_is_read_back(self, store, count):
        writer = await filled(store, count, each=20_000)
        tree = MemoryTree(leaf_hash(entry(i)) for i in range(count))
        assert (writer.head.size, writer.head.root, writer.head.edge) == (count, tree.root(), tree.edge())
        assert (await store.logs())[LOG] == writer.head
        assert [item.entry for item in await everything(store)] == [entry(i) for i in range(count)]
        for i in {0, count // 2, count - 1} & set(range(count)):
            assert await collected(store.read(LOG, i, i + 1, max_bytes=1)) == [stored(i)]

    async def test_reads_end_where_they_are_told(self, store):
        await filled(store, 10)
        assert [item.entry for item in await collected(store.read(LOG, 3, 6, max_bytes=1 << 20))] == [
            entry(3),
            entry(4),
            entry(5),
        ]
        assert len(await collected(store.read(LOG, 0, 10, max_bytes=len(entry(0)) + 1))) == 2
        assert len(await collected(store.read(LOG, 0, 10, max_bytes=0))) <= 1
        assert await collected(store.read(LOG, 10, 20, max_bytes=1 << 20)) == []
        assert await collected(store.read(LOG, 5, 5, max_bytes=1 << 20)) == []
        assert await collected(store.read(OTHER, 0, 20, max_bytes=1 << 20)) == []

    async def test_a_log_exists_once_it_is_acquired(self, store):
        assert await store.logs() == {}
        writer = await store.acquire(LOG)
        assert writer.head == EMPTY
        assert writer.head.root == EMPTY_ROOT
        assert await store.logs() == {LOG: EMPTY}

    async def test_stale_writer_is_fenced_and_writes_nothing(self, store):
        stale = await filled(store, 3)
        fresh = await store.acquire(LOG)
        assert fresh.head == stale.head
        with pytest.raises(Fenced):
            await store.append(stale, batch(stale.head, [stored(3)], bodies=body(b"secret", 3)))
        assert len(await everything(store)) == 3
        assert await store.bodies(LOG, [hashlib.sha256(b"secret").digest()]) == {}
        assert (await store.append(fresh, batch(fresh.head, [stored(3)]))).head.size == 4

    async def test_a_writer_is_used_once(self, store):
        before = await filled(store, 1)
        await store.append(before, batch(before.head, [stored(1)]))
        with pytest.raises(Conflict):
            await store.append(before, batch(before.head, [stored(2)]))
        assert [item.entry for item in await everything(store)] == [entry(0), entry(1)]

    async def test_two_writers_race_and_one_wins_each_index(self, store):
        writer = await store.acquire(LOG)
        for round_ in range(200):
            both = [store.append(writer, batch(writer.head, [Stored(entry(round_, 20 + n))])) for n in (0, 1)]
            done = await asyncio.gather(*both, return_exceptions=True)
            won = [item for item in done if isinstance(item, Writer)]
            assert len(won) == 1
            assert sum(isinstance(item, Conflict | Fenced) for item in done) == 1
            writer = won[0]
        assert len(await everything(store)) == 200

    async def test_acquire_fences_an_append_in_flight_or_shows_it(self, store):
        for round_ in range(50):
            writer = await store.acquire(LOG)
            one, two = await asyncio.gather(
                store.append(writer, batch(writer.head, [stored(round_)])), store.acquire(LOG), return_exceptions=True
            )
            read = await everything(store)
            now = await store.acquire(LOG)
            assert now.head.size == len(read)
            if isinstance(one, Fenced):
                assert two.head.size == len(read)

    @pytest.mark.parametrize("turns", range(4))
    async def test_cancelled_append_is_decided_by_acquire(self, store, turns):
        writer = await filled(store, 2)
        task = asyncio.create_task(store.append(writer, batch(writer.head, [stored(2)])))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again = await store.acquire(LOG)
        read = await everything(store)
        assert again.head.size == len(read)
        assert len(read) in (2, 3)
        assert (await store.append(again, batch(again.head, [stored(len(read))]))).head.size == len(read) + 1

    async def test_a_batch_that_leads_elsewhere_is_broken(self, store):
        writer = await store.acquire(LOG)
        good = batch(writer.head, [stored(0)])
        for after in (
            Head(good.after.size + 1, good.after.root, good.after.edge, good.after.last),
            Head(good.after.size, bytes(32), good.after.edge, good.after.last),
        ):
            with pytest.raises(Broken):
                await store.append(writer, Batch(good.entries, {}, {}, after))
        assert await everything(store) == []

    async def test_facts_are_written_with_their_entries(self, store):
        writer = await store.acquire(LOG)
        facts = {
            head_key(SENDER): HeadFact(1, bytes(32), 0),
            id_key(SENDER, bytes(16)): IdFact(0, bytes(32)),
            count_key(SENDER, "FIN/mod-1"): 7,
            grant_key(SENDER, bytes(16)): GrantFact(0, 99, ("FIN/mod-1",)),
        }
        writer = await store.append(writer, batch(writer.head, [stored(0)], facts=facts))
        assert dict(await store.lookup(LOG, {*facts, head_key("FIN/mod-1")})) == facts
        assert await store.lookup(OTHER, facts.keys()) == {}
        changed = {count_key(SENDER, "FIN/mod-1"): 8}
        await store.append(writer, batch(writer.head, [stored(1)], facts=changed))
        assert dict(await store.lookup(LOG, facts.keys())) == {**facts, **changed}

    async def test_ids_too_old_to_come_again_may_be_forgotten_and_no_others(self, store):
        writer = await store.acquire(LOG)
        old, new = ([uuid7_at(time, n) for n in range(600)] for time in (1_000, 2_000))
        for ids in (old, new):
            facts = {id_key(SENDER, id_): IdFact(writer.head.size, bytes(32)) for id_ in ids}
            writer = await store.append(writer, batch(writer.head, [stored(writer.head.size)], facts=facts))
        for since in (1_000, 2_000):
            made = batch(writer.head, [stored(writer.head.size)])
            writer = await store.append(writer, replace(made, ids_since=since))
            for ids in (old, new) if since == 1_000 else (new,):
                keys = {id_key(SENDER, id_) for id_ in ids}
                assert set(await store.lookup(LOG, keys)) == keys

    async def test_one_id_of_two_senders_is_two_facts(self, store):
        writer = await store.acquire(LOG)
        facts = {id_key(sender, bytes(16)): IdFact(0, bytes([n]) * 32) for n, sender in enumerate(("a/a", "b/b"))}
        await store.append(writer, batch(writer.head, [stored(0)], facts=facts))
        assert dict(await store.lookup(LOG, facts)) == facts
        assert list(await store.lookup(LOG, [id_key("b/b", bytes(16)), id_key("c/c", bytes(16))])) == [
            id_key("b/b", bytes(16))
        ]

    @pytest.mark.parametrize("count", [0, 1, 256, 700])
    async def test_tiles_are_those_of_the_tree(self, store, count):
        await filled(store, count, each=300)
        tree = MemoryTree(leaf_hash(entry(i)) for i in range(count))
        for level in range(3):
            for index in range(4):
                have = max(0, min(256, (count >> 8 * level) - 256 * index))
                assert await store.tile(LOG, level, index) == (tree.row(8 * level, 256 * index, have) if have else b"")
        assert await store.tile(OTHER, 0, 0) == b""
        for level, index in ((63, 0), (0, 1 << 62), (1, 1 << 48), (9, (1 << 63) - 1)):
            assert await store.tile(LOG, level, index) == b""

    async def test_acquire_says_for_which_size_a_note_was_kept(self, store):
        head = (await filled(store, 2)).head
        assert (await store.acquire(LOG)).noted == 0
        await store.keep_note(LOG, Note(2, head.root, (log_line(), cosignature("a", 5))))
        writer = await store.acquire(LOG)
        assert writer.noted == 2
        assert (await store.append(writer, batch(head, [stored(2)]))).head.size == 3
        assert (await store.acquire(LOG)).noted == 2

    async def test_erase_removes_bodies_and_nothing_else(self, store):
        writer = await store.acquire(LOG)
        kept, gone = b"kept", b"gone"
        digests = [hashlib.sha256(item).digest() for item in (kept, gone, b"never")]
        await store.append(writer, batch(writer.head, [stored(0)], bodies={**body(kept, 0), **body(gone, 0)}))
        assert await store.bodies(LOG, digests) == {digests[0]: Body(0, kept), digests[1]: Body(0, gone)}
        assert await store.erase(LOG, digests[1:], "recall") == 1
        assert await store.erase(LOG, digests[1:], "recall") == 0
        assert await store.bodies(LOG, digests) == {digests[0]: Body(0, kept), digests[1]: Erased(0, "recall")}
        assert await everything(store) == [stored(0)]

    async def test_a_batch_of_its_own_bodies_brings_none_that_is_here_or_was(self, store):
        writer = await store.acquire(LOG)
        known = {**body(b"here", 0), **body(b"gone", 0)}
        writer = await store.append(writer, replace(batch(writer.head, [stored(0)], bodies=known), own=True))
        await store.erase(LOG, [hashlib.sha256(b"gone").digest()], "recall")
        more = {**known, **body(b"new", 1)}
        with pytest.raises(Taken) as taken:
            await store.append(writer, replace(batch(writer.head, [stored(1)], bodies=more), own=True))
        assert taken.value.digests == known.keys()
        assert await store.bodies(LOG, [hashlib.sha256(b"new").digest()]) == {}
        only = body(b"new", 1)
        writer = await store.append(writer, replace(batch(writer.head, [stored(1)], bodies=only), own=True))
        assert writer.head.size == 2

    async def test_a_body_stays_the_first_ones_while_it_is_there(self, store):
        writer = await store.acquire(LOG)
        digest = hashlib.sha256(b"text").digest()
        writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=body(b"text", 0)))
        await store.append(writer, batch(writer.head, [stored(1)], bodies=body(b"text", 1)))
        assert await store.bodies(LOG, [digest]) == {digest: Body(0, b"text")}

    async def test_a_body_that_comes_again_is_there_again(self, store):
        writer = await store.acquire(LOG)
        digest = hashlib.sha256(b"text").digest()
        writer = await store.append(writer, batch(writer.head, [stored(0)], bodies=body(b"text", 0)))
        await store.erase(LOG, [digest], "recall")
        await store.append(writer, batch(writer.head, [stored(1)], bodies=body(b"text", 1)))
        assert await store.bodies(LOG, [digest]) == {digest: Body(1, b"text")}

    async def test_erasing_while_somebody_reads(self, store):
        writer = await store.acquire(LOG)
        digest = hashlib.sha256(b"text").digest()
        writer = await store.append(writer, batch(writer.head, [stored(0), stored(1)], bodies=body(b"text", 0)))
        reading = store.read(LOG, 0, 2, max_bytes=1 << 20)
        assert await anext(reading) == stored(0)
        assert await store.erase(LOG, [digest], "erasure") == 1
        await store.append(writer, batch(writer.head, [stored(2)]))
        assert [item async for item in reading] == [stored(1)]

    async def test_note_keeps_its_first_line_and_the_newest_cosignatures(self, store):
        head = (await filled(store, 2)).head
        await store.keep_note(LOG, Note(2, head.root, (log_line(),)))
        await store.keep_note(LOG, Note(2, head.root, (cosignature("a", 5), cosignature("b", 5))))
        found = await store.keep_note(LOG, Note(2, head.root, (log_line(2), cosignature("a", 4), cosignature("b", 6))))
        assert set(found.lines) == {log_line(), cosignature("a", 5), cosignature("b", 6)}
        assert await store.keep_note(LOG, Note(2, head.root)) == found

    async def test_a_note_takes_the_bodies_away_that_entries_under_it_order(self, store):
        """Of another log, too; and what does not fit together erases nothing."""
        writer, other = await store.acquire(LOG), await store.acquire(OTHER)
        bodies = {**body(b"here", 0), **body(b"there", 0)}
        here, there = bodies
        await store.append(other, batch(other.head, [stored(0)], bodies={there: bodies[there]}))
        head = (await store.append(writer, batch(writer.head, [stored(0)], bodies={here: bodies[here]}))).head
        orders = [Erasing(LOG, (here, bytes(32)), "erasure"), Erasing(OTHER, (there,), "recall")]
        with pytest.raises(Broken):
            await store.keep_note(LOG, Note(1, bytes(32), (log_line(),)), orders)
        assert await store.bodies(LOG, [here]) == {here: bodies[here]}
        note = Note(1, head.root, (log_line(),))
        for _ in range(2):
            assert await store.keep_note(LOG, note, orders) == note
            assert await store.bodies(LOG, [here, there]) == {here: Erased(0, "erasure")}
            assert await store.bodies(OTHER, [there]) == {there: Erased(0, "recall")}
        assert (await store.acquire(LOG)).noted == 1

    async def test_second_root_at_a_size_is_broken(self, store):
        head = (await filled(store, 2)).head
        for note in (Note(2, bytes(32)), Note(1, head.root), Note(3, head.root), Note(0, bytes(32))):
            with pytest.raises(Broken):
                await store.keep_note(LOG, note)
        assert await store.keep_note(LOG, Note(0, EMPTY_ROOT)) == Note(0, EMPTY_ROOT)
        with pytest.raises(Broken):
            await store.keep_note(OTHER, Note(2, head.root))

    async def test_wait_is_level_triggered(self, store):
        await filled(store, 2)
        assert await store.wait(LOG, 1, 60) == 2
        assert await store.wait(LOG, 2, 0.001) == 2

    async def test_no_wake_up_is_lost(self, store):
        writer = await store.acquire(LOG)
        for number in range(200):
            waiting = asyncio.create_task(store.wait(LOG, number, 60))
            if number % 2:
                await asyncio.sleep(0)
            writer = await store.append(writer, batch(writer.head, [stored(number)]))
            assert await asyncio.wait_for(waiting, 1) == number + 1

    async def test_waiting_for_a_log_that_does_not_exist_yet(self, store):
        waiting = asyncio.create_task(store.wait(LOG, 0, 60))
        await asyncio.sleep(0)
        await filled(store, 1)
        assert await asyncio.wait_for(waiting, 1) == 1


class StoreMachine(RuleBasedStateMachine):
    """A store against a list. `factory` is set by the module that runs the suite."""

    factory = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.factory()
        self.entries: list[Stored] = []
        self.facts: dict = {}
        self.bodies: dict = {}
        self.stale: list[Writer] = []
        self.writer = self.run(self.store.acquire(LOG))

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def teardown(self) -> None:
        self.loop.close()

    @rule(count=st.integers(1, 40))
    def append(self, count: int) -> None:
        start = len(self.entries)
        items = [stored(start + i) for i in range(count)]
        data = f"body {start}".encode()
        bodies, facts = body(data, start), {count_key(SENDER, "FIN/mod-1"): start + count}
        self.stale.append(self.writer)
        made = batch(self.writer.head, items, bodies=bodies, facts=facts)
        self.writer = self.run(self.store.append(self.writer, made))
        self.entries += items
        self.facts.update(facts)
        self.bodies.update(bodies)

    @rule()
    def acquire(self) -> None:
        self.stale.append(self.writer)
        self.writer = self.run(self.store.acquire(LOG))

    @precondition(lambda self: self.stale)
    @rule(pick=st.integers(0, 1 << 30))
    def append_as_stale_writer(self, pick: int) -> None:
        stale = self.stale[pick % len(self.stale)]
        with pytest.raises((Fenced, Conflict)):
            self.run(self.store.append(stale, batch(stale.head, [Stored(b"never")])))

    @precondition(lambda self: self.bodies)
    @rule(pick=st.integers(0, 1 << 30))
    def erase(self, pick: int) -> None:
        digest = sorted(self.bodies)[pick % len(self.bodies)]
        found = self.bodies[digest]
        assert self.run(self.store.erase(LOG, [digest], "erasure")) == isinstance(found, Body)
        self.bodies[digest] = found if isinstance(found, Erased) else Erased(found.index, "erasure")

    @rule(pick=st.integers(0, 1 << 30), time=st.integers(1, 9))
    def keep_note(self, pick: int, time: int) -> None:
        size = pick % (len(self.entries) + 1)
        root = MemoryTree(leaf_hash(item.entry) for item in self.entries[:size]).root()
        kept = self.run(self.store.keep_note(LOG, Note(size, root, (cosignature("a", time),))))
        mine = next(line for line in kept.lines if line.name == "a")
        assert int.from_bytes(mine.blob[:8], "big") >= time

    @precondition(lambda self: self.bodies)
    @rule(pick=st.integers(0, 1 << 30))
    def erase_with_the_note(self, pick: int) -> None:
        digest = sorted(self.bodies)[pick % len(self.bodies)]
        root = MemoryTree(leaf_hash(item.entry) for item in self.entries).root()
        note = Note(len(self.entries), root, (cosignature("b", 5),))
        self.run(self.store.keep_note(LOG, note, [Erasing(LOG, (digest,), "recall")]))
        found = self.bodies[digest]
        self.bodies[digest] = found if isinstance(found, Erased) else Erased(found.index, "recall")

    @invariant()
    def same_as_the_list(self) -> None:
        head = self.run(self.store.logs())[LOG]
        tree = MemoryTree(leaf_hash(item.entry) for item in self.entries)
        assert head == self.writer.head
        assert (head.size, head.root, head.edge) == (tree.size, tree.root(), tree.edge())
        assert self.run(everything(self.store)) == self.entries
        assert dict(self.run(self.store.lookup(LOG, [count_key(SENDER, "FIN/mod-1")]))) == self.facts
        assert dict(self.run(self.store.bodies(LOG, list(self.bodies)))) == self.bodies
