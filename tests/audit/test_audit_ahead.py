"""What is begun ahead moves nothing."""

from __future__ import annotations

from audit_world import CT, small_world
from test_audit_replay import audit

from rsc_share.audit.classes import CHECKED, FINDING
from rsc_share.policy.decision import Decision


def denied(*_: object) -> Decision:
    return Decision(permitted=False, code="audience")


def test_attack_entries_judged_again_one_by_one_keep_their_places() -> None:
    """Where two programs differ about one entry, the classes of the others stay where they are."""
    world = small_world()
    found = audit(world, second=denied)
    assert [found.classes[CT].of(index) for index in range(4)] == [CHECKED, FINDING, FINDING, CHECKED]
