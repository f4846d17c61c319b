"""A forger and an export of a framework that really ran: a finding or a refusal, never silence, never a traceback.

The forger makes the manifest again to fit; with the log's keys he is the relay itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from forger_world import Files, Ran, ask, both, noticed, ran, remade

from rsc_share.audit import layout
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.load import load
from rsc_share.audit.outcome import Exit, exit_code
from rsc_share.audit.source import LogSource
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.note import Note, VerifierKey
from rsc_share.log.tree import MemoryTree
from rsc_share.names import channel_of
from rsc_share.value import replace


def named(path: str) -> str:
    """Bodies lie under digests that differ in every run: as a test's name each is just a body."""
    return re.sub("[0-9a-f]{2}/[0-9a-f]{62}", "body", path)


HONEST = ran()
FILES = HONEST.files
PATHS = sorted(FILES, key=named)
EXPORTED = [path for path in PATHS if path.startswith(layout.EXPORT)]

TWO = ran(channels=("main", "second"), members=("EST", "FIN", "LVA"))


def codes(files: Files, anchors: Anchors) -> list[str]:
    found = ask(files, anchors)
    return [found] if isinstance(found, str) else [finding.code for finding in found.findings]


def flipped(path: str, at: int) -> Files:
    data = bytearray(FILES[path])
    data[at] ^= 1
    return {**FILES, path: bytes(data)}


def caught_by_the_files(files: Files) -> bool:
    """Found before anything else is looked at: by the manifest."""
    try:
        return bool(load(MemoryFiles(files)).findings)
    except RemoteError:
        return True


def test_honest_export_is_clean() -> None:
    found = ask(FILES, HONEST.anchors)
    assert not isinstance(found, str)
    assert found.findings == ()
    assert exit_code(found) is Exit.CLEAN


# bytes and files


@pytest.mark.parametrize("path", PATHS, ids=named)
def test_flipped_bytes(path: str) -> None:
    size = len(FILES[path])
    for at in sorted({0, size // 3, size - 1}):
        for files in both(flipped(path, at)) if path in EXPORTED else [flipped(path, at)]:
            assert noticed(files, HONEST.anchors, page=True), at


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=named)
def test_every_byte_flipped_under_the_manifest_and_under_a_new_one(path: str) -> None:
    # What follows the comparison with the manifest reads the same bytes either way, so it is run once.
    for at in range(len(FILES[path])):
        files = flipped(path, at)
        assert path == layout.MANIFEST or caught_by_the_files(files), at  # its own signature is verified later
        assert noticed(remade(files) if path in EXPORTED else files, HONEST.anchors), at


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPORTED, ids=named)
def test_every_length_of_every_file(path: str) -> None:
    for size in range(0, len(FILES[path]), 1 if len(FILES[path]) < 2000 else 61):
        assert noticed(remade({**FILES, path: FILES[path][:size]}), HONEST.anchors), size


@pytest.mark.parametrize("path", PATHS, ids=named)
def test_file_removed_shortened_emptied_or_longer(path: str) -> None:
    removed = {name: data for name, data in FILES.items() if name != path}
    changed = [removed, *({**FILES, path: data} for data in (b"", FILES[path][:-1], FILES[path] + b"\n", b"\0" * 64))]
    for altered in changed:
        for files in both(altered) if path in EXPORTED else [altered]:
            assert noticed(files, HONEST.anchors)


@pytest.mark.parametrize("first", EXPORTED, ids=named)
def test_files_swapped_or_copied_over_each_other(first: str) -> None:
    for second in EXPORTED:
        if FILES[first] == FILES[second]:
            continue
        copied = {**FILES, first: FILES[second]}
        assert noticed(remade(copied), HONEST.anchors), second
        if first < second:
            swapped = {**copied, second: FILES[first]}
            assert caught_by_the_files(swapped), second
            assert noticed(remade(swapped), HONEST.anchors), second


