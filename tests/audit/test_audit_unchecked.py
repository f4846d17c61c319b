"""Entries that refer to what is not in an export: neither right nor wrong, and said by name."""

from __future__ import annotations

import pytest
from audit_world import CT, DIRECTORY, MINUTE, RELAY, World, label

from rsc_share.audit import layout, terminal
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import BEHIND_END, CHECKED, ELSEWHERE, FINDING, IN_DAMAGE, UNREADABLE
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.html import render
from rsc_share.audit.outcome import Exit, exit_code, first_line
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.report import report
from rsc_share.audit.source import cut_to
from rsc_share.envelope.approval import release_digest
from rsc_share.envelope.contents import AcknowledgementContent, RecallContent, ReleaseContent
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.errors import Refused
from rsc_share.rulebook.admit import admit, judge
from rsc_share.rulebook.unseen import IN_DOUBT, NOT_SHOWN, Unseen
from rsc_share.value import replace

FAR = f"{RELAY}/regional/zz"
EST, FIN, LVA = "EST/mod-1", "FIN/mod-1", "LVA/mod-1"


class Two(World):
    """Two channels; an entry of `ct` derives from one of `zz`."""

    def __init__(self) -> None:
        super().__init__(channels=("ct", "zz"))
        self.far = self.message(EST, self.grant(EST, origin=FAR), origin=FAR)
        self.keys = {sender: self.grant(sender) for sender in (EST, FIN)}

    def derived(self, *refs: Ref, sender: str = EST, **changes) -> int:
        return self.message(sender, self.keys[sender], refs=Refs(derived_from=refs), **changes)

    def exported(self, *origins: str, ends: dict[str, int] | None = None, at: int | None = None) -> dict[str, bytes]:
        """With these channels only; `ends`: to cut a log; `at`: when that end was witnessed."""
        logs = []
        for log in self.source().logs:
            size = (ends or {}).get(log.origin, len(log.entries))
            if log.origin not in (DIRECTORY, *origins):
                continue
            beside = {i: openings for i, openings in log.openings.items() if i < size}
            note = self.note(log.origin, size, at=at if size < len(log.entries) else None)
            logs.append(replace(log, entries=log.entries[:size], openings=beside, note=note))
        return whole_export(self.source(logs=logs, bodies=self.named(logs)))

    def named(self, logs) -> dict[bytes, bytes]:
        raw = b"".join(entry for log in logs for entry in log.entries)
        return {digest: body for digest, body in self.bodies.items() if digest in raw}

    def audit(self, files: dict[str, bytes]) -> Replay:
        return replay(MemoryFiles(files), Anchors(self.id, {"x": self.note(CT)}))


def grave(result: Replay) -> list[tuple[str, int | None]]:
    return [(f.code, f.index) for f in result.findings if f.grade is not Grade.OBSERVATION]


def of_ct(result: Replay) -> dict[str, int]:
    counts = result.classes[CT].counts()
    assert sum(counts.values()) == result.export.logs[CT].checkpoint.size
    return counts


@pytest.fixture
def two() -> Two:
    return Two()


def test_source_in_a_log_that_was_not_exported_accuses_nobody(two: Two) -> None:
    index = two.derived(two.ref(two.far, FAR))
    whole = two.audit(two.exported(CT, FAR))
    assert (grave(whole), of_ct(whole)) == ([], {CHECKED: 3})
    found = two.audit(two.exported(CT))
    assert (grave(found), of_ct(found)) == ([], {CHECKED: 2, ELSEWHERE: 1})
    (told,) = [f for f in found.findings if f.code == "not-checkable"]
    assert (told.index, told.who, told.evidence) == (index, EST, {"row": 12, "refers_to": [[FAR, two.far]]})
    assert (exit_code(found), first_line(found)) == (Exit.CLEAN, "NO FINDINGS ABOVE AN OBSERVATION")


def test_every_form_of_the_report_names_it_under_what_was_not_checked(two: Two) -> None:
    two.derived(two.ref(two.far, FAR))
    two.derived(two.ref(two.far, FAR))
    files = two.exported(CT)
    made = report(two.audit(files))
    line = f"In {CT}: 2 entries (2 to 3), because {ELSEWHERE}."
    assert made["content"]["not_checked"][0] == line
    assert made["content"]["reconciliation"]["not_checkable"] == 2
    text = terminal.render(made)
    assert line in text[text.index("WHAT WAS NOT CHECKED") :]
    html = render(made)
    assert line in html[html.index("9. What was not checked") :]
    assert report(two.audit(files))["findings_digest"] == made["findings_digest"]


def test_source_in_a_log_of_no_charter_is_still_unknown(two: Two) -> None:
    index = two.derived(Ref(f"{RELAY}/regional/nowhere", 0, bytes(32)), forced=True)
    other = two.derived(Ref(DIRECTORY, 0, bytes(32)), forced=True)
    assert grave(two.audit(two.exported(CT, FAR))) == [("source-unknown", index), ("source-unknown", other)]


def test_nobody_hides_a_breach_behind_a_source_that_is_not_here(two: Two) -> None:
    """FIN gives LTU what EST gave to FIN alone, and names a source of another channel beside it."""
    closed = two.message(EST, two.grant(EST, (FIN,)), (FIN,), said=label(to=("FIN",)))
    index = two.derived(two.ref(closed), two.ref(two.far, FAR), sender=FIN, forced=True)
    assert grave(two.audit(two.exported(CT))) == [("third-party", index)]


def test_what_is_void_by_another_row_is_void(two: Two) -> None:
    ref = two.ref(two.far, FAR)
    index = two.derived(ref, said=label(to=("FIN",)), forced=True)
    found = two.audit(two.exported(CT))
    assert grave(found) == [("policy-denied", index)]
    assert of_ct(found) == {CHECKED: 2, FINDING: 1}


