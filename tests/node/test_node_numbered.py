"""Byte strings by number, against a dictionary, over commits and starts."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rsc_share.node.store.memory import MemoryStore
from rsc_share.node.store.numbered import TOGETHER, Numbered
from rsc_share.node.store.protocol import Room, Shelf

steps = st.lists(
    st.tuples(st.sampled_from(["put", "pop", "get", "commit", "start"]), st.integers(0, 4 * TOGETHER)), max_size=60
)


@given(steps)
def test_as_a_dictionary(steps: list[tuple[str, int]]) -> None:
    shelf, known = Shelf(MemoryStore()), dict[int, bytes]()
    numbered = Numbered(shelf, Room.PROMISE)
    for what, number in steps:
        if what == "put":
            numbered.put(number, b"%d" % number)
            known[number] = b"%d" % number
        elif what == "pop":
            assert numbered.pop(number) == known.pop(number, None)
        elif what == "get":
            assert numbered.get(number) == known.get(number)
        else:
            asyncio.run(shelf.store.commit())
            numbered = Numbered(shelf, Room.PROMISE) if what == "start" else numbered
        assert list(numbered) == sorted(known)
        assert bool(numbered) is bool(known)


def test_a_commit_writes_what_changed_and_not_all_there_is() -> None:
    shelf = Shelf(MemoryStore())
    numbered = Numbered(shelf, Room.PROMISE)
    for number in range(100 * TOGETHER):
        numbered.put(number, bytes(32))
    asyncio.run(shelf.store.commit())
    written: list[tuple[object, int]] = []
    put = shelf.store.put
    shelf.store.put = lambda room, log, key, value: (written.append((key, len(value))), put(room, log, key, value))[1]  # type: ignore[method-assign]
    numbered.put(7, bytes(32))
    numbered.pop(50 * TOGETHER)
    asyncio.run(shelf.store.commit())
    assert len(written) == 2
    assert max(size for _, size in written) < TOGETHER * 48
