"""Whatever fails around a command, and however it is called: one line, the documented exit code, no traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cli_world import LINE, SECRET, Founders, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from rsc_share import __version__
from rsc_share.cli import files, main
from rsc_share.cli.frame import EXIT_CODES, Exit, outcome, visible
from rsc_share.errors import LocalError, Misbehaviour, PolicyDenied, Refused, RemoteError, StorageError, Unavailable

# --- the machine


def test_full_disk_leaves_nothing(
    founders: Founders, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    run("charter", "print", founders.packet, "--out", out).fails(74, "not-written")
    assert not out.exists()
    ran = run("charter", "propose", founders.packet / "charter.toml", "--out", out, "--keys", founders.keys)
    assert ran.code == 74
    assert not out.exists()
    assert run("authority", "init", out, "--member", "EST", *founders.unlock()).code == 74
    assert not out.exists()
    monkeypatch.undo()
    assert run("authority", "init", out, "--member", "EST", *founders.unlock()).code == 0, (
        "what is left over does not stop it"
    )


def test_unexpected_os_errors_interrupts_and_bugs(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def raising(error: BaseException) -> None:
        def act(*_: object) -> None:
            raise error

        monkeypatch.setattr(main, "build", act)

    raising(OSError(errno.EIO, "Input/output error", "/dev/x"))
    run("charter").fails(74, "storage")
    raising(KeyboardInterrupt())
    run("charter").fails(130, "stopped")
    raising(EOFError())
    run("charter").fails(130, "stopped")
    raising(KeyError("where\nit broke\x1b[31m"))
    run("charter").fails(70, "bug")
    monkeypatch.setenv("RSC_TRACEBACK", "1")
    assert "Traceback" in run("charter").err


def test_interrupt_inside_a_command(founders: Founders, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rsc_share.cli.packet.read_packet", interrupted)
    run("charter", "show", founders.packet).fails(130, "stopped")


def test_room_that_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.ROOMS, "attic", "Nothing.")
    run("attic", "x").fails(2, "no-command")


@pytest.mark.parametrize(
    ("error", "code", "now"),
    [
        (LocalError("x"), 2, "correct it"),
        (LocalError("x", code="wrong-passphrase"), 2, "give the right one"),
        (LocalError("x", code="not-running"), 69, "not available"),
        (Refused("unknown-sender", "x", row=3), 1, "clock"),
        (StorageError("x", code="no-socket"), 74, "shorter path"),
        (sqlite3.DatabaseError("database disk image is malformed"), 74, "[damaged-state]"),
        (LocalError("x", advice="do that"), 2, "do that"),
        (RemoteError("x"), 2, "do not use it"),
        (RemoteError("x", code="bad-signature"), 1, "do not use it"),
        (Misbehaviour("x"), 1, "evidence"),
        (PolicyDenied("x"), 1, "explain"),
        (Refused("stale-directory", "x", row=5), 1, "fetch the directory"),
        (Refused("revoked", "x", row=3), 1, "row"),
        (RemoteError("x", code="expired"), 2, "ask the member's authority"),
        (Unavailable("x", retry_after=7), 69, "in 7 s"),
        (Unavailable("x"), 69, "later"),
        (StorageError("x"), 74, "disk"),
        (OSError(errno.ENOENT, "No such file", "f"), 74, "disk"),
        (SystemExit(3), 3, ""),
    ],
)
def test_every_error_of_the_library_has_its_exit_code_and_advice(error: BaseException, code: int, now: str) -> None:
    found, line = outcome(error)
    assert found == code
    assert now in line


def test_exit_codes_are_documented(run: Run) -> None:
    assert all(f"{code.value} " in EXIT_CODES for code in Exit)
    assert "70 a bug" in " ".join(run("--help").out.split())


def test_control_characters_of_others_are_spelt_out() -> None:
    assert visible("a\x1b[31m\u202eb\tc\n") == "a\\u001b[31m\\u202eb\tc\n"


def test_a_pipe_is_no_file(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    run("charter", "show", tmp_path / "pipe").fails(2, "no-file")
    (tmp_path / "long").write_bytes(b"x" * (files.MAX_SMALL + 1))
    run("charter", "show", tmp_path / "long").fails(2, "too-long")
    run("charter", "show", "a\x00b").fails(2, "usage")
    run("charter", "show", tmp_path / "none\x1b[31m").fails(2, "no-file")


# --- the command line itself


def test_version(run: Run) -> None:
    assert run("--version").out == f"rsc_share {__version__}\n"
    assert "--version" in run("--help").out


def test_a_usage_error_names_the_option(run: Run) -> None:
    assert "'--seed'" in run("audit", "sample", "x").err
    assert "'--n'" in run("audit", "sample", "x", "--seed", "s", "--n", "0").err
    assert "'folder'" in run("node", "status").err


def test_a_message_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    told = ("--channel", "main", "--type", "cyber/indicator/1", "--label", "TLP:GREEN REL TO @members", "--body")
    for body in (tmp_path / "none.json", tmp_path, tmp_path / "none.json" / "x"):
        run("node", "publish", tmp_path, *told, body).fails(2, "no-file")


def test_usage_errors(run: Run) -> None:
    run("charterr").fails(2, "usage")
    run("--colour").fails(2, "usage")
    run("charter", "sign").fails(2, "usage")
    run("charter", "show", "--nonsense").fails(2, "usage")
    run("audit", "sample", "x", "--seed", "s", "--n", "many").fails(2, "usage")


@pytest.mark.parametrize("room", ["authority", "charter", "node", "relay", "audit"])
def test_every_command_has_help(run: Run, room: str) -> None:
    listed = run(room)
    assert listed.code == 0
    assert "Exit codes" in listed.out
    assert listed.out == run(room, "--help").out


WORDS = (
    *("authority", "charter", "node", "relay", "audit", "init", "fingerprint", "new", "print", "diff", "propose"),
    *("sign", "verify", "status", "show", "certify", "replay", "trace", "disclose", "sample", "--json", "--out"),
    *("--from", "--keys", "--after", "--member", "EST", "--node", "EST/x", "--host", "h", "--help", "--charter"),
    *("--unlock-env", "--unlock-file", "--authority", "--digest-end", "00000000", "--seed", "--n", "-1", "--"),
    *("", "\x00", "\ud800", "é", "9" * 300, "../..", "/dev/null", "/proc", "PACKET", "KEYS"),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7))
def test_fuzzed_arguments_never_show_a_traceback(founders: Founders, words: list[str]) -> None:
    known = {"PACKET": str(founders.packet), "KEYS": str(founders.keys)}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(founders.root / "empty"):
        code = main.main([known.get(word, word) for word in words])
    assert code in {0, 1, 2, 3, 74}, err.getvalue()
    assert "Traceback" not in out.getvalue() + err.getvalue()


def test_help_is_quick_and_loads_no_cryptography() -> None:
    program = (
        "import sys; from rsc_share.cli.main import main; code = main(['--help']);"
        "heavy = [m for m in ('nacl', 'cryptography', 'pydantic', 'aiohttp', 'sqlite3') if m in sys.modules];"
        "sys.exit(code or (f'loaded {heavy}' if heavy else 0))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert b"\x1b[" not in done.stdout, "no colours in a pipe"


def test_interrupted_and_piped_processes_end_quietly(founders: Founders) -> None:
    program = "from rsc_share.cli.start import run; run()"
    shell = f"{sys.executable} -c '{program}' charter print {founders.packet} | head -c 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False, timeout=30)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_bug(founders: Founders, closed: str) -> None:
    shell = f"{sys.executable} -c 'from rsc_share.cli.start import run; run()' charter show {founders.packet} {closed}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["show", "print"])
def test_a_title_that_the_terminal_cannot_show_is_spelt_out(founders: Founders, tmp_path: Path, command: str) -> None:
    text = (founders.packet / "charter.toml").read_text().replace("State of EST", "\u0112st S\u00fcd")
    (tmp_path / "c.toml").write_text(text)
    program = [sys.executable, "-c", "from rsc_share.cli.start import run; run()", "charter", command]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*program, tmp_path / "c.toml"], capture_output=True, check=False, timeout=30, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u0112st S\\xfcd" in done.stdout


def test_an_interrupt_while_it_is_loaded_is_one_line(founders: Founders, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")  # what Ctrl-C is to whatever is loaded then
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['--help'];"
        "from rsc_share.cli.start import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)
    assert done.returncode == 130
    assert LINE.fullmatch(done.stderr.decode()), done.stderr


def test_secret_never_appears(founders: Founders, run: Run, tmp_path: Path) -> None:
    ran = run("authority", "init", tmp_path / "EST", "--member", "EST", *founders.unlock(), "--json")
    assert SECRET not in ran.out + ran.err
