"""Replays of real logs: an honest one is clean, and nothing that is done to one, or in one, stays silent."""

from __future__ import annotations

import pytest
from audit_world import CT, DIRECTORY, HOUR, MINUTE, RELAY, World, key, label, small_world

from rsc_share.audit import layout
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.besides import pack_view, read_view
from rsc_share.audit.classes import CHECKED, FINDING, NO_DIRECTORY, ONLY_HASH
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.manifest import Manifest, line_of
from rsc_share.audit.outcome import first_line, scope
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.source import cut_to
from rsc_share.envelope.contents import AcknowledgementContent, ErasureContent, HeartbeatContent, RecallContent
from rsc_share.envelope.entry import Stamp, UnverifiedEntry
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import Note, VerifierKey
from rsc_share.policy.decision import Decision
from rsc_share.value import replace


def audit(world: World, files: dict[str, bytes] | None = None, **options) -> Replay:
    anchors = Anchors(world.id, {f"FIN, {origin}": world.note(origin) for origin in world.logs})
    return replay(MemoryFiles(files or whole_export(world.source())), options.pop("anchors", anchors), **options)


def codes(result: Replay) -> list[str]:
    return [finding.code for finding in result.findings]


def graver(result: Replay) -> list[str]:
    return [finding.code for finding in result.findings if finding.grade != Grade.OBSERVATION]


