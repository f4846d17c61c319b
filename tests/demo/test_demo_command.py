"""`rsc-share demo`: its folder, its inputs, its errors in one line."""

from __future__ import annotations

import io
import json
import os
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from rsc_share.cli.demo import program
from rsc_share.cli.main import main
from rsc_share.demo.folder import OURS, beside, check, filling
from rsc_share.demo.screen import Screen, printable
from rsc_share.errors import LocalError
from rsc_share.testing import Framework

VECTORS = Path(os.environ.get("RSC_VECTORS", Path(__file__).parents[3] / "shared/vectors")) / "messages"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="RSC_VECTORS is not set and no vectors lie beside")
ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><alert>&b;</alert>'
COMMAND = "rsc-share: "


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    assert found.err.startswith(COMMAND)
    assert found.err.count("\n") == 1
    assert "Traceback" not in found.err
    return found.err


def test_a_second_run_replaces_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert main(["demo", "--in-process", "--out", str(out), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["ok"]
        assert said["out"] == str(out)
        assert said["failed"] == []
    assert {path.name for path in out.iterdir()} == set(OURS)
    assert not beside(out).exists()


def test_a_folder_of_others_is_refused_and_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    assert main(["demo", "--in-process", "--out", str(tmp_path)]) == 2
    assert "[not-empty]" in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_force_replaces_our_files_only(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "report.html").write_text("old")
    with filling(tmp_path, force=True) as draft:
        for name in OURS:
            (draft / name).write_text("new")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "report.html").read_text() == "new"


def test_force_leaves_a_folder_that_is_called_as_ours_once_was(tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    (tmp_path / "network/thesis.txt").write_text("years of work")
    with filling(tmp_path, force=True) as draft:
        for name in OURS:
            (draft / name).write_text("new")
    assert (tmp_path / "network/thesis.txt").read_text() == "years of work"


async def test_an_export_of_a_true_relay_is_no_permission(tmp_path: Path) -> None:
    """It has nothing else beside it either, and may be the only copy of what somebody is asked about."""
    async with Framework.create("EST", "FIN", "LVA") as framework:
        await framework.export(tmp_path / "ministry-network")
    with pytest.raises(LocalError):
        check(tmp_path / "ministry-network")


def test_a_manifest_of_another_program_is_no_permission(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(LocalError):
        check(tmp_path)


def test_the_networks_folder_of_others_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out-network").mkdir()
    (tmp_path / "out-network/thesis.txt").write_text("years of work")
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert "[not-empty]" in one_line(capsys)
    assert [path.name for path in tmp_path.rglob("*")] == ["out-network", "thesis.txt"]


def test_the_networks_folder_lies_beside_whatever_the_other_is_called(tmp_path: Path) -> None:
    assert beside(Path("demo-out")) == Path("demo-out-network")
    assert beside(Path()) == Path.cwd().with_name(f"{Path.cwd().name}-network")
    assert beside(Path("..")) == Path.cwd().parent.with_name(f"{Path.cwd().parent.name}-network")


def test_the_command_at_the_end_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/rsc-share", "demo"])
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert program() == ".venv/bin/rsc-share"
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/rsc-share")
    assert program() == "rsc-share"


def test_the_command_at_the_end_can_be_pasted_by_who_ran_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m rsc_share` is for whoever has no `rsc-share` on the path."""
    monkeypatch.setattr("sys.argv", ["/lib/rsc_share/__main__.py", "demo"])
    monkeypatch.setattr("sys.executable", "/my tools/python")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert program() == "'/my tools/python' -m rsc_share"


def test_the_command_at_the_end_can_be_pasted_whatever_the_folder_is_called() -> None:
    out = io.StringIO()
    Screen(Console(file=out, width=80)).end((), Path("two words"), None, "rsc-share", 1.0)
    (line,) = [line for line in out.getvalue().splitlines() if "audit replay" in line]
    assert "two words" in shlex.split(line)
    assert "two words/checkpoints/EST" in shlex.split(line)


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".rsc-share-demo-abc"
    left.mkdir()
    (left / "half").write_text("x")
    with filling(tmp_path) as draft:
        for name in OURS:
            (draft / name).write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == set(OURS)


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(IsADirectoryError), filling(out) as draft:
        draft.write_text("a folder is no file")
    assert not out.exists()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "keep").write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "export").symlink_to(precious)
    with filling(out, force=True) as draft:
        for name in OURS:
            (draft / name).write_text("new")
    assert (precious / "keep").exists()
    assert not (out / "export").is_symlink()


@pytest.mark.parametrize("name", ["a-file", "a-file/below"])
def test_a_file_is_no_folder(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a-file").write_text("x")
    assert main(["demo", "--in-process", "--out", str(tmp_path / name)]) in (2, 74)
    one_line(capsys)


@pytest.mark.parametrize("option", ["--stix", "--cap"])
@pytest.mark.parametrize("content", [b"", b"not it", ENTITY, b'{"type": "bundle"}', b"\xff" * 64])
def test_wrong_input_is_refused_in_one_line_before_anything_is_made(
    tmp_path: Path, option: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "input"
    given.write_bytes(content)
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out"), option, str(given)]) == 2
    one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_missing_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out"), "--cap", str(tmp_path / "none.xml")]) == 2
    assert "none.xml" in one_line(capsys)


def test_names_of_others_cannot_steer_a_terminal() -> None:
    assert printable("\x1b[31mred\x07") == "\\u001b[31mred\\u0007"


@needs_vectors
def test_input_of_others_is_shared_and_audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stix = VECTORS / "stix21/examples/threat-reports/poisonivy.json"
    cap = VECTORS / "cap/testdata/weather.cap"
    code = main(
        ["demo", "--in-process", "--out", str(tmp_path / "out"), "--json", "--stix", str(stix), "--cap", str(cap)]
    )
    said = json.loads(capsys.readouterr().out)
    assert said["failed"] == []
    assert code == 0
    first, second = said["steps"][1], said["steps"][2]
    assert first["source"] == str(stix)
    assert first["messages"] == first["found"] > 10
    assert second["kind"] == "CAP 1.2 alert"
    assert second["messages"] == 1
    assert any("relationship" in line for line in first["lost"])


@needs_vectors
def test_the_entity_attack_of_others_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attack = VECTORS / "cap/testdata/xee.cap"
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out"), "--cap", str(attack)]) == 2
    assert "entity" in one_line(capsys)
