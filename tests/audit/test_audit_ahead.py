"""What is begun ahead, and what is judged in another log first: neither moves, loses nor stops anything."""

from __future__ import annotations

from audit_world import CT, RELAY, World, small_world
from test_audit_replay import audit

from rsc_share.audit.classes import CHECKED, FINDING
from rsc_share.envelope.parts import Refs
from rsc_share.policy.decision import Decision


def denied(*_: object) -> Decision:
    return Decision(permitted=False, code="audience")


def test_attack_entries_judged_again_one_by_one_keep_their_places() -> None:
    """Where two programs differ about one entry, the classes of the others stay where they are."""
    world = small_world()
    found = audit(world, second=denied)
    assert [found.classes[CT].of(index) for index in range(4)] == [CHECKED, FINDING, FINDING, CHECKED]


class Many(World):
    """Channels `c000`, `c001` and on: a message of each derives from the message of the next."""

    def __init__(self, logs: int) -> None:
        names = tuple(f"c{number:03}" for number in range(logs))
        super().__init__(states=("EST", "FIN"), channels=names)
        refs = Refs()
        for name in reversed(names):
            origin = f"{RELAY}/regional/{name}"
            index = self.message("EST/mod-1", self.grant("EST/mod-1", origin=origin), origin=origin, refs=refs)
            refs = Refs(derived_from=(self.ref(index, origin),))

    def others(self, sender: str) -> tuple[str, ...]:
        return tuple(f"{code}/mod-1" for code in self.states if not sender.startswith(code))


def test_attack_a_chain_of_references_through_every_log_is_followed_to_its_end() -> None:
    found = audit(Many(120))
    assert found.findings == ()
    assert all(counts.counts().keys() == {CHECKED} for counts in found.classes.values())


def test_attack_what_two_programs_say_is_told_of_the_entry_it_is_about() -> None:
    """Also where the judging of that entry waits for another log."""
    found = audit(Many(2), second=denied)
    told = {(finding.log.rpartition("/")[2], finding.index) for finding in found.findings}
    assert told == {("c000", 1), ("c001", 1)}
    assert len(found.findings) == len({(f.log, f.index, f.what) for f in found.findings})