ADDED = [
    "export/notes.txt",
    "export/\u202egnp.exe",
    "export/Charter/0001/keys",
    "export/charter/0001/keys.bak",
    "export/charter/0001/extra",
    "export/charter/00001/keys",
    "export/charter/0002/keys",
    "export/logs/MAIN/checkpoint",
    "export/logs/main/Checkpoint",
    "export/logs/main/tile/0/001",
    "export/logs/main/tile/0/000",
    "export/logs/main/tile/entries/000.p/4",
    "export/logs/main.2/checkpoint",
    "export/logs/ma\u00adin/checkpoint",
    "export/openings/main/000.",
    "export/openings/main/001",
    "export/openings/main/000/x",
    "export/openings/other/000",
    "export/openings/directory/000",
    "export/orders/directory",
    "export/bodies/x",
    "export/bodies/absent.json.bak",
    "export/bodies/00/" + "0" * 62,
    "export/bodies/AA/" + "0" * 62,
    "export/bodies/00/" + "0" * 61,
]


@pytest.mark.parametrize("path", ADDED, ids=ascii)
def test_file_added(path: str) -> None:
    for data in (b"x", FILES[EXPORTED[0]], FILES["export/logs/main/checkpoint"]):
        for files in both({**FILES, path: data}):
            assert noticed(files, HONEST.anchors, page=True)


@pytest.mark.parametrize("path", EXPORTED, ids=named)
def test_file_doubled_or_renamed(path: str) -> None:
    for name in (path + "x", path.upper().replace("EXPORT/", "export/"), path.replace("export/", "export/export/")):
        for files in both({**FILES, name: FILES[path]}):
            assert noticed(files, HONEST.anchors), name
        renamed = {name if old == path else old: data for old, data in FILES.items()}
        assert noticed(remade(renamed), HONEST.anchors), name


def test_folders_of_logs_renamed_or_swapped() -> None:
    files = TWO.files
    for old, new in (("main", "second.2"), ("main", "main.2"), ("main", "main.1"), ("main", "third")):
        moved = {path.replace(f"/{old}/", f"/{new}/"): data for path, data in files.items()}
        assert noticed(remade(moved), TWO.anchors), new
    swap = {"main": "second", "second": "main"}
    parts = {path: path.split("/") for path in files}
    swapped = {"/".join(swap.get(part, part) for part in parts[path]): data for path, data in files.items()}
    assert noticed(remade(swapped), TWO.anchors)


def test_two_exports_merged() -> None:
    early, late = whole_export(TWO.early.source), TWO.files
    for merged in ({**early, **late}, {**late, **early}):
        assert noticed(remade(merged), TWO.anchors)
    other = ran(channels=("main", "second"), members=("EST", "FIN", "LVA"), seed=9).files
    for merged in ({**other, **late}, {**late, **other}):
        assert noticed(remade(merged), TWO.anchors)
        assert noticed(remade(merged), Anchors())


# the end of a log, and a whole framework


def test_tail_cut_at_an_older_checkpoint() -> None:
    cut = whole_export(TWO.early.source, TWO.keys[0])
    assert "truncated" in codes(cut, TWO.anchors)
    one = {origin: note for origin, note in TWO.late.held.items() if channel_of(origin) == "second"}
    assert "truncated" in codes(cut, Anchors(TWO.id, one))
    assert exit_code(replay_of(cut, Anchors(TWO.id))) is Exit.AGAINST_ITSELF
    assert exit_code(replay_of(cut, Anchors())) is Exit.AGAINST_ITSELF


def test_tail_cut_where_no_outside_checkpoint_reaches_is_told() -> None:
    cut = whole_export(TWO.early.source, TWO.keys[0])
    directory = {origin: note for origin, note in TWO.late.held.items() if channel_of(origin) == "directory"}
    assert codes(cut, Anchors(TWO.id, directory)) == ["end-unconfirmed", "end-unconfirmed"]
    keys = tuple(VerifierKey.parse(line) for line in TWO.log("main").vkeys)
    assert codes(cut, Anchors(TWO.id, vkeys=keys)) == ["end-unconfirmed"] * 3
    assert codes(TWO.files, Anchors(TWO.id, TWO.early.held)) == ["end-unconfirmed", "end-unconfirmed"]


