"""The relay's times against its witnesses': of the directory too, and of logs that the charter has closed."""

from __future__ import annotations

import pytest
from audit_world import CT, DAY, DIRECTORY, HOUR, RELAY, Log, World, small_world

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.classes import CHECKED, FINDING
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.outcome import Exit, exit_code
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.source import ExportSource
from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_ed25519, cosign_mldsa44
from rsc_share.log.note import Note
from rsc_share.value import replace


def audit(world: World, held: dict[str, bytes], source: ExportSource | None = None) -> Replay:
    return replay(MemoryFiles(whole_export(source or world.source())), Anchors(world.id, held))


def told(found: Replay) -> list[tuple[str, str, int | None]]:
    return [(f.code, f.log, f.index) for f in found.findings if f.grade is not Grade.OBSERVATION]


def test_relay_cannot_date_a_revocation_back_behind_what_witnesses_saw_of_the_directory() -> None:
    world = small_world()
    seen = world.note(DIRECTORY, at=world.now + 10 * HOUR)
    world.revoke("EST/mod-1")  # stamped ten hours before a quorum saw a directory without it
    world.now += 11 * HOUR
    found = audit(world, {"FIN": seen})
    assert told(found) == [("back-dated", DIRECTORY, 6)]
    assert found.classes[DIRECTORY].counts() == {CHECKED: 6, FINDING: 1}
    assert exit_code(found) is Exit.FINDINGS


def test_relay_cannot_date_a_revocation_ahead_of_who_cosigned_it() -> None:
    world = small_world()
    now, world.now = world.now, world.now + 20 * HOUR
    world.revoke("EST/mod-1")
    world.now = now
    assert told(audit(world, {"FIN": world.note(CT)})) == [("future-stamp", DIRECTORY, 6)]


def test_directory_in_time_is_no_finding() -> None:
    world = small_world()
    world.revoke("EST/mod-1")
    seen = world.note(DIRECTORY)
    world.now += HOUR
    world.certify_node("FIN/mod-2")
    assert told(audit(world, {"FIN": seen})) == []


def test_attack_times_of_a_long_directory_take_no_view_of_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each view holds everybody: thirty thousand certificates would take the square of that."""
    world = small_world()
    seen = world.note(DIRECTORY)
    for number in range(20):
        world.now += 1_000
        world.officer(f"EST/officer-{number}")
    asked: list[int] = []
    true = Directory.at

    def at(self: Directory, size: int) -> DirectoryView:
        asked.append(size)
        return true(self, size)

    monkeypatch.setattr(Directory, "at", at)
    assert told(audit(world, {"FIN": seen})) == []
    assert len(set(asked)) < 10


def closed_long_ago(size: int) -> tuple[World, ExportSource]:
    """`ct` as it was last cosigned, three days before everything else; the charter closed it at `size`."""
    world = small_world()
    last = world.note(CT)
    world.close_channel(size, world.logs[CT].tree.root(size))
    follower = f"{RELAY}/regional/ct-2"
    world.logs[follower] = Log(follower)
    world.now += 3 * DAY
    source = world.source()
    return world, replace(source, logs=[replace(log, note=last) if log.origin == CT else log for log in source.logs])


def test_log_that_was_closed_is_not_accused_of_ending_early() -> None:
    """Members cosign what is closed no more: without this no framework that ever closed a log could be green again."""
    world, source = closed_long_ago(4)
    found = audit(world, {"FIN": world.note(DIRECTORY)}, source)
    assert told(found) == []
    assert not [f for f in found.findings if f.code == "end-unconfirmed" and f.log == CT]
    assert exit_code(found) is Exit.CLEAN


def test_log_that_goes_on_behind_its_closing_is_still_old() -> None:
    world, source = closed_long_ago(3)
    codes = {code for code, _, _ in told(audit(world, {"FIN": world.note(DIRECTORY)}, source))}
    assert codes == {"after-closing", "ends-early"}


def wrong_clocks(world: World, liars: tuple[str, ...], by: int, signers: tuple[str, ...] | None = None) -> bytes:
    """The checkpoint of `ct`, cosigned by everybody, or `signers`; by `liars` with a time that is wrong by so much."""
    tree = world.logs[CT].tree
    checkpoint = Checkpoint(CT, tree.size, tree.root())
    one, two = world.log_keys()
    lines = [sign_checkpoint(checkpoint, one), cosign_mldsa44(checkpoint, CT, two, world.now // 1000)]
    for code in signers or world.states:
        seconds = (world.now + (by if code in liars else 0)) // 1000
        ed25519, mldsa44 = world.witness(f"{code}/mod-1")
        name = f"regional/{code}/mod-1"
        lines.append(cosign_ed25519(checkpoint, name, ed25519, seconds))
        lines.append(cosign_mldsa44(checkpoint, name, mldsa44, seconds))
    return Note(checkpoint.text(), tuple(lines)).encode()


@pytest.mark.parametrize("liars", [("LTU",), ("LTU", "LVA")])
def test_witnesses_below_the_quorum_cannot_make_a_missing_body_expired(liars: tuple[str, ...]) -> None:
    """A member and whoever exports: the body of a message that lives for 300 days is gone on the first."""
    world = World()
    index = world.message("EST/mod-1", world.grant("EST/mod-1"), expires_at=world.now + 300 * DAY)
    part = UnverifiedEntry.parse(world.logs[CT].entries[index]).header.parts[0]
    del world.bodies[part.digest]
    source = world.source(exported_at=world.now + 400 * DAY)
    note = wrong_clocks(world, liars, 400 * DAY)
    found = audit(world, {"FIN": world.note(CT)}, with_note(source, note))
    assert {code for code, _, _ in told(found)} == {"body-missing"}


def with_note(source: ExportSource, note: bytes) -> ExportSource:
    return replace(source, logs=[replace(log, note=note) if log.origin == CT else log for log in source.logs])


def test_witness_whose_clock_is_ahead_cannot_hide_what_a_relay_dated_ahead() -> None:
    world = World()
    now, world.now = world.now, world.now + 20 * HOUR
    index = world.message("EST/mod-1", world.grant("EST/mod-1"))
    world.now = now
    note = wrong_clocks(world, ("LTU",), 400 * DAY)
    found = audit(world, {"FIN": world.note(DIRECTORY)}, with_note(world.source(), note))
    assert ("future-stamp", CT, index) in told(found)


def test_slow_witness_cannot_have_an_honest_relay_accused() -> None:
    """Where exactly as many have signed as must, each of them is needed, and one may not be believed alone."""
    world = World()
    world.now += 30 * HOUR
    world.message("EST/mod-1", world.grant("EST/mod-1"))
    signers = tuple(world.states)[: world.directory.at(world.directory.size).charter.witness_quorum]
    note = wrong_clocks(world, signers[:1], -20 * HOUR, signers)
    found = audit(world, {"FIN": world.note(DIRECTORY)}, with_note(world.source(), note))
    assert not {code for code, _, _ in told(found)} & {"future-stamp", "unwitnessed"}
