"""What is begun ahead, and what is judged in another log first: neither moves, loses nor stops anything."""

from __future__ import annotations

from audit_world import CT, MINUTE, RELAY, SECOND, World, small_world
from test_audit_replay import audit
from test_audit_unchecked import EST, FAR, FIN, LVA, Two, grave

from rsc_share.audit.classes import AFTER_DAMAGE, CHECKED, FINDING, IN_DAMAGE
from rsc_share.audit.export import whole_export
from rsc_share.envelope.header import header_hash
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.labels.label import Label
from rsc_share.policy.decision import Decision


def denied(*_: object) -> Decision:
    return Decision(permitted=False, code="audience")


def test_attack_entries_judged_again_one_by_one_keep_their_places() -> None:
    """Where two programs differ about one entry, the classes of the others stay where they are."""
    world = small_world()
    found = audit(world, second=denied)
    assert [found.classes[CT].of(index) for index in range(4)] == [CHECKED, FINDING, FINDING, CHECKED]


def test_nothing_behind_an_altered_entry_is_begun_where_nothing_stands_before_it() -> None:
    """Nor is it counted as verified."""
    world = small_world()
    files = whole_export(world.source())
    path = next(path for path in files if path.startswith("export/logs/ct/tile/entries/"))
    first = world.logs[CT].entries[0]
    found = audit(world, {**files, path: files[path].replace(first, b"\xc1" * len(first), 1)})
    assert found.signatures == 0
    assert found.classes[CT].counts() == {AFTER_DAMAGE: len(world.logs[CT].entries) - 1, FINDING: 1}


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


class Ring(Two):
    """FIN's entry of `ct` refers to one that `zz` will only have `after` ms later; the relay logs it all the same. What
    EST writes into `zz` meanwhile derives, rightly, from what LVA wrote into `ct` behind it."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.keys[LVA] = self.grant(LVA)
        grants = {sender: self.grant(sender, origin=FAR) for sender in (EST, FIN)}
        header, openings = self.written(FIN, grants[FIN])
        place = Ref(FAR, len(self.logs[FAR].entries) + 1, header_hash(header.pack()))
        self.lie = self.message(FIN, self.keys[FIN], refs=Refs(derived_from=(place,)), forced=True)
        source = self.message(LVA, self.keys[LVA])
        said = Label.of("REGIONAL", "RESTRICTED", originators=["EST", "LVA"], audience=["@members"])
        refs = Refs(derived_from=(self.ref(source),))
        self.honest = self.message(EST, grants[EST], origin=FAR, said=said, refs=refs)
        self.now += after
        assert self.submit(header, openings) == place.index

    def written(self, sender: str, grant: bytes):
        """A message of `zz` that is not handed in yet."""
        held = []
        self.submit = lambda header, openings, **_: held.append((header, openings)) or -1  # type: ignore[method-assign]
        self.message(sender, grant, origin=FAR)
        del self.submit
        return held[0]


def test_attack_a_reference_to_what_comes_later_has_an_honest_sender_accused() -> None:
    ring = Ring(after=20 * MINUTE)
    found = ring.audit(ring.exported(CT, FAR))
    assert grave(found) == [("source-unknown", ring.lie)]
    assert found.classes[FAR].of(ring.honest) == CHECKED


def test_attack_entries_of_two_logs_that_wait_for_each_other_have_nobody_accused() -> None:
    """Within what clocks may differ nobody can say which of the two refers to what was not there."""
    ring = Ring(after=SECOND)
    found = ring.audit(ring.exported(CT, FAR))
    assert grave(found) == []
    assert found.classes[FAR].of(ring.honest) == IN_DAMAGE
