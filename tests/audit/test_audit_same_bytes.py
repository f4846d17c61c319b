"""The same report whoever runs it: no Python, library, locale or umask has a say, and no name breaks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forger_world import ran, remade

from rsc_share import legible
from rsc_share.audit import files as reading
from rsc_share.audit import html, layout, terminal
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.files import Folder, MemoryFiles
from rsc_share.audit.manifest import Manifest
from rsc_share.audit.outcome import Exit
from rsc_share.audit.replay import replay
from rsc_share.audit.report import Mandate, Run, encode, report, versions
from rsc_share.audit.run import anchors_from, run, write_reports
from rsc_share.audit.sample import sample
from rsc_share.audit.trace import trace
from rsc_share.cli import audit as cli
from rsc_share.cli.output import GOOD, PLAIN
from rsc_share.codec import unpack
from rsc_share.errors import LocalError, RemoteError
from rsc_share.form import plain
from rsc_share.value import replace

HONEST = ran()
FACE = "\U0001fae8"
"""Of Unicode 15: printable to Python 3.12, no character at all to 3.11."""
REPLAY = "from rsc_share.cli.start import run; run()", "audit", "replay"


def written(folder: Path) -> Path:
    for path, data in HONEST.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def anchors() -> Anchors:
    return HONEST.anchors


def test_character_that_only_a_newer_python_prints_is_escaped_by_every_one() -> None:
    assert (legible.escaped(f"a{FACE}"), legible.replaced(f"a{FACE}"), plain(FACE)) == ("a\\U0001fae8", "a?", "?")
    assert str(RemoteError(f"not {FACE}")) == "not \\U0001fae8"
    manifest = replace(Manifest.parse(HONEST.files[layout.MANIFEST]), by=f"relay {FACE}", seal=None)
    made = report(replay(MemoryFiles({**HONEST.files, layout.MANIFEST: manifest.encode(), FACE: b""}), anchors()))
    assert made["content"]["custody"]["exported_by"] == "relay \\U0001fae8"
    assert FACE not in html.render(made) + terminal.render(made)


@pytest.mark.parametrize(
    "odd",
    ["\x1b[2J", "\u202e", "\u2066", "\u061c", "\u200b", "\u2028", "\ud800", "\ue000", "\u3000", "\u3164", "\ufe0f"],
)
def test_what_turns_moves_or_hides_text_is_legible_nowhere(odd: str) -> None:
    assert not legible.is_legible(f"x{odd}")
    assert legible.escaped(odd).isascii()


def test_nothing_is_legible_that_this_python_does_not_print() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    assert [char for char in every if legible.is_legible(char) and not char.isprintable()] == []


@pytest.mark.parametrize("text", ["", "plain text", "Eesti Vabariik: õäöü", "Latvija šķūnis", "Україна", "Ελλάδα"])
def test_texts_of_member_states_stay_as_they_are(text: str) -> None:
    assert legible.is_legible(text)
    assert legible.escaped(text) == text


@pytest.mark.parametrize("data", [b'{"a" 1,}', b"9" * 5_000, b"\xff", b"1e5"])
def test_what_python_says_of_broken_json_stands_in_no_report(data: bytes) -> None:
    found = replay(MemoryFiles(remade({**HONEST.files, layout.ABSENT: data})), anchors())
    (what,) = {f.what for f in found.findings if f.code == "file"}
    assert what == f"{layout.ABSENT} cannot be used: absent.json: is not JSON, or holds a fraction"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91", b"\xdd\xff\xff\xff\xff", b"\xa1\xff"])
def test_what_a_library_says_of_broken_msgpack_stands_in_no_report(data: bytes) -> None:
    with pytest.raises(RemoteError) as error:
        unpack(data, max_size=100)
    assert error.value.what == "not msgpack, or more of it than is allowed here"


def test_name_of_a_file_is_the_same_under_every_locale(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "märge").write_bytes(b"x")
    (tmp_path / "export" / "märge").mkdir()
    (tmp_path / "export" / "märge" / os.fsdecode(b"\xff")).write_bytes(b"x")
    found = set()
    for locale in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        for how in (["--json"], []):
            command = [sys.executable, "-c", *REPLAY, str(tmp_path), *how]
            done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **locale})
            assert (done.returncode, done.stderr) == (Exit.FINDINGS, b"")
            if how:
                found.add(json.loads(done.stdout)["findings_digest"])
    assert len(found) == 1


def test_checkpoint_under_a_name_that_is_no_text_breaks_no_report(tmp_path: Path) -> None:
    folder, held = written(tmp_path / "out"), tmp_path / "held"
    held.mkdir()
    for number, note in enumerate(HONEST.late.held.values()):
        (held / os.fsdecode(b"\xff\x1b%d" % number)).write_bytes(note)
    mandate = Mandate(*["\udcff\x1b[2J"] * 7)
    done = run(folder, anchors_from(HONEST.id.hex(), [held]), mandate=mandate)
    for path in write_reports(done, folder):
        assert b"\x1b" not in path.read_bytes()
    assert done.code is Exit.CLEAN
    assert terminal.render(done.report).encode()


def test_file_that_nobody_may_read_is_told_as_that_and_not_as_a_broken_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever packs an export chooses modes. These tests may run as root, who may read all."""
    folder = Folder(written(tmp_path))

    def closed(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reading.os, "open", closed)
    with pytest.raises(LocalError, match=r"may not read manifest\.json") as error:
        folder.read("manifest.json", 10)
    assert "chmod" in error.value.advice
    monkeypatch.setattr(reading.os, "scandir", closed)
    with pytest.raises(LocalError, match="may not read"):
        folder.paths()


