"""Folders that somebody prepared: links, pipes, depths, sizes and names; and the same answer in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from forger_world import ran, remade

from rsc_share.audit import layout
from rsc_share.audit.files import MAX_DEPTH, Folder
from rsc_share.audit.manifest import FileLine, Manifest
from rsc_share.audit.outcome import Exit
from rsc_share.audit.run import run, write_reports
from rsc_share.errors import RemoteError, RscError
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.note import Note
from rsc_share.value import replace

HONEST = ran()
CHECKPOINT = "export/logs/main/checkpoint"
BUNDLE = "export/logs/main/tile/entries/000.p/5"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, data in HONEST.files.items():
        (tmp_path / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / path).write_bytes(data)
    return tmp_path / "out"


def told(folder: Path) -> bool:
    """A finding, or a refusal; and the reports can be written."""
    try:
        done = run(folder, HONEST.anchors)
    except RscError:
        return True
    write_reports(done, folder)
    return done.code is Exit.FINDINGS


def test_honest_folder_is_clean(folder: Path) -> None:
    assert run(folder, HONEST.anchors).code is Exit.CLEAN


@pytest.mark.parametrize(
    "path",
    [
        layout.MANIFEST,
        layout.CHARTER_DIGEST,
        layout.ABSENT,
        CHECKPOINT,
        "export/logs/main/vkeys",
        BUNDLE,
        "export/openings/main/000",
        "export/charter/0001/keys",
    ],
)
def test_link_pipe_or_folder_in_the_place_of_a_file(folder: Path, path: str) -> None:
    same = folder.parent / "same"
    same.write_bytes((folder / path).read_bytes())
    (folder / path).unlink()
    (folder / path).symlink_to(same)
    assert told(folder)
    (folder / path).unlink()
    os.mkfifo(folder / path)
    assert told(folder)
    (folder / path).unlink()
    (folder / path).mkdir()
    assert told(folder)


def test_link_to_a_folder_and_to_itself(folder: Path) -> None:
    (folder / "export/loop").symlink_to(".")
    assert told(folder)
    (folder / "export/logs/main").rename(folder.parent / "main")
    (folder / "export/logs/main").symlink_to(folder.parent / "main")
    assert told(folder)


def test_report_is_not_written_through_a_link(folder: Path) -> None:
    victim = folder.parent / "victim"
    victim.write_bytes(b"mine")
    (folder / layout.REPORT_HTML).symlink_to(victim)
    assert told(folder)
    assert victim.read_bytes() == b"mine"


def test_folders_deeper_than_any_export_are_named_and_not_entered(folder: Path) -> None:
    deep = folder / "export"
    for _ in range(MAX_DEPTH + 300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    assert [kind for _, kind in Folder(folder).odd()] == ["a folder too deep to look into"]
    assert told(folder)


@pytest.mark.parametrize("below", ["", "export"])
def test_attack_folders_whose_path_is_too_long_for_this_machine_keep_nobody_from_auditing(
    folder: Path, below: str
) -> None:
    inner = os.open(folder / below, os.O_RDONLY)
    for _ in range(24):
        os.mkdir("d" * 200, dir_fd=inner)
        outer, inner = inner, os.open("d" * 200, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    assert [kind for _, kind in Folder(folder).odd()] == ["a folder too deep to look into"]
    assert run(folder, HONEST.anchors).code is Exit.FINDINGS


def _enlarged(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("path", [layout.MANIFEST, layout.CHARTER_DIGEST, layout.ABSENT, CHECKPOINT, BUNDLE])
def test_huge_file_is_not_read(folder: Path, path: str) -> None:
    _enlarged(folder / path)
    assert told(folder)


def test_huge_file_is_not_read_because_the_manifest_says_so(folder: Path) -> None:
    _enlarged(folder / BUNDLE)
    _listed(folder, lambda line: replace(line, size=1 << 40) if line.path == BUNDLE else line)
    assert told(folder)


def _listed(folder: Path, change: Callable[[FileLine], FileLine], *more: FileLine) -> None:
    manifest = Manifest.parse((folder / layout.MANIFEST).read_bytes())
    lines = sorted((*map(change, manifest.files), *more), key=lambda line: line.path)
    (folder / layout.MANIFEST).write_bytes(replace(manifest, files=tuple(lines), seal=None).encode())


@pytest.mark.parametrize("size", [6, 511, 100_000, 10**12, 2**53 - 1])
def test_checkpoint_of_more_entries_than_there_are_files_costs_nothing(folder: Path, size: int) -> None:
    checkpoint = Checkpoint(HONEST.log("main").origin, size, bytes(32))
    note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, HONEST.keys[0]),)).encode()
    for path, data in remade({**HONEST.files, CHECKPOINT: note}).items():
        (folder / path).write_bytes(data)
    assert told(folder)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"\x1b[2J", "\u202egnp".encode(), b"x" * 255, b" ", b"%00"])
def test_file_under_a_name_that_is_no_text(folder: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(folder), b"export", name), "wb"):
        pass
    assert told(folder)
    page = (folder / layout.REPORT_HTML).read_text()
    assert not any(char in page for char in "\x1b\u202e")


@pytest.mark.parametrize(
    "path", ["export/" + "x" * 300, "export/\ud800", "export/logs", f"{CHECKPOINT}/x", "export/\u00e4"]
)
def test_manifest_that_lists_what_cannot_be_a_file(folder: Path, path: str) -> None:
    _listed(folder, lambda line: line, FileLine(path, bytes(32), 3))
    assert told(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]\n",
        b"null\n",
        b"[" * 100_000,
        b"NaN\n",
        b"1e999\n",
        b"9" * 5000,
        b'{"a":1,"a":2}\n',
        b"\xff\xfe{}",
        b"{}\r\n",
    ],
)
def test_manifest_that_is_none_is_refused(folder: Path, data: bytes) -> None:
    (folder / layout.MANIFEST).write_bytes(data)
    with pytest.raises(RemoteError) as refused:
        run(folder, HONEST.anchors)
    assert refused.value.code == "unreadable-export"


def test_key_that_stands_twice_in_the_manifest_is_refused(folder: Path) -> None:
    data = (folder / layout.MANIFEST).read_bytes()
    (folder / layout.MANIFEST).write_bytes(data.replace(b'"by": ', b'"by": "EST",\n "by": ', 1))
    with pytest.raises(RemoteError):
        run(folder, HONEST.anchors)


def test_findings_are_the_same_bytes_in_every_process(folder: Path) -> None:
    # Two forgeries, so that there is a list to be put in order.
    (folder / "export/openings/main/000").unlink()
    (folder / BUNDLE).write_bytes(HONEST.files[BUNDLE][:-1] + b"\0")
    command = [
        sys.executable,
        "-c",
        "from rsc_share.cli.start import run; run()",
        "audit",
        "replay",
        str(folder),
        "--json",
    ]
    found = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        assert done.returncode == Exit.FINDINGS, done.stderr
        made = json.loads(done.stdout)
        found.add((made["findings_digest"], json.dumps(made["content"])))
    assert len(found) == 1