def test_tail_of_one_log_cut() -> None:
    kept = [TWO.early.source.logs[1] if log is TWO.log("main") else log for log in TWO.late.source.logs]
    assert channel_of(kept[1].origin) == "main"
    cut = whole_export(replace(TWO.late.source, logs=kept), TWO.keys[0])
    assert "truncated" in codes(cut, TWO.anchors)


def test_log_left_out() -> None:
    kept = [log for log in TWO.late.source.logs if channel_of(log.origin) != "second"]
    cut = whole_export(replace(TWO.late.source, logs=kept), TWO.keys[0])
    assert "truncated" in codes(cut, TWO.anchors)
    assert "not-exported" in codes(cut, Anchors(TWO.id, {log.origin: log.note for log in kept}))
    without = [log for log in TWO.late.source.logs if channel_of(log.origin) != "directory"]
    assert codes(whole_export(replace(TWO.late.source, logs=without)), TWO.anchors) == ["unreadable-export"]


def test_whole_framework_made_again_with_other_keys() -> None:
    other = ran(seed=7)
    for anchors in (HONEST.anchors, Anchors(HONEST.id), Anchors(None, HONEST.late.held)):
        assert noticed(other.files, anchors)
    assert exit_code(replay_of(other.files, Anchors())) is Exit.AGAINST_ITSELF
    mixed = {**other.files, layout.CHARTER_DIGEST: FILES[layout.CHARTER_DIGEST]}
    assert noticed(mixed, HONEST.anchors)
    assert noticed(mixed, Anchors())


def replay_of(files: Files, anchors: Anchors):
    found = ask(files, anchors)
    assert not isinstance(found, str), found
    return found


# the relay writes into its own logs and signs them, alone


def rewritten(channel: str, change: Callable[[list[bytes]], list[bytes]], *, signs: bool, world: Ran = TWO) -> Files:
    log = world.log(channel)
    entries = change(list(log.entries))
    note = log.note
    if signs:
        checkpoint = Checkpoint(log.origin, len(entries), MemoryTree(map(leaf_hash, entries)).root())
        note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, world.keys[0]),)).encode()
    made = replace(
        log,
        entries=entries,
        note=note,
        openings={i: found for i, found in log.openings.items() if i < len(entries)},
        statements={i: found for i, found in log.statements.items() if i < len(entries)},
    )
    return whole_export(with_log(world, made), world.keys[0])


def with_log(world: Ran, made: LogSource):
    logs = [made if log.origin == made.origin else log for log in world.late.source.logs]
    return replace(world.late.source, logs=logs)


def _without(entries: list[bytes], at: int) -> list[bytes]:
    return entries[:at] + entries[at + 1 :]


def _changes(channel: str) -> Iterator[Callable[[list[bytes]], list[bytes]]]:
    count = len(TWO.log(channel).entries)
    for at in range(count):
        yield lambda found, at=at: _without(found, at)
        yield lambda found, at=at: found[:at]
        yield lambda found, at=at: [*found, found[at]]
        yield lambda found, at=at: [*found[:at], b"\xc0", *found[at:]]
    for one, two in itertools.combinations(range(count), 2):
        yield lambda found, one=one, two=two: [found[{one: two, two: one}.get(i, i)] for i in range(count)]
    for other in ("directory", "main", "second"):
        if other != channel:
            yield lambda found, other=other: [*found, TWO.log(other).entries[-1]]


@pytest.mark.parametrize("channel", ["directory", "main"])
@pytest.mark.parametrize("signs", [False, True])
def test_entries_removed_reordered_doubled_or_added(channel: str, signs: bool) -> None:
    for change in _changes(channel):
        files = rewritten(channel, change, signs=signs)
        assert noticed(files, TWO.anchors)
        assert not signs or noticed(files, Anchors(TWO.id))