def test_path_that_can_be_no_name_is_no_file(tmp_path: Path) -> None:
    assert Folder(tmp_path).read("export/\ud800", 10) is None


def test_only_the_report_itself_is_green() -> None:
    files = {**HONEST.files, "NO FINDINGS": b"", "WHAT WAS NOT CHECKED": b""}
    lines = terminal.render(report(replay(MemoryFiles(files), anchors()))).splitlines()
    assert [line for line in lines if cli._style(line) == GOOD] == ["NO FINDINGS ABOVE AN OBSERVATION"]
    assert cli._style("    NO FINDINGS lies beside the export and was not looked at") == PLAIN
    assert cli._style("  12. BREACH revoked  log 3  -") == cli._GRADES["BREACH"]


def test_report_names_every_library_that_reads_or_verifies() -> None:
    assert {"cryptography", "msgpack", "msgspec", "openssl", "pynacl", "python", "rsc-share"} <= versions().keys()
    assert encode(report(replay(MemoryFiles(HONEST.files), anchors())))


def test_attack_pipe_among_the_checkpoints_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "from-EST")
    with pytest.raises(LocalError, match="no regular file"):
        anchors_from(None, [tmp_path])
    (tmp_path / "from-EST").unlink()
    (tmp_path / "from-EST").mkdir()
    with pytest.raises(LocalError, match="no regular file"):
        anchors_from(None, [tmp_path])


def test_seed_of_bytes_that_are_no_text_draws() -> None:
    found = replay(MemoryFiles(HONEST.files), anchors())
    assert len(sample(found, 2, os.fsdecode(b"\xff"))) == 2


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 20])
def test_reference_of_a_number_that_python_will_not_read_is_refused(number: str) -> None:
    with pytest.raises(LocalError, match="is not a reference"):
        trace(replay(MemoryFiles(HONEST.files), anchors()), f"EST/mod-1/main/{number}")


def test_text_of_the_report_says_by_what_rules_and_with_what_it_was_made() -> None:
    found = replay(MemoryFiles({**HONEST.files, "beside": b""}), anchors())
    mandate = Mandate(asked_by="the court", examiner="A. Nobody", charter_digest_from="annex, page 12")
    made = report(found, mandate, Run(1, 1.0))
    text = terminal.render(made)
    (charter,) = made["content"]["rules"]["charters"]
    wanted = [charter["charter_sha256"], charter["policy_sha256"], *made["run"]["versions"].values()]
    wanted += ["the court", "A. Nobody", "annex, page 12", "path: beside"]
    assert [value for value in wanted if value not in text] == []


@pytest.mark.parametrize("name", ["by", "checksum", "format", "framework_id", "tool", "view", "signature", "\ud800"])
def test_half_a_surrogate_pair_in_a_manifest_is_refused_or_shown_and_no_bug(name: str) -> None:
    said = {**json.loads(HONEST.files[layout.MANIFEST]), name: "\ud800"}
    files = {**HONEST.files, layout.MANIFEST: (json.dumps(said, sort_keys=True, indent=1) + "\n").encode()}
    with pytest.raises(RemoteError) as error:
        replay(MemoryFiles(files), anchors())
    assert error.value.code == "unreadable-export"
