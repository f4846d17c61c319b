"""The demonstration, run once: what it leaves, what it says, and that its claims are not decoration."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shlex
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from rsc_share.audit.files import Folder
from rsc_share.audit.replay import Anchors, replay
from rsc_share.cli.main import main
from rsc_share.demo import inspection, parts
from rsc_share.demo.cheats import ForkingWire
from rsc_share.demo.folder import OURS, filling
from rsc_share.demo.inputs import read_inputs
from rsc_share.demo.parts import Ledger, Part, failed
from rsc_share.demo.play import play
from rsc_share.demo.screen import STEPS, Screen, ledger
from rsc_share.demo.stage import STATES
from rsc_share.demo.summary import summary
from rsc_share.log.cosignature import open_checkpoint
from rsc_share.log.note import VerifierKey
from rsc_share.log.tiles import verify_log
from rsc_share.testing import Framework
from rsc_share.testing.wire import Wire

CHANNELS = ("counter-terrorism", "cyber", "directory", "disaster")


class Silent:
    def working(self, what: str) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def part(self, part: Part) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Run:
    out: Path
    parts: tuple[Part, ...]
    text: str


def run_into(out: Path, console: Console) -> tuple[Part, ...]:
    screen = Screen(console)
    screen.begin()
    with filling(out) as draft:
        done = asyncio.run(play(read_inputs(None, None), draft, screen))
    screen.end(done, out, None, "rsc-share", 1.0)
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("demo") / "new" / "out"
    stream = io.StringIO()
    done = run_into(out, Console(file=stream, width=120))
    return Run(out, done, stream.getvalue())


def test_every_claim_holds(run: Run) -> None:
    assert failed(run.parts) == ()
    assert sum(len(part.claims) for part in run.parts) >= 30
    assert len(run.parts) == STEPS


def test_the_folder_holds_what_is_promised(run: Run) -> None:
    assert {path.name for path in run.out.iterdir()} == set(OURS)
    assert (run.out / "export/charter/0001/charter.toml").is_file()
    assert (run.out / "export/charter/0002/charter.toml").is_file()
    assert sorted(path.name for path in (run.out / "export/logs").iterdir()) == list(CHANNELS)
    assert sorted(path.name for path in (run.out / "export/openings").iterdir()) == sorted({*CHANNELS} - {"directory"})
    assert any((run.out / "export/bodies").iterdir())
    digest = (run.out / "charter-digest.txt").read_text()
    assert digest == f"{founding(run).digest}\n"


def test_the_command_it_ends_with_ends_with_0(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = (line for line in run.text.splitlines() if line.startswith("rsc-share audit replay"))
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out.startswith("NO FINDINGS\n")
    held = run.out / "checkpoints"
    assert sorted(path.name for path in held.iterdir()) == sorted(STATES)
    assert sorted(path.name for path in (held / "EST").iterdir()) == list(CHANNELS)


def founding(run: Run) -> parts.Founding:
    return next(part for part in run.parts if isinstance(part, parts.Founding))


@pytest.mark.parametrize("channel", CHANNELS)
def test_exported_logs_verify_with_the_log_room_alone(run: Run, channel: str) -> None:
    folder = run.out / "export/logs" / channel
    keys = [VerifierKey.parse(line) for line in (folder / "vkeys").read_text().splitlines()]
    own = [key for key in keys if key.name.endswith(f"/{channel}")]
    assert keys[: len(own)] == own
    assert len(own) == 2
    head = open_checkpoint((folder / "checkpoint").read_bytes(), own, keys[2:])
    assert len({found.name for found in head.cosignatures}) >= 3

    def read(path: str, limit: int) -> bytes | None:
        return (folder / path).read_bytes()[: limit + 1] if (folder / path).is_file() else None

    tree = verify_log(head.checkpoint.size, head.checkpoint.root, read)
    assert tree.size == head.checkpoint.size > 0


def test_the_report_is_clean_and_loads_nothing(run: Run) -> None:
    report = json.loads((run.out / "report.json").read_bytes())
    assert report["exit_code"] == 0
    assert report["first_line"] == "NO FINDINGS"
    assert report["content"]["findings"] == []
    page = (run.out / "report.html").read_text()
    assert "NO FINDINGS" in page
    assert not any(word in page for word in ("http://", "https://", "<script", "url("))


def test_the_folder_can_be_replayed_again(run: Run) -> None:
    pin = bytes.fromhex((run.out / "charter-digest.txt").read_text().strip())
    audited = next(part for part in run.parts if isinstance(part, parts.Audited))
    assert sorted(audited.checkpoints) == list(CHANNELS)
    held = {channel: note.encode() for channel, note in audited.checkpoints.items()}
    result = replay(Folder(run.out), Anchors(charter_digest=pin, checkpoints=held))
    assert result.findings == ()
    assert result.anchored.firm


def test_the_summary_says_what_the_table_says(run: Run) -> None:
    said = json.loads(json.dumps(summary(run.parts, Path("out"), None, 1.0)))
    part = next(part for part in run.parts if isinstance(part, Ledger))
    wide = Console(file=io.StringIO(), width=400)
    wide.print(ledger(part, wide.width))
    lines = wide.file.getvalue().splitlines()[2 : 2 + len(part.rows)]  # type: ignore[attr-defined]
    shown = [line.split()[-len(part.members) :] for line in lines]
    expected = []
    for row in part.rows:
        cells = {cell["member"]: cell for cell in said["table"] if same(cell, row)}
        expected.append([word(cells.get(member)) for member in part.members])
    assert shown == expected
    assert said["ok"]
    assert said["claims"] == sum(len(part.claims) for part in run.parts)


def same(cell: dict[str, object], row: parts.Row) -> bool:
    return cell["references"] == list(row.references) and cell["portion"] == row.portion


def word(cell: dict[str, object] | None) -> str:
    if cell is None:
        return "sender"
    return "read" if cell["read"] else str(cell["outcome"])


def test_rules_of_three_kinds_withheld_something(run: Run) -> None:
    found = {(cell["outcome"], cell["member"], cell["rule"]) for cell in summary(run.parts, Path(), None, 0)["table"]}
    assert {
        ("level", "LTU", None),
        ("agreement", "LVA", "EST/EST-withholds-from-LVA"),
        ("inactive", "LTU", None),
    } <= found
    assert ("released", "FIN", "EST-FIN-2026-ct") in found


def test_the_screen_shows_every_step_and_no_message_of_a_portion(run: Run) -> None:
    for part in run.parts:
        assert part.title in run.text
    assert "crew list" not in run.text
    assert "FAILED" not in run.text


def test_the_forgery_is_proved_by_two_signed_notes(run: Run) -> None:
    caught = next(part for part in run.parts if isinstance(part, parts.Caught))
    forged, honest = caught.notes
    assert forged.splitlines()[:2] == honest.splitlines()[:2]
    assert forged.splitlines()[2] != honest.splitlines()[2]
    assert caught.alarm == "equivocation"


# --- its claims are checks: with the thing itself taken away, they fail and so does the command


async def nothing(*args: object) -> None:
    pass


def test_a_relay_that_does_not_cheat_is_not_said_to_be_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ForkingWire, "read", Wire.read)
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["ok"]
    assert any("two different trees" in claim for claim in said["failed"])


def test_a_restriction_that_was_never_logged_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Framework, "restrict", nothing)
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out")]) == 1
    assert "FAILED nothing of EST reaches LVA any more" in capsys.readouterr().out


def test_a_byte_outside_the_logs_is_not_said_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inspection, "_place", lambda files, target: ("report.html", 5))
    assert main(["demo", "--in-process", "--out", str(tmp_path / "out"), "--json"]) == 1
    assert "the auditor names the file" in json.loads(capsys.readouterr().out)["failed"]
