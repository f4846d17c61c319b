"""The fold is driven by random objects and compared with a slow refold of the first `size` of them."""

from __future__ import annotations

import pytest
from charter_world import DAY, HOUR, STATES, World, duty, key, signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rsc_share.charter.directory import Directory
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.rowtext import Restriction, restrict
from rsc_share.errors import Refused, RemoteError

NODES = tuple(f"{code}/mod-{n}" for code in STATES[:3] for n in (1, 2))
ROWS = b'[[agreement]]\nid = "x"\neffect = "deny"\nfrom = ["EST"]\nto = ["FIN"]\n'

steps = st.lists(
    st.tuples(
        st.sampled_from(["certify", "countersign", "revoke", "duty", "prekey", "restrict", "suspend", "void"]),
        st.sampled_from(NODES),
        st.integers(0, 30 * HOUR),
    ),
    max_size=12,
)


def answers(view, now: int) -> tuple[object, ...]:
    def sender(node: str) -> object:
        try:
            return view.sender(node, now)
        except Refused as refused:
            return refused.code

    return (
        view.active_nodes("ct", now),
        tuple(sender(node) for node in NODES),
        tuple(view.prekey(node, now) for node in NODES),
        tuple(row.id for row in view.bundle(now).rows),
        {code: [held.name for held in keys] for code, keys in view.witnesses(now).items()},
        len(view.unconfirmed(now)),
    )


def attempt(world: World, count: int, action: str, node: str) -> tuple[bytes, dict[bytes, bytes]]:
    member = node.partition("/")[0]
    if action in ("certify", "countersign"):
        fresh = world.node(node, signing=key(f"{node} {count}").public)
        others = (signing(f"{member}/mod-1"),) if action == "countersign" else ()
        return world.certify(fresh, *others), {}
    if action in ("revoke", "duty"):
        return world.revoke(node, by=duty(member) if action == "duty" else None), {}
    if action == "prekey":
        return world.prekey(node, str(count)), {}
    if action == "restrict":
        found = Restriction("r", "EST", ROWS, world.now)
        return restrict(found, world.id, duty("EST")), {}
    # EST only: a charter whose own quorum cannot be reached is refused before anybody could sign it.
    members = world.with_member("EST", suspended=not world.charter.members["EST"].suspended)
    return world.amendment(*STATES, members=members)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_view_at_any_size_equals_a_refold_of_the_first_objects(plan: list[tuple[str, str, int]]) -> None:
    world = World()
    for count, (action, node, wait) in enumerate(plan):
        world.now += wait
        if action == "void":
            world.directory.void(world.now, "test")
            world.objects.append((b"", world.now, {}))
            continue
        data, bodies = attempt(world, count, action, node)
        before = world.directory.size
        try:
            world.log(data, bodies)
        except RemoteError:
            assert world.directory.size == before
            continue
        if action == "suspend":
            world.charter = world.proposed
    for size in range(1, world.directory.size + 1):
        naive = Directory.begin(world.id)
        for data, logged_at, bodies in world.objects[:size]:
            if data:
                naive.apply(data, logged_at, bodies)
            else:
                naive.void(logged_at, "test")
        for now in (world.objects[size - 1][1], world.now, world.now + DAY, world.now + 8 * DAY):
            assert answers(world.directory.at(size), now) == answers(naive.at(size), now)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_object_is_refused_and_changes_nothing(data: st.DataObject) -> None:
    found = data.draw(st.sampled_from(OBJECTS))
    at = data.draw(st.integers(0, len(found) - 1))
    damaged = found[:at] + bytes([found[at] ^ data.draw(st.integers(1, 255))]) + found[at + 1 :]
    with pytest.raises(RemoteError):
        WORLD.directory.apply(damaged, WORLD.now)
    assert WORLD.directory.size == 1


@given(st.binary(max_size=400))
def test_noise_parses_or_raises_remote_error(noise: bytes) -> None:
    try:
        found = UnverifiedObject.parse(noise)
    except RemoteError:
        return
    assert found.pack() == noise


WORLD = World()
OBJECTS = (
    WORLD.certify(WORLD.node("EST/mod-2"), signing("EST/mod-1")),
    WORLD.certify(WORLD.officer("EST/duty-1")),
    WORLD.revoke("EST/mod-1"),
    WORLD.prekey("EST/mod-1"),
    restrict(Restriction("r", "EST", ROWS, WORLD.now), WORLD.id, duty("EST")),
)
