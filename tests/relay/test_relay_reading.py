"""What leaves for a reader, against the same made of values one by one: every byte, whatever the log holds."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_world import CT, DIRECTORY, EST, FIN, HUB, LVA, NODES, Pen, World

from rsc_share import codec
from rsc_share.crypto.bodies import MAX_INLINE_PAYLOAD
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import header_hash
from rsc_share.envelope.parts import Ref
from rsc_share.log.merkle import leaf_hash
from rsc_share.relay.fanout import bodies_for, statements_for
from rsc_share.relay.live import CHUNK
from rsc_share.relay.store.protocol import Body
from rsc_share.session.calls import CALLS, read_answer
from rsc_share.session.frames import MAX_ITEMS, Bare, Full, Logged, News, Tail

READERS = (*NODES, HUB)


async def reference(world, node: str, start: int, limit: int) -> Tail:
    """Entry by entry: a value of each, its bodies asked for by themselves, as many as fit."""
    log, items = world.relay.logs[CT], []
    async for stored in log.store.read(CT, start, min(log.size, start + limit), max_bytes=1 << 30):
        if sum(item.weight for item in items) < CHUNK:
            items.append(await item_of(log.store, stored, node))
    quorum = log.witnessing.quorum
    stop, end = start + len(items), quorum.size if quorum and start < quorum.size else log.size
    proof = tuple(await log.tree.consistency(stop, end)) if stop < end else ()
    return Tail(CT, start, tuple(items), log.note(end), proof)


async def item_of(store, stored, node: str) -> Bare | Full:
    header = UnverifiedEntry.parse(stored.entry).header
    if node == header.sender:
        return Full(stored.entry, None, (), ())
    if node not in header.nodes:
        return Bare(leaf_hash(stored.entry))
    bodies = []
    for digest in bodies_for(header, node):
        found = (await store.bodies(CT, [digest])).get(digest)
        bodies += [found.data] if isinstance(found, Body) else []
    return Full(stored.entry, stored.openings[node], statements_for(header, stored.statements, node), tuple(bodies))


async def told(world, node: str, start: int, limit: int = MAX_ITEMS) -> bytes:
    session = world.relay.session(node)
    return CALLS["read"].answer(await session.read(CT, start, limit))


class Traffic:
    """Entries of every kind, by what a test draws."""

    def __init__(self, world) -> None:
        self.world = world
        self.pens: dict[str, Pen] = {node: world.pen(node) for node in NODES}
        self.granted: dict[str, tuple[str, ...]] = {}
        self.sent: list[tuple[str, tuple[str, ...], int, bytes]] = []

    async def log(self, node: str, entry) -> int:
        (outcome,) = await self.world.submit(node, entry)
        assert isinstance(outcome, Logged), outcome
        return outcome.index

    async def message(self, node: str, to: frozenset[str], text: bytes) -> None:
        others = tuple(sorted(to - {node}))
        if not others:
            return
        if self.granted.get(node) != others:
            await self.log(node, self.pens[node].grant(*others))
            self.granted[node] = others
        entry = self.pens[node].message(*others, text=text)
        self.sent.append((node, others, await self.log(node, entry), header_hash(entry.header)))

    async def heartbeat(self, node: str, _to, _text) -> None:
        received = {sender: digest for sender, to, _, digest in self.sent if node in to}
        await self.log(node, self.pens[node].heartbeat(*((s, digest, "opened") for s, digest in received.items())))

    async def recall(self, node: str, _to, _text) -> None:
        mine = [item for item in self.sent if item[0] == node]
        if mine:
            self.sent.remove(mine[0])
            _, to, index, digest = mine[0]
            await self.log(node, self.pens[node].refer("recall", to, Ref(CT, index, digest), RecallContent(None)))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(("message", "message", "message", "heartbeat", "recall")),
        st.sampled_from(NODES),
        st.frozensets(st.sampled_from(NODES), min_size=1),
        st.binary(min_size=1, max_size=300),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS, st.integers(0, 11), st.integers(1, 12))
async def test_a_tail_is_byte_for_byte_what_its_values_pack_to(acts, start, limit):
    world = await World().ready()
    traffic = Traffic(world)
    for act, node, to, text in acts:
        await getattr(traffic, act)(node, to, text)
    size = world.relay.logs[CT].size
    for node in READERS if start < size else ():
        expected = codec.pack((await reference(world, node, start, limit)).wire())
        assert await told(world, node, start, limit) == expected
    await world.relay.aclose()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
async def test_news_are_byte_for_byte_what_their_values_pack_to(acts):
    world = await World().ready()
    traffic = Traffic(world)
    for act, node, to, text in acts:
        await getattr(traffic, act)(node, to, text)
    for node in READERS:
        session = world.relay.session(node)
        await session.offers({})
        raw = CALLS["changed"].answer(await session.changed({CT: 0, DIRECTORY: 1}))
        news: News = read_answer("changed", raw)
        assert codec.pack(news.wire()) == raw
        if world.relay.logs[CT].size:
            assert next(tail for tail in news.tails if tail.log == CT) == await reference(world, node, 0, 256)
    await world.relay.aclose()


async def test_a_tail_ends_where_the_values_would_fill_it(world):
    traffic = Traffic(world)
    for _ in range(CHUNK // MAX_INLINE_PAYLOAD + 3):
        await traffic.message(EST, frozenset({FIN}), bytes(MAX_INLINE_PAYLOAD))
    size = world.relay.logs[CT].size
    for node in (EST, FIN, LVA):
        expected = await reference(world, node, 0, MAX_ITEMS)
        assert (len(expected.items) < size) == (node == FIN)
        assert await told(world, node, 0) == codec.pack(expected.wire())


async def test_the_bodies_of_a_tail_are_asked_for_at_once(world, monkeypatch):
    traffic, asked = Traffic(world), []
    for n in range(5):
        await traffic.message(EST, frozenset({FIN}), b"%d" % n)
    bodies = world.store.bodies

    async def counted(log, digests):
        asked.append(len(digests))
        return await bodies(log, digests)

    monkeypatch.setattr(world.store, "bodies", counted)
    for node, counts in ((FIN, [6]), (EST, []), (LVA, [])):
        asked.clear()
        await told(world, node, 0)
        assert asked == counts, node


async def test_a_recalled_body_is_left_out_and_its_neighbours_are_not(world):
    traffic = Traffic(world)
    for text in (b"one", b"two", b"three"):
        await traffic.message(EST, frozenset({FIN}), text)
    before = read_answer("read", await told(world, FIN, 1)).items
    traffic.sent.insert(0, traffic.sent.pop(1))
    await traffic.recall(EST, None, None)
    after = read_answer("read", await told(world, FIN, 1)).items
    assert [len(item.bodies) for item in after] == [1, 0, 1, 0]
    assert (after[0], after[2]) == (before[0], before[2])


async def test_a_reader_cannot_see_through_news_made_for_another_at_the_same_time(world):
    """Ten sessions share the lines of a log: what was put together for one must not reach the next."""
    traffic = Traffic(world)
    for n in range(4):
        await traffic.message(EST, frozenset({FIN} if n % 2 else {FIN, LVA}), b"%d" % n)
    sessions = {node: world.relay.session(node) for node in READERS}
    answers = await asyncio.gather(*(session.changed({CT: 0}) for session in sessions.values()))
    openings = [opening for item in await _stored(world) for opening in item.openings.items()]
    for node, answer in zip(sessions, answers, strict=True):
        raw = CALLS["changed"].answer(answer)
        for name, opening in openings:
            assert (opening.salt in raw) == (name == node)


async def _stored(world):
    return [item async for item in world.store.read(CT, 0, 100, max_bytes=1 << 30)]


@pytest.mark.parametrize("start", [0, 1])
async def test_the_directory_is_told_as_its_values_pack_to(world, start):
    session = world.relay.session(FIN)
    raw = CALLS["read"].answer(await session.read(DIRECTORY, start, MAX_ITEMS))
    stored = [item async for item in world.store.read(DIRECTORY, start, 100, max_bytes=1 << 30)]
    items = tuple(Full(item.entry, None, (), ()) for item in stored)
    assert raw == codec.pack(Tail(DIRECTORY, start, items, world.relay.logs[DIRECTORY].note()).wire())
    assert hashlib.sha256(raw).digest() == hashlib.sha256(codec.pack(read_answer("read", raw).wire())).digest()
