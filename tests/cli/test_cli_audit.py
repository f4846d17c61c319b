"""The examiner's commands over an export of a small framework."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_world import Run

from rsc_share.cli.frame import Exit
from rsc_share.messages import Indicator
from rsc_share.testing import Framework


@dataclass(frozen=True)
class Exported:
    folder: Path
    digest: str
    checkpoints: tuple[Path, ...]
    reference: str

    def anchors(self) -> list[object]:
        found: list[object] = ["--charter-digest", self.digest]
        for path in self.checkpoints:
            found += ["--checkpoint", path]
        return found


async def make(root: Path) -> Exported:
    async with Framework.create("EST", "FIN", "LVA", "SWE", seed=3) as framework:
        sent = (
            await framework.node("EST")
            .channel("main")
            .publish(Indicator(pattern="p", stix_id="i"), label="TLP:GREEN REL TO @members")
        )
        receipt = await sent.receipt()
        framework.clock.advance(seconds=16 * 60)
        await framework.export(root / "export")
        paths = []
        for number, note in enumerate(framework.node("LVA").engine.notes().values()):
            path = root / f"from-LVA-{number}"
            path.write_bytes(note)
            paths.append(path)
        digest = framework.founded.framework_id.hex()
    return Exported(root / "export", digest, tuple(paths), receipt.reference)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return asyncio.run(make(tmp_path_factory.mktemp("audit")))


def test_replay_anchored_outside_is_green(exported: Exported, run: Run, tmp_path: Path) -> None:
    ran = run("audit", "replay", exported.folder, *exported.anchors(), "--html", tmp_path / "page.html")
    assert ran.code == 0, ran
    assert ran.out.startswith("NO FINDINGS")
    assert "WHAT WAS NOT CHECKED" in ran.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_replay_without_anchors_says_so_first(exported: Exported, run: Run) -> None:
    ran = run("audit", "replay", exported.folder)
    assert ran.code == 3
    assert ran.out.startswith("CHECKED AGAINST ITSELF ONLY")
    assert run("audit", "replay", exported.folder, "--json").json["first_line"] == "CHECKED AGAINST ITSELF ONLY"


def test_replay_of_a_cut_file_is_a_finding(exported: Exported, run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exported.folder, tmp_path / "copy"))
    entries = sorted(copy.glob("export/logs/main/tile/entries/**/*"))
    target = next(path for path in entries if path.is_file())
    target.write_bytes(target.read_bytes()[:-7])
    ran = run("audit", "replay", copy, *exported.anchors(), "--json")
    assert ran.code == 1
    assert "integrity failure" in {finding["grade"] for finding in ran.json["content"]["findings"]}


def test_trace_follows_one_message(exported: Exported, run: Run) -> None:
    where = ("--export", exported.folder, *exported.anchors())
    ran = run("audit", "trace", exported.reference, *where)
    assert ran.code == 0, ran
    assert "LVA" in ran.out
    values = run("audit", "trace", exported.reference, *where, "--json").json
    assert values["trace"]["reference"] == exported.reference
    run("audit", "trace", "EST/mod-1/main/999", *where).fails(2, "not-found")
    run("audit", "trace", "nonsense", *where).fails(2, "bad-reference")


def test_words_nobody_committed_to_match_nothing(exported: Exported, run: Run, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_bytes(b"never said")
    where = ("--export", exported.folder, *exported.anchors())
    ran = run("audit", "disclose", words, "--salt", "00" * 32, *where)
    assert ran.code == 1
    assert "fits" in ran.out
    run("audit", "disclose", words, "--salt", "00", *where).fails(2, "bad-salt")
    run("audit", "disclose", words, "--salt", "zz", *where).fails(2, "bad-salt")
    run("audit", "disclose", tmp_path / "none", "--salt", "00" * 32, *where).fails(2, "no-file")


def test_sample_depends_on_the_committees_text(exported: Exported, run: Run) -> None:
    args = ("audit", "sample", exported.folder, *exported.anchors(), "--n", 5, "--json")
    drawn = run(*args, "--seed", "our own words").json["drawn"]
    assert drawn == run(*args, "--seed", "our own words").json["drawn"]
    assert [item["reference"] for item in drawn] == [exported.reference]


def test_what_cannot_be_audited_is_one_line(exported: Exported, run: Run, tmp_path: Path) -> None:
    run("audit", "replay", tmp_path).fails(2, "unreadable-export")
    run("audit", "replay", tmp_path / "none").fails(2, "no-folder")
    run("audit", "replay", exported.folder, "--charter-digest", "12").fails(2, "bad-digest")
    run("audit", "replay", exported.folder, "--checkpoint", tmp_path / "none").fails(2, "no-file")
    run("audit", "replay", exported.folder, "--as", "FIN").fails(2, "other-view")
    page = tmp_path / "page.html"
    page.write_text("mine")
    run("audit", "replay", exported.folder, "--html", page).fails(2, "exists")
    assert page.read_text() == "mine"


def test_the_folder_inside_an_export_is_no_damaged_export(exported: Exported, run: Run) -> None:
    ran = run("audit", "trace", exported.reference, "--export", exported.folder / "export")
    ran.fails(2, "unreadable-export")
    assert "your input: " in ran.err, "whoever typed it is told, not its sender"
    assert f"{exported.folder / 'export'} holds no manifest.json; now: name the folder in which" in ran.err


def test_a_folder_that_may_not_be_looked_into_is_told_as_that_and_not_as_a_broken_disk(
    exported: Exported, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever packs an export chooses modes. These tests may run as root, who may read all."""
    true_stat, true_open = os.stat, os.open

    def barred(call: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any, *args: Any, **more: Any) -> Any:
            if os.fspath(path) in (str(exported.folder / "manifest.json"), b"manifest.json"):
                raise PermissionError(13, "Permission denied", path)
            return call(path, *args, **more)

        return asked

    monkeypatch.setattr(os, "stat", barred(true_stat))
    monkeypatch.setattr(os, "open", barred(true_open))
    run("audit", "replay", exported.folder).fails(2, "not-readable")