def test_everything_of_a_log_taken_away() -> None:
    for channel in ("directory", "main"):
        for signs in (False, True):
            assert noticed(rewritten(channel, lambda _: [], signs=signs), TWO.anchors, page=True)


def test_openings_statements_and_bodies_removed_or_swapped() -> None:
    log = TWO.log("main")
    for index in log.openings:
        left = {at: found for at, found in log.openings.items() if at != index}
        assert "opening-missing" in codes(whole_export(with_log(TWO, replace(log, openings=left))), TWO.anchors)
    one, two = list(log.openings)[:2]
    swapped = {**log.openings, one: log.openings[two], two: log.openings[one]}
    assert "opening-missing" in codes(whole_export(with_log(TWO, replace(log, openings=swapped))), TWO.anchors)
    bodies = dict(TWO.late.source.bodies)
    for digest in bodies:
        kept = {key: data for key, data in bodies.items() if key != digest}
        for why in ({}, {digest: "expired"}, {digest: "recalled"}, {digest: "erased"}):
            files = whole_export(replace(TWO.late.source, bodies=kept, absent=why))
            assert "body-missing" in codes(files, TWO.anchors)


def test_signature_lines_removed_doubled_or_of_another_log() -> None:
    log = TWO.log("main")
    note = Note.parse(log.note)
    other = Note.parse(TWO.log("second").note)
    quorum = len(note.signatures)
    for keep in range(1, quorum):
        made = Note(note.text, note.signatures[:keep]).encode()
        files = whole_export(with_log(TWO, replace(log, note=made)), TWO.keys[0])
        below = keep < quorum - 1  # one of three members may be away
        assert noticed(files, TWO.anchors) is below, keep
    mixed = Note(note.text, (*note.signatures[:-1], other.signatures[-1])).encode()
    assert noticed(whole_export(with_log(TWO, replace(log, note=mixed)), TWO.keys[0]), TWO.anchors)


def test_manifest_signed_by_somebody_else_is_told() -> None:
    stranger = PrivateKey.generate(Suite.ED25519, seed=b"stranger")
    assert codes(remade(FILES, stranger), HONEST.anchors) == ["manifest-signer"]
    alien = replace(HONEST.late.source, exported_at=HONEST.late.source.exported_at - 86_400_000)
    assert codes(whole_export(alien), HONEST.anchors) == ["export-time"]


def test_flood_of_findings_is_listed_whole_and_in_time() -> None:
    noise = [index.to_bytes(2, "big") for index in range(2000)]
    files = rewritten("main", lambda found: [*found, *noise], signs=True)
    found = replay_of(files, TWO.anchors)
    assert sum(1 for finding in found.findings if finding.code == "malformed") == 2000
    assert noticed(files, TWO.anchors, page=True)
    many = {**FILES, **{f"export/{number:05d}": b"" for number in range(3000)}}
    assert len(replay_of(remade(many), HONEST.anchors).findings) == 3000


def test_entries_that_cannot_be_read_do_not_make_their_bodies_strangers() -> None:
    damaged = flipped("export/logs/main/tile/entries/000.p/5", 300)
    found = replay_of(remade(damaged), HONEST.anchors)
    grave = [finding for finding in found.findings if finding.grade != Grade.OBSERVATION]
    assert not any("names" in finding.what for finding in grave)
    assert "bodies-unjudged" in [finding.code for finding in found.findings]


@pytest.mark.parametrize("name", layout.CHARTER_FILES)
def test_charter_file_that_is_missing_is_what_is_named(name: str) -> None:
    path = layout.charter_file(1, name)
    found = replay_of(remade({other: data for other, data in FILES.items() if other != path}), HONEST.anchors)
    assert exit_code(found) is Exit.FINDINGS
    assert not any("has no place" in finding.what for finding in found.findings)
