"""The networked half: five processes over TLS, two of them killed, everything counted; and none is ever left behind."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rsc_share.audit.files import Folder
from rsc_share.audit.replay import Anchors, replay
from rsc_share.cli.main import main
from rsc_share.demo.folder import OURS, beside, check
from rsc_share.demo.network import acts
from rsc_share.demo.network.troupe import Troupe

PROGRAM = "from rsc_share.cli.start import run; run()"
PATIENCE = 90
"""Seconds: for a machine that is busy, not for one that is broken."""


def gone(pid: int) -> bool:
    """Whether a process ends within our patience. The kernel says when."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE)[0])
    finally:
        os.close(handle)


def test_killed_in_the_middle_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code = main(["demo", "--out", str(out), "--json"])
    printed = capsys.readouterr()
    assert printed.err == ""
    said = json.loads(printed.out)
    assert said["failed"] == []
    assert code == 0
    network = beside(out)
    assert (network.name, said["network"]) == ("out-network", str(network))
    for folder in (out, network):
        assert {path.name for path in folder.iterdir()} == set(OURS)
    started, crossed, survived, counted = said["steps"][:4]
    pids = {seat["pid"] for step in (started, survived) for seat in step["nodes" if step is started else "seats"]}
    pids |= {started["relay"]["pid"], survived["relay"]["pid"]}
    assert len(pids) == 4 + 1 + 1 + 1  # one node and the relay twice
    assert all(gone(pid) for pid in pids)
    assert [what for what, _ in crossed["given"]] == ["STIX 2.1 bundle", "CAP 1.2 alert", "assessment in portions"]
    assert sum("killed (SIGKILL)" in event for event in survived["events"]) == 2
    assert survived["sent"] == acts.SERIES * 4
    assert survived["away"] >= acts.WHILE_AWAY
    assert counted["exit_code"] == 0
    held = {path.name: path.read_bytes() for path in (network / "checkpoints/FIN").iterdir()}
    result = replay(Folder(network), Anchors(bytes.fromhex(started["digest"]), held))
    assert all(head.source in held for head in result.anchored.heads)
    assert len(result.anchored.heads) == 4
    founded = next(step["digest"] for step in said["steps"] if step["title"].startswith("Four states found"))
    anchors = ["--charter-digest", founded, "--checkpoint", str(out / "checkpoints/EST"), "--json"]
    assert main(["audit", "replay", str(out), *anchors]) == 0, "as the demonstration ends with"
    assert json.loads(capsys.readouterr().out)["content"]["findings"] == [], "nothing lies beside it"
    check(out)  # both may be written by the next run
    check(network)


def test_a_process_that_ends_by_itself_ends_the_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []

    async def crash(troupe: Troupe, inputs: object) -> None:
        children = [*(seat.child for seat in troupe.seats.values()), troupe.relay]
        pids.extend(child.pid for child in children if child is not None)
        os.kill(pids[1], signal.SIGKILL)
        await troupe.change.until(lambda: False)

    monkeypatch.setattr(acts, "cross", crash)
    code = main(["demo", "--out", str(tmp_path / "out")])
    err = capsys.readouterr().err
    assert code == 1
    assert err.count("\n") == 1
    assert "LVA's node ended by itself with -9" in err
    assert err.endswith("[child]\n")
    assert list(tmp_path.iterdir()) == []
    assert len(pids) == 5
    assert all(gone(pid) for pid in pids)


def test_a_command_that_fails_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsc_share.demo.network import ground

    monkeypatch.setattr(ground, "_RELAY", ground._RELAY.replace('"store"', '"nowhere/at/all"'))
    assert main(["demo", "--out", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert "the relay ended by itself with 2: rsc-share: your input: this store has no charter yet" in err
    assert err.count("\n") == 1


def announced(process: subprocess.Popen[str]) -> list[int]:
    """The five processes, as soon as the demonstration has named them all."""
    assert process.stdout is not None
    pids: list[int] = []
    for line in process.stdout:
        pids += [int(pid) for pid in re.findall(r"^ +(?:EST|LVA|LTU|FIN|relay) +(\d+) ", line)]
        if len(pids) == 5:
            break
    return pids


def test_processes_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no moment to end them itself."""
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "demo", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "110"},
    ) as process:
        pids = announced(process)
        process.kill()
        process.wait()
    assert len(pids) == 5
    assert all(gone(pid) for pid in pids)


def test_a_child_whose_parent_is_gone_already_does_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "rsc_share.demo.network.child", "1", "relay", "--help"], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (1, "")


def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "demo", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "110"},
    ) as process:
        pids = announced(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.count("\n") == 1
    assert all(gone(pid) for pid in pids)
    assert not out.exists()