@pytest.mark.parametrize("to_json", [(), ("--json",)])
def test_a_report_that_cannot_be_written_is_printed_all_the_same(
    exported: Exported, run: Run, tmp_path: Path, to_json: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("no folder")
    ran = run("audit", "replay", exported.folder, *exported.anchors(), "--html", tmp_path / "file/x.html", *to_json)
    ran.fails(74, "not-written")
    assert "NO FINDINGS" in ran.out
    assert not to_json or ran.json["content"]["findings"] == []


def test_reports_are_saved_beside_the_export(exported: Exported, run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exported.folder, tmp_path / "copy"))
    assert run("audit", "replay", copy, *exported.anchors(), "--save").code == 0
    assert (copy / "report.json").exists()
    assert (copy / "report.html").exists()
    assert run("audit", "replay", copy, *exported.anchors()).code == 0, "reports are no part of what is checked"


def test_answers_for_people_begin_with_their_anchor(exported: Exported, run: Run) -> None:
    drawn = run("audit", "sample", exported.folder, "--seed", "s")
    assert drawn.code == 3
    assert drawn.out.startswith("CHECKED AGAINST ITSELF ONLY")
    assert exported.reference in drawn.out


def test_bar_only_on_a_terminal(exported: Exported, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert run("audit", "replay", exported.folder, *exported.anchors()).code == 0
    assert "main" in screen.getvalue()


def test_output_nobody_reads_to_its_end_is_not_a_finding(tmp_path: Path) -> None:
    """`... | head` ends the reader early."""
    command = [sys.executable, "-c", "from rsc_share.cli.start import run; run()", "--help"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert b"Traceback" not in done.stderr
    assert done.returncode == Exit.UNREAD
