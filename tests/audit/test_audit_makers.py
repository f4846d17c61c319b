"""Who made an entry is told also of those that later versions of the charter no longer know."""

from __future__ import annotations

from audit_world import CT, RELAY, World, small_world
from test_audit_blame import grant_of

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.disclose import disclose
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.trace import render, trace
from rsc_share.charter.compose import channel, compose, next_charter
from rsc_share.charter.text import parse_charter
from rsc_share.log.note import KeyType, VerifierKey


def leave(world: World, code: str) -> None:
    """A member is in the next version no more."""
    world.now += 1_000
    rest = {name: member for name, member in world.charter.members.items() if name != code}
    ct = channel("ct", RELAY, [name for name in world.states if name != code], ceiling={"REGIONAL": "SECRET"},
                 families=["terrorism", "finance"])  # fmt: skip
    values = next_charter(world.charter, members=rest, channels={"ct": ct}, erasure=())
    world.charter, data = world._signed(parse_charter(compose(values)), world.id)
    world.log_object(data)
    world.states = tuple(name for name in world.states if name != code)  # who cosigns


def audit(world: World) -> Replay:
    return replay(MemoryFiles(whole_export(world.source())), Anchors(world.id, {"FIN": world.note(CT)}))


def test_words_of_a_member_that_has_left_are_still_its_own() -> None:
    world = small_world()
    leave(world, "EST")
    found = audit(world)
    assert not [f for f in found.findings if f.grade != Grade.OBSERVATION]
    traced = trace(found, "EST/mod-1/ct/2")
    assert traced.made_by_sender
    assert "NO KEY OF ITS SENDER" not in render(traced.values())
    (said,) = disclose(found, b"second", bytes(32))
    assert "the words of EST/mod-1" in said.sentence()


def test_node_that_signs_after_its_member_has_left_is_named() -> None:
    world = small_world()
    grant = grant_of(world, "EST/mod-1")
    leave(world, "EST")
    index = world.message("EST/mod-1", grant, to=("FIN/mod-1",), forced=True)
    (told,) = [f for f in audit(world).findings if (f.log, f.index) == (CT, index) and f.row]
    assert (told.code, told.who) == ("unknown-sender", "EST/mod-1")
    assert "Nothing here shows" not in told.what


def test_older_list_of_keys_that_a_later_charter_names_no_more_is_taken_for_what_it_is() -> None:
    world = small_world()
    one = world.witness("EST/mod-1")[0].public
    older = VerifierKey.of("regional/EST/mod-1", KeyType.COSIGNATURE, one)
    assert codes(world, older) == []
    leave(world, "EST")
    assert codes(world, older) == []
    stranger = VerifierKey.of("regional/EST/mod-1", KeyType.COSIGNATURE, world.signing("FIN/mod-1").public)
    assert codes(world, stranger) == ["other-key"]


def codes(world: World, key: VerifierKey) -> list[str]:
    found = replay(MemoryFiles(whole_export(world.source())), Anchors(world.id, vkeys=(key,)))
    assert found.anchored.firm is (not [f for f in found.findings if f.code == "other-key"])
    return [f.code for f in found.findings if f.grade != Grade.OBSERVATION]