def remade(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files under a manifest that fits them: what a careful forger hands over."""
    old = Manifest.parse(files[layout.MANIFEST])
    lines = tuple(line_of(path, data) for path, data in sorted(files.items()) if path.startswith("export/"))
    return {**files, layout.MANIFEST: replace(old, files=lines, seal=None).encode()}


def check_sums(result: Replay) -> None:
    for origin, classes in result.classes.items():
        size = result.export.logs[origin].checkpoint.size
        assert sum(classes.counts().values()) == size


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


def test_honest_log_has_no_findings(world: World) -> None:
    result = audit(world)
    assert result.findings == ()
    assert result.anchored.firm
    assert result.classes[CT].counts() == {CHECKED: 4}
    assert result.classes[DIRECTORY].counts() == {CHECKED: 6}
    assert (result.decisions, result.distinct) == (8, 4)


def test_same_export_gives_the_same_findings(world: World) -> None:
    files = whole_export(world.source(bodies={}))
    first, second = audit(world, files), audit(world, files)
    assert first.findings == second.findings
    assert first.findings


# what is done to the files


def _audit_flipped(world: World, files: dict[str, bytes], path: str, at: int) -> list[str]:
    data = files[path]
    return _codes_or_refusal(world, remade({**files, path: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}))


def _codes_or_refusal(world: World, files: dict[str, bytes]) -> list[str]:
    try:
        result = audit(world, files)
    except RemoteError as error:
        return [error.code]
    check_sums(result)
    return codes(result)


def test_sampled_flips_under_a_new_manifest_are_found_by_cryptography(world: World) -> None:
    files = whole_export(world.source())
    for path in sorted(files):
        if path.startswith("export/"):
            size = len(files[path])
            for at in sorted({0, size // 3, size // 2, size - 1}):
                assert _audit_flipped(world, files, path, at), f"{path} byte {at}"


def test_removed_and_emptied_files_under_a_new_manifest_are_findings(world: World) -> None:
    files = whole_export(world.source())
    for path in sorted(files):
        if not path.startswith("export/"):
            continue
        for changed in ({name: data for name, data in files.items() if name != path}, {**files, path: b""}):
            assert _codes_or_refusal(world, remade(changed)), path


def test_added_and_doubled_files_under_a_new_manifest_are_findings(world: World) -> None:
    files = whole_export(world.source())
    for path in ("export/logs/ct/tile/0/001", "export/bodies/00/" + 62 * "0", "export/charter/0002/keys", "export/x"):
        assert audit(world, remade({**files, path: b"x" * 32})).findings, path
    doubled = {f"export/logs/ct.2/{path.rpartition('ct/')[2]}": d for path, d in files.items() if "logs/ct/" in path}
    assert "file" in codes(audit(world, remade({**files, **doubled})))


def test_relay_cannot_cut_the_tail_of_a_log_that_somebody_saw(world: World) -> None:
    short = replace(world.source().logs[1], entries=world.logs[CT].entries[:2], note=world.note(CT, 2), statements={})
    short = replace(short, openings={0: short.openings[0], 1: short.openings[1]})
    kept = [world.source().logs[0], short]
    result = audit(world, whole_export(world.source(logs=kept)))
    assert "truncated" in codes(result)


def test_relay_cannot_cut_the_tail_of_the_directory() -> None:
    world = small_world()
    world.certify_node("LVA/mod-2")
    world.heartbeat("LVA/mod-1", {})
    short = replace(world.source().logs[0], entries=world.logs[DIRECTORY].entries[:6], note=world.note(DIRECTORY, 6))
    result = audit(world, whole_export(world.source(logs=[short, world.source().logs[1]])))
    assert "truncated" in codes(result)
    assert result.classes[CT].counts() == {CHECKED: 4, NO_DIRECTORY: 1}


def test_old_checkpoint_among_fresh_ones_is_noticed(world: World) -> None:
    late = replace(world.source().logs[0], note=world.note(DIRECTORY, at=world.now + HOUR))
    found = audit(world, whole_export(world.source(logs=[late, world.source().logs[1]])))
    assert codes(found) == ["ends-early", "export-time"]


def test_relay_cannot_show_two_histories() -> None:
    world, other = small_world(), small_world()
    other.heartbeat("LVA/mod-1", {})
    world.heartbeat("LTU/mod-1", {})
    found = audit(world, anchors=Anchors(world.id, {"LVA": other.note(CT)}))
    assert "fork" in codes(found)


def test_framework_made_again_with_other_keys_is_not_this_one(world: World) -> None:
    impostor = World(seed="other ")
    result = audit(world, whole_export(impostor.source()), anchors=Anchors(world.id, {"FIN": world.note(CT)}))
    assert {"wrong-framework", "wrong-charter"} & set(codes(result))
    assert not result.anchored.firm
    assert first_line(result) == "FINDINGS"  # it was held against the outside, and does not agree
    assert "no charter digest" not in scope(result)
    assert CHECKED not in result.classes[CT].counts()
    check_sums(result)


def test_outside_key_that_differs_is_a_finding(world: World) -> None:
    mine = VerifierKey.parse(world.source().logs[1].vkeys[0])
    other = VerifierKey.of(CT, mine.type, key("nobody").public)
    assert codes(audit(world, anchors=Anchors(world.id, vkeys=(other,)))) == ["other-key"]
    firm = audit(world, anchors=Anchors(world.id, vkeys=(mine,)))
    assert firm.anchored.firm
    assert codes(firm) == ["end-unconfirmed", "end-unconfirmed"]  # keys say nothing about where a log ends


def test_without_anchors_the_export_is_checked_against_itself_only(world: World) -> None:
    empty = Anchors(world.id, {"FIN": world.note(CT, 0)})
    for anchors in (Anchors(), Anchors(world.id), Anchors(None, {"FIN": world.note(CT)}), empty):
        assert not audit(world, anchors=anchors).anchored.firm


def test_checkpoint_of_strangers_anchors_nothing(world: World) -> None:
    impostor = World(seed="other ")
    found = audit(world, anchors=Anchors(world.id, {"post": impostor.note(CT), "noise": b"x"}))
    assert codes(found) == ["outside-checkpoint", "outside-checkpoint"]
    assert not found.anchored.firm


def test_checkpoint_with_lines_of_strangers_or_without_a_quorum(world: World) -> None:
    directory, ct = world.source().logs
    note = Note.parse(ct.note)
    line = replace(note.signatures[-1], name="regional/NOR/mod-1")
    with_stranger = replace(ct, note=Note(note.text, (*note.signatures, line)).encode())
    assert codes(audit(world, whole_export(world.source(logs=[directory, with_stranger])))) == ["unknown-cosigner"]
    alone = replace(ct, note=world.note(CT, witnesses=("EST", "FIN")))
    assert codes(audit(world, whole_export(world.source(logs=[directory, alone])))) == ["unwitnessed"]


# what was done in the log


def test_label_denied_to_a_member_and_sent_all_the_same_is_a_breach() -> None:
    world = World()
    grant = world.grant("EST/mod-1")
    world.message("EST/mod-1", grant, kind="finance/movement/1", forced=True)
    (finding,) = audit(world).findings
    assert (finding.grade, finding.code, finding.row, finding.index) == (Grade.BREACH, "policy-denied", 10, 1)
    assert finding.rule == "no-ltu-plans"
    assert finding.basis == "MoU 12/2026 art. 4"
    assert finding.evidence["received"] == [["LTU/mod-1", "agreement", "no-ltu-plans"]]
    assert "EST/mod-1/ct/2" in finding.what


def test_revoked_node_cannot_go_on_with_the_help_of_the_relay() -> None:
    world = small_world()
    world.revoke("EST/mod-1")
    world.now += HOUR
    world.quiet("EST/mod-1", "heartbeat", (), forced=True, content=_nothing())
    old = Stamp(world.now, world.directory.size - 1)
    header, openings = world.header("FIN/mod-1", "heartbeat", world.others("FIN/mod-1"), content=_nothing())
    world.submit(header, openings, forced=True, stamp=old)
    found = audit(world)
    assert {"revoked", "directory-ahead"} <= set(codes(found))
    assert [f.grade for f in found.findings if f.code == "revoked"] == [Grade.BREACH]


def _nothing():
    return HeartbeatContent(())


def test_forged_signature_in_the_log_is_a_finding_and_reading_goes_on() -> None:
    world = small_world()
    header, openings = world.header("FIN/mod-1", "heartbeat", world.others("FIN/mod-1"), content=_nothing())
    world.submit(header, openings, forced=True, signer=key("nobody"))
    world.heartbeat("FIN/mod-1", {})
    found = audit(world)
    assert codes(found) == ["unknown-sender"]
    assert found.classes[CT].counts() == {CHECKED: 5, FINDING: 1}


def test_noise_in_the_tree_is_a_finding() -> None:
    world = small_world()
    log = world.logs[CT]
    log.entries.append(b"noise")
    log.tree.append(leaf_hash(b"noise"))
    assert codes(audit(world)) == ["malformed"]


def test_void_object_in_the_directory_is_a_finding() -> None:
    world = small_world()
    world.log_object(b"noise", forced=True)
    found = audit(world)
    assert codes(found) == ["malformed"]
    assert found.classes[DIRECTORY].counts() == {CHECKED: 6, FINDING: 1}


def test_entry_stamped_before_witnesses_saw_the_log_without_it_is_back_dated() -> None:
    world = small_world()
    seen = world.note(CT, at=world.now + HOUR)
    world.heartbeat("LVA/mod-1", {})
    world.now += 2 * HOUR
    found = audit(world, anchors=Anchors(world.id, {"FIN": seen}))
    assert graver(found) == ["back-dated"]


def test_entry_stamped_after_the_last_witness_saw_it_is_a_finding() -> None:
    world = small_world()
    early = replace(world.source().logs[1], note=world.note(CT, at=world.now - 30 * MINUTE))
    anchors = Anchors(world.id, vkeys=(VerifierKey.parse(early.vkeys[0]),))
    files = whole_export(world.source(logs=[world.source().logs[0], early]))
    found = audit(world, files, anchors=anchors)
    assert set(graver(found)) == {"future-stamp", "ends-early"}


def test_openings_and_statements_that_are_missing_or_false(world: World) -> None:
    directory, ct = world.source().logs
    swapped = {**ct.openings, 1: {**ct.openings[1], "FIN/mod-1": ct.openings[1]["LTU/mod-1"]}}
    for changed in (replace(ct, openings={}), replace(ct, openings=swapped)):
        found = audit(world, whole_export(world.source(logs=[directory, changed])))
        assert set(codes(found)) == {"opening-missing"}
    found = audit(world, whole_export(world.source(logs=[directory, replace(ct, statements={})])))
    assert codes(found) == ["statement-missing"]


def test_second_program_that_says_otherwise_is_a_finding(world: World) -> None:
    def other(*_: object) -> Decision:
        return Decision(permitted=False, code="audience")

    found = audit(world, second=other)
    assert set(codes(found)) == {"second-opinion"}
    assert found.findings[0].grade == Grade.INTEGRITY


# bodies


def test_body_that_is_missing_without_a_reason_is_a_finding(world: World) -> None:
    found = audit(world, whole_export(world.source(bodies={})))
    # sealed keys are of no use once their grant is dead, but this grant is alive
    assert set(codes(found)) == {"body-missing"}
    assert len(found.findings) == 3 + 2


def test_recalled_and_erased_bodies_may_be_gone() -> None:
    world = World()
    officer = world.officer("EST/duty-1")
    grant = world.grant("EST/mod-1")
    recalled = world.message("EST/mod-1", grant)
    erased = world.message("EST/mod-1", grant, payload=b"other")
    digests = [world.logs[CT].sources[i] for i in (recalled, erased)]
    assert digests
    gone = _part_digests(world, recalled, erased)
    world.quiet(
        "EST/mod-1",
        "recall",
        world.others("EST/mod-1"),
        refs=Refs(target=world.ref(recalled)),
        content=RecallContent(None),
    )
    erasure = ErasureContent((gone[1],), "court order 3/2026")
    world.quiet("EST/mod-1", "erasure", world.others("EST/mod-1"), officer=officer, content=erasure)
    left = {digest: body for digest, body in world.bodies.items() if digest not in gone}
    source = world.source(bodies=left, absent={gone[0]: "recalled", gone[1]: "erased"})
    found = audit(world, whole_export(source))
    assert found.findings == ()
    wrong = audit(world, whole_export(replace(source, absent={gone[0]: "expired", gone[1]: "erased"})))
    assert codes(wrong) == ["body-reason"]


def _part_digests(world: World, *indexes: int) -> list[bytes]:
    return [UnverifiedEntry.parse(world.logs[CT].entries[i]).header.parts[0].digest for i in indexes]


# views


def test_view_of_one_member_checks_its_own_and_counts_the_rest() -> None:
    world = small_world()
    mine = label(to=("FIN",), by="LVA")
    grant = world.grant("LVA/mod-1", ("FIN/mod-1",))
    world.message("LVA/mod-1", grant, ("FIN/mod-1",), said=mine)
    world.heartbeat("FIN/mod-1", {})
    for member, hidden in (("FIN", 0), ("EST", 2), ("LTU", 2)):
        files = whole_export(cut_to(world.source(), member))
        found = replay(MemoryFiles(files), Anchors(world.id, {"x": world.note(CT)}), member=member)
        assert graver(found) == [], member
        assert found.classes[CT].counts().get(ONLY_HASH, 0) == hidden
        check_sums(found)
        assert all(raw not in data for raw in world.logs[CT].entries[4:6] for data in files.values()) == (hidden > 0)


def test_view_without_an_entry_that_was_mine_shows_the_gap() -> None:
    world = small_world()
    cut = cut_to(world.source(), "FIN")
    files = whole_export(cut)
    path = layout.view_file("ct", 0)

    kept = {i: raw for i, raw in read_view(files[path], 0).items() if i != 1}
    found = replay(
        MemoryFiles(remade({**files, path: pack_view(kept.items())})), Anchors(world.id, {"x": world.note(CT)})
    )
    assert "kept-back" in codes(found)


def test_view_with_rows_beyond_the_log_is_a_finding() -> None:
    world = small_world()
    files = whole_export(cut_to(world.source(), "FIN"))
    path = layout.view_file("ct", 0)
    more = {**read_view(files[path], 0), 9: b"x"}
    found = replay(MemoryFiles(remade({**files, path: pack_view(more.items())})), Anchors(world.id))
    assert "file" in codes(found)


def test_full_export_is_not_one_members_view(world: World) -> None:
    with pytest.raises(LocalError, match="not EST"):
        audit(world, member="EST")


# several logs


def test_source_in_a_log_that_comes_later_is_judged_first() -> None:
    world = World(channels=("ct", "zz"))
    far = f"{RELAY}/regional/zz"
    grant, here = world.grant("EST/mod-1", origin=far), world.grant("EST/mod-1")
    world.message("EST/mod-1", grant, origin=far)
    forged = world.message("EST/mod-1", grant, origin=far, kind="finance/movement/1", forced=True)
    good = Refs(derived_from=(world.ref(1, far),))
    world.message("EST/mod-1", here, refs=good)
    void = Ref(far, forged, bytes(32))
    world.message("EST/mod-1", here, refs=Refs(derived_from=(void,)), forced=True)
    missing = Ref(f"{RELAY}/regional/nowhere", 0, bytes(32))
    world.message("EST/mod-1", here, refs=Refs(derived_from=(missing,)), forced=True)
    found = audit(world)
    assert codes(found) == ["policy-denied", "source-unknown", "source-unknown"]
    assert found.classes[CT].counts() == {CHECKED: 2, FINDING: 2}


def test_two_logs_cannot_lean_on_each_other_for_ever() -> None:
    world = World(channels=("ct", "zz"))
    far = f"{RELAY}/regional/zz"
    grants = world.grant("EST/mod-1"), world.grant("EST/mod-1", origin=far)
    for origin, other, grant in ((CT, far, grants[0]), (far, CT, grants[1])):
        ahead = Refs(derived_from=(Ref(other, 1, bytes(32)),))
        world.message("EST/mod-1", grant, origin=origin, refs=ahead, forced=True)
    assert codes(audit(world)) == ["source-unknown", "source-unknown"]


def test_channel_that_was_not_exported_is_named() -> None:
    world = World(channels=("ct", "zz"))
    kept = [log for log in world.source().logs if not log.origin.endswith("zz")]
    files = whole_export(world.source(logs=kept))
    anchors = Anchors(world.id, {log.origin: log.note for log in kept})
    assert codes(audit(world, files, anchors=anchors)) == ["not-exported"]
    assert codes(audit(world, files)) == ["truncated", "not-exported"]


def test_act_of_a_duty_key_that_nobody_confirmed_is_observed() -> None:
    world = small_world()
    world.revoke("LVA/mod-1", by_duty=True)
    world.now += 80 * HOUR
    world.heartbeat("EST/mod-1", {})
    found = audit(world)  # LVA cosigned: a line by a witness that was, which counts for nothing
    assert codes(found) == ["unconfirmed-act"]
    assert found.findings[0].who == "LVA"
    assert sorted(found.heads[CT].times) == ["EST", "FIN", "LTU"]


# closed logs


def test_closed_log_is_audited_up_to_where_the_charter_closed_it() -> None:
    world = small_world()
    world.close_channel(4, world.logs[CT].tree.root())
    found = audit(world)
    assert codes(found) == ["not-exported"]  # the channel that follows has no log yet
    assert found.classes[CT].counts() == {CHECKED: 4}


def test_relay_cannot_go_on_with_a_closed_log_or_close_it_elsewhere() -> None:
    world = small_world()
    world.close_channel(3, world.logs[CT].tree.root(3))
    assert "after-closing" in codes(audit(world))
    forked = small_world()
    forked.close_channel(4, bytes(32))
    assert "fork" in codes(audit(forked))
    cut = small_world()
    cut.close_channel(9, bytes(32))
    assert "truncated" in codes(audit(cut))


# many


def test_progress_is_told_and_every_entry_has_a_class() -> None:
    world = World()
    for _ in range(300):
        world.heartbeat("EST/mod-1", {})
    seen: list[tuple[str, int, int]] = []
    found = audit(world, progress=lambda *step: seen.append(step))
    assert found.findings == ()
    assert found.classes[CT].counts() == {CHECKED: 300}
    assert [step for step in seen if step[0] == CT] == [(CT, 0, 300), (CT, 256, 300), (CT, 300, 300)]


def test_under_release_is_an_observation() -> None:
    world = small_world()
    world.certify_node("LVA/mod-2")
    world.now += 25 * HOUR
    others = tuple(node for node in world.others("EST/mod-1") if node != "LVA/mod-2")
    grant = world.grant("EST/mod-1", others)
    world.message("EST/mod-1", grant, others)
    (finding,) = [f for f in audit(world).findings if f.code == "under-release"]
    assert (finding.grade, finding.evidence["node"]) == (Grade.OBSERVATION, "LVA/mod-2")


def test_machine_statement_needs_no_officer() -> None:
    world = small_world()
    target = Refs(target=world.ref(1))
    world.quiet(
        "FIN/mod-1", "acknowledgement", ("EST/mod-1",), refs=target, content=AcknowledgementContent("node-erased", None)
    )
    assert audit(world).findings == ()
