"""What every `Store` must pass. A store's test module subclasses `StoreConformance` with the fixture `bench`."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rsc_share.node.store.protocol import NODE, Room, Shelf, Store

LOG, OTHER = "relay.example/regional/ct", "relay.example/regional/ops"


class StoreBench(Protocol):
    """Makes one store, and makes it again as a crash would leave it."""

    store: Store

    def crash(self) -> Store: ...


class StoreConformance:
    async def test_staged_rows_are_seen_at_once(self, bench: StoreBench) -> None:
        shelf = Shelf(bench.store, LOG)
        shelf.put(Room.FACT, ["head", "EST/mod-1"], 1)
        assert shelf.get(Room.FACT, ["head", "EST/mod-1"]) == 1
        assert shelf.rows(Room.FACT) == [(["head", "EST/mod-1"], 1)]
        shelf.delete(Room.FACT, ["head", "EST/mod-1"])
        assert shelf.get(Room.FACT, ["head", "EST/mod-1"]) is None
        assert shelf.rows(Room.FACT) == []

    async def test_one_row_of_many_is_found_and_one_that_is_gone_is_not(self, bench: StoreBench) -> None:
        shelf = Shelf(bench.store, LOG)
        for n in range(100):
            shelf.put(Room.EVENT, n, n)
        await bench.store.rotate(10_000_000)
        shelf.delete(Room.EVENT, 7)
        shelf.put(Room.EVENT, 8, "another")
        for again in (shelf, Shelf(bench.store, LOG)):
            assert [again.get(Room.EVENT, n) for n in (6, 7, 8, 100)] == [6, None, "another", None]
        await bench.store.commit()
        after = Shelf(bench.crash(), LOG)
        assert [after.get(Room.EVENT, n) for n in (6, 7, 8, 100)] == [6, None, "another", None]
        assert [after.get(Room.EVENT, [6]), after.get(Room.SENT, 6)] == [None, None]

    async def test_only_what_was_committed_survives(self, bench: StoreBench) -> None:
        shelf = Shelf(bench.store, LOG)
        shelf.put(Room.ITEM, b"a", 1)
        shelf.put(Room.ITEM, b"b", 1)
        await bench.store.commit()
        shelf.put(Room.ITEM, b"a", 2)
        shelf.delete(Room.ITEM, b"b")
        shelf.put(Room.ITEM, b"c", 3)
        assert Shelf(bench.crash(), LOG).rows(Room.ITEM) == [(b"a", 1), (b"b", 1)]

    async def test_changes_and_deletions_survive(self, bench: StoreBench) -> None:
        shelf = Shelf(bench.store, LOG)
        for n in range(300):
            shelf.put(Room.EVENT, n, n)
        await bench.store.commit()
        for n in range(0, 300, 2):
            shelf.delete(Room.EVENT, n)
        for n in range(1, 300, 4):
            shelf.put(Room.EVENT, n, -n)
        await bench.store.commit()
        expected = [(n, -n if n % 4 == 1 else n) for n in range(1, 300, 2)]
        assert sorted(Shelf(bench.crash(), LOG).rows(Room.EVENT)) == expected

    async def test_rooms_and_logs_are_apart(self, bench: StoreBench) -> None:
        places = [(room, log) for room in (Room.ITEM, Room.FACT) for log in (LOG, OTHER, NODE)]
        for n, (room, log) in enumerate(places):
            Shelf(bench.store, log).put(room, "key", n)
        await bench.store.commit()
        again = bench.crash()
        for n, (room, log) in enumerate(places):
            assert Shelf(again, log).rows(room) == [("key", n)]
            assert Shelf(again, log).get(room, "key") == n

    async def test_rows_come_by_rising_key_bytes(self, bench: StoreBench) -> None:
        for n in (3, 1, 2):
            bench.store.put(Room.FACT, LOG, bytes([n]), b"v")
        await bench.store.commit()
        bench.store.put(Room.FACT, LOG, bytes([0]), b"v")
        assert [key for key, _ in bench.store.rows(Room.FACT, LOG)] == [bytes([n]) for n in range(4)]

    async def test_commits_at_once_are_all_kept(self, bench: StoreBench) -> None:
        async def one(n: int) -> None:
            Shelf(bench.store, LOG).put(Room.ITEM, n, n)
            await bench.store.commit()

        await asyncio.gather(*(one(n) for n in range(200)))
        assert len(Shelf(bench.crash(), LOG).rows(Room.ITEM)) == 200

    async def test_cancelling_a_wait_for_a_commit_breaks_nothing(self, bench: StoreBench) -> None:
        Shelf(bench.store, LOG).put(Room.ITEM, 1, 1)
        task = asyncio.create_task(bench.store.commit())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        Shelf(bench.store, LOG).put(Room.ITEM, 2, 2)
        await bench.store.commit()
        assert Shelf(bench.crash(), LOG).rows(Room.ITEM) == [(1, 1), (2, 2)]

    async def test_a_store_is_fresh_once(self, bench: StoreBench) -> None:
        assert bench.store.fresh
        Shelf(bench.store).put(Room.META, "instance", 1)
        await bench.store.commit()
        assert not bench.crash().fresh

    async def test_large_values(self, bench: StoreBench) -> None:
        Shelf(bench.store, LOG).put(Room.PAYLOAD, b"k", [bytes(1 << 20)])
        await bench.store.commit()
        assert Shelf(bench.crash(), LOG).get(Room.PAYLOAD, b"k") == [bytes(1 << 20)]

    async def test_what_is_alive_survives_rotation(self, bench: StoreBench) -> None:
        shelf = Shelf(bench.store, LOG)
        for n in range(1200):
            shelf.put(Room.EVENT, n, n)
            shelf.put(Room.FACT, n, n)
        await bench.store.commit()
        shelf.delete(Room.EVENT, 7)
        await bench.store.rotate(10_000_000)
        shelf.put(Room.EVENT, 2000, 2000)
        await bench.store.rotate(20_000_000)
        assert shelf.get(Room.EVENT, 8) == 8
        again = Shelf(bench.crash(), LOG)
        assert sorted(key for key, _ in again.rows(Room.EVENT)) == [*range(7), *range(8, 1200), 2000]
        assert len(again.rows(Room.FACT)) == 1200
