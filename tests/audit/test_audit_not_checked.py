"""The list of what was not checked leaves nothing out that this export did not let anybody check."""

from __future__ import annotations

from audit_world import CT, DIRECTORY, World, small_world

from rsc_share.audit import html, layout, terminal
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.replay import replay
from rsc_share.audit.report import report
from rsc_share.audit.source import cut_to
from rsc_share.audit.unchecked import NEVER
from rsc_share.envelope.contents import RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.envelope.parts import Refs
from rsc_share.value import replace

SIZE = 100_000


def unchecked(world: World, files: dict[str, bytes], anchors: Anchors | None = None) -> list[str]:
    """Without what no audit checks; and every form of the report has the whole list."""
    held = Anchors(world.id, {"FIN": world.note(CT), "LVA": world.note(DIRECTORY)})
    made = report(replay(MemoryFiles(files), held if anchors is None else anchors))
    found: list[str] = made["content"]["not_checked"]
    text, page = terminal.render(made), html.render(made)
    assert all(line in text[text.index("WHAT WAS NOT CHECKED") :] for line in found)
    assert found[-1] in page[page.index("9. What was not checked") :]
    assert tuple(found[-len(NEVER) :]) == NEVER
    return found[: -len(NEVER)]


def test_whole_export_with_every_end_confirmed_has_nothing_to_add() -> None:
    world = small_world()
    assert unchecked(world, whole_export(world.source())) == []


def test_attachments_that_lie_apart_are_on_the_list() -> None:
    world = small_world()
    grant = next(name[2] for name in world.logs[CT].facts if name[0] == "grant")
    said = world.message("EST/mod-1", grant)
    part = replace(_header(world, said).parts[0], size=SIZE, digest=bytes(32))
    header, openings = world.header("EST/mod-1", "message", world.others("EST/mod-1"), type="terrorism/incident/1")
    header = replace(header, label=_header(world, said).label, grant=grant, parts=(part,))
    world.bodies[bytes(32)] = bytes(SIZE)
    world.submit(header, openings)
    del world.bodies[bytes(32)]
    found = unchecked(world, whole_export(world.source(absent={bytes(32): "apart"})))
    assert found == [f"1 attachment of {SIZE} bytes, apart from the export."]


def _header(world: World, index: int) -> Header:
    return UnverifiedEntry.parse(world.logs[CT].entries[index]).header


def test_bodies_that_are_gone_in_order_are_on_the_list() -> None:
    world = small_world()
    target = Refs(target=world.ref(1))
    world.quiet("EST/mod-1", "recall", world.others("EST/mod-1"), refs=target, content=RecallContent(None))
    del world.bodies[_header(world, 1).parts[0].digest]
    found = unchecked(world, whole_export(world.source()))
    assert found == [f"In {CT}: 1 body that is gone in order (expired, recalled or erased), against the digest."]


def test_log_whose_checkpoint_cannot_be_used_is_on_the_list() -> None:
    world = small_world()
    files = {**whole_export(world.source()), layout.log_file("ct", "checkpoint"): b"no note"}
    assert "The log in export/logs/ct: its checkpoint cannot be used. Its entries stand in no sum." in unchecked(
        world, files, Anchors(world.id, {"LVA": world.note(DIRECTORY)})
    )


def test_ends_that_nothing_from_outside_reaches_are_on_the_list() -> None:
    world = small_world()
    found = unchecked(world, whole_export(world.source()), Anchors(world.id, {"FIN": world.note(CT)}))
    assert len(found) == 1
    assert found[0].startswith("That the log of directory ended at 6 entries is the export's word only")


def test_channel_that_is_not_here_is_on_the_list_by_name() -> None:
    world = World(channels=("ct", "mar"))
    source = world.source()
    found = unchecked(world, whole_export(replace(source, logs=source.logs[:2])))
    assert "The log of mar is not in this export." in found


def test_what_was_not_brought_from_outside_is_on_the_list() -> None:
    world = small_world()
    files = whole_export(world.source())
    assert unchecked(world, files, Anchors()) == ["Whose framework this is: no charter digest came from outside."]
    (only,) = unchecked(world, files, Anchors(world.id))
    assert only.startswith("Whether these are the logs that the members know")


def test_view_of_one_member_says_what_it_is_not() -> None:
    world = small_world()
    found = unchecked(world, whole_export(cut_to(world.source(), "FIN")))
    assert any(line.startswith("In this view of FIN: numbers, statements and sealed keys for others") for line in found)
