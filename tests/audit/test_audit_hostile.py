"""A relay that writes what it likes into its own log, and signs it: findings, never a traceback, never silence."""

from __future__ import annotations

import copy

from audit_world import CT, DIRECTORY, World, small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.html import render
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.report import report
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.tree import MemoryTree

WORLD = small_world()


def rewritten(origin: str, change) -> World:
    """The same world after its relay rewrote one log; it signs the new tree, and so do witnesses it has bought."""
    world = copy.copy(WORLD)
    log = copy.copy(WORLD.logs[origin])
    log.entries = change(list(log.entries))
    log.tree = MemoryTree(map(leaf_hash, log.entries))
    log.openings = {i: o for i, o in log.openings.items() if i < len(log.entries)}
    log.statements = {i: s for i, s in log.statements.items() if i < len(log.entries)}
    world.logs = {**WORLD.logs, origin: log}
    return world


def audit(world: World) -> Replay:
    result = replay(MemoryFiles(whole_export(world.source())), Anchors(WORLD.id))
    for origin, classes in result.classes.items():
        assert sum(classes.counts().values()) == result.export.logs[origin].checkpoint.size
    assert render(report(result))
    return result


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_relay_cannot_change_a_byte_of_an_entry_and_sign_the_tree_again(data: st.DataObject) -> None:
    origin = data.draw(st.sampled_from([CT, DIRECTORY]))
    entries = WORLD.logs[origin].entries
    which = data.draw(st.integers(0, len(entries) - 1))
    at = data.draw(st.integers(0, len(entries[which]) - 1))
    to = data.draw(st.integers(1, 255))

    def change(found: list[bytes]) -> list[bytes]:
        raw = bytearray(found[which])
        raw[at] ^= to
        found[which] = bytes(raw)
        return found

    assert audit(rewritten(origin, change)).findings


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)), st.integers(1, 4))
def test_relay_cannot_reorder_drop_or_double_entries(order: list[int], keep: int) -> None:
    chosen = [*order[:keep], order[0]]
    if chosen[:-1] == [0, 1, 2, 3] or chosen == [0]:
        return
    found = audit(rewritten(CT, lambda entries: [entries[i] for i in chosen]))
    assert found.findings


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_relay_cannot_reorder_or_drop_directory_entries(order: list[int], keep: int) -> None:
    if order[:keep] == list(range(6)):
        return
    found = audit(rewritten(DIRECTORY, lambda entries: [entries[i] for i in order[:keep]]))
    assert found.findings


@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4), st.sampled_from([CT, DIRECTORY]))
def test_relay_cannot_hide_noise_in_its_tree(noise: list[bytes], origin: str) -> None:
    found = audit(rewritten(origin, lambda entries: [*entries, *noise]))
    assert len(found.findings) >= len(noise)


def test_empty_log_is_checked_and_not_green() -> None:
    found = audit(rewritten(CT, lambda entries: []))
    assert found.classes[CT].counts() == {}
    nothing = audit(rewritten(DIRECTORY, lambda entries: []))
    assert nothing.findings