def test_source_behind_the_end_of_its_log(two: Two) -> None:
    """The other log ends at its witnessed checkpoint, a moment before what is referred to."""
    two.derived(two.ref(two.far, FAR))
    cut = {FAR: two.far}
    found = two.audit(two.exported(CT, FAR, ends=cut))
    assert (grave(found), of_ct(found)) == ([], {CHECKED: 2, BEHIND_END: 1})


def test_source_that_can_only_have_come_later_is_unknown(two: Two) -> None:
    """Whoever cosigned the end saw no later entry, so what was logged long before cannot refer to one."""
    index = two.derived(Ref(FAR, 7, bytes(32)), forced=True)
    cut = {FAR: two.far}
    late = two.exported(CT, FAR, ends=cut, at=two.now + 10 * MINUTE)
    assert ("source-unknown", index) in grave(two.audit(late))
    two.message(EST, two.grant(EST, origin=FAR), origin=FAR)  # or the log itself has gone on since
    assert grave(two.audit(two.exported(CT, FAR))) == [("source-unknown", index)]


def test_source_in_a_log_that_is_damaged(two: Two) -> None:
    two.message(EST, two.grant(EST, origin=FAR), origin=FAR)
    index = two.derived(two.ref(two.far, FAR))
    files = two.exported(CT, FAR)
    path = next(path for path in files if path.startswith("export/logs/zz/tile/entries"))
    del files[path]
    found = two.audit(files)
    assert of_ct(found) == {CHECKED: 2, IN_DAMAGE: 1}
    assert index not in [i for _, i in grave(found)]
    assert UNREADABLE in found.classes[FAR].counts()


def test_what_leans_on_it_is_in_doubt_and_judged_as_far_as_possible(two: Two) -> None:
    officer = two.officer("EST/duty-1")
    first = two.derived(two.ref(two.far, FAR))
    second = two.derived(two.ref(first))
    target = Refs(target=two.ref(first))
    two.quiet(FIN, "acknowledgement", (EST,), refs=target, content=AcknowledgementContent("node-erased", None))
    stranger = two.quiet(LVA, "recall", two.others(LVA), refs=target, content=RecallContent(None), forced=True)
    source = two.logs[CT].sources[first]
    content = ReleaseContent(release_digest(source.label, source.nodes, source.commits), ("LVA",), None)
    two.quiet(EST, "release", (LVA,), refs=target, content=content, officer=officer)
    two.quiet(EST, "recall", two.others(EST), refs=target, content=RecallContent(None))
    found = two.audit(two.exported(CT))
    assert grave(found) == [("policy-denied", stranger)], "who may recall it does not depend on what is missing"
    assert of_ct(found) == {CHECKED: 2, ELSEWHERE: 1, IN_DOUBT: 4, FINDING: 1}
    assert (second, "not-checkable") in [(f.index, f.code) for f in found.findings]


def test_recall_of_what_is_in_doubt_lets_its_body_go(two: Two) -> None:
    """Its sender has taken it back; whether it should have been sent is another question."""
    first = two.derived(two.ref(two.far, FAR))
    two.quiet(EST, "recall", two.others(EST), refs=Refs(target=two.ref(first)), content=RecallContent(None))
    files = two.exported(CT)
    body = max(two.bodies, key=list(two.bodies).index)
    files = {path: data for path, data in files.items() if path != layout.body_file(body)}
    assert [code for code, _ in grave(two.audit(files))] == ["file"], "and nothing but the manifest misses it"


def test_release_that_is_not_here(two: Two) -> None:
    """FIN may pass on what EST released to LTU and LVA; the release stands in a channel that was not exported."""
    closed = two.message(EST, two.grant(EST, (FIN,)), (FIN,), said=label(to=("FIN",)))
    refs = Refs(derived_from=(two.ref(closed),), releases=(Ref(FAR, 0, bytes(32)),))
    index = two.message(FIN, two.keys[FIN], refs=refs, forced=True)
    assert grave(two.audit(two.exported(CT, FAR))) == [("third-party", index)], "there is no such release"
    found = two.audit(two.exported(CT))
    assert (grave(found), of_ct(found)[ELSEWHERE]) == ([], 1)


def test_one_member_does_not_see_what_the_others_source_was() -> None:
    world = World()
    secret = world.message(EST, world.grant(EST, (LVA,)), (LVA,), said=label(to=("LVA",)))
    index = world.message(EST, world.grant(EST), refs=Refs(derived_from=(world.ref(secret),)))
    cut = whole_export(cut_to(world.source(), "FIN"))
    found = replay(MemoryFiles(cut), Anchors(world.id, {"x": world.note(CT)}))
    assert grave(found) == []
    assert found.classes[CT].of(index) == NOT_SHOWN.reason
    assert of_ct(found)[NOT_SHOWN.reason] == 1


def test_relay_refuses_what_it_cannot_look_up(two: Two) -> None:
    """Whoever logs an entry holds every log it hosts. A doubt there is a no."""
    header, openings = two.header(EST, "acknowledgement", (FIN,), refs=Refs(target=Ref(CT, 0, bytes(32))))
    header = replace(header, content=AcknowledgementContent("node-erased", None))
    seen = []
    submit = two.case

    def case(log, signed, stamp, openings):
        made = submit(log, signed, stamp, openings)
        seen.append(replace(made, view=replace(made.view, known=lambda ref: Unseen(ELSEWHERE))))
        return made

    two.case = case
    with pytest.raises(Refused):
        two.submit(header, openings)
    assert [item.reason for item in judge(seen[0]).unchecked] == [ELSEWHERE]
    with pytest.raises(Refused, match="not in this export") as refused:
        admit(seen[0])
    assert refused.value.code == "source-unknown"
