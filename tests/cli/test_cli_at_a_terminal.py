"""A person at the keyboard: questions, passphrases typed twice, digits read from paper, colours that obey NO_COLOR."""

from __future__ import annotations

import getpass
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cli_world import SECRET, Founders, Run, main

from rsc_share.cli import ask
from rsc_share.cli.frame import Exit

Sits = Callable[..., None]


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def sits(monkeypatch: pytest.MonkeyPatch) -> Sits:
    """Somebody who types these lines, and these passphrases where they are asked for."""

    def sit(lines: Sequence[str] = (), secrets: Sequence[str] = ()) -> None:
        typed = iter(secrets)
        monkeypatch.setattr(sys, "stdin", Keyboard("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(getpass, "getpass", lambda _: next(typed))

    return sit


def test_digits_then_the_whole_digest_then_the_passphrase(
    founders: Founders, packet: Path, run: Run, sits: Sits
) -> None:
    (packet / "signatures/EST.sig").unlink()
    args = ("charter", "sign", packet, "--authority", founders.authority("EST"))
    sits([founders.digest[-8:], "yes"], [SECRET])
    ran = run(*args)
    assert ran.code == 0, ran
    shown = " ".join(ran.err.split())
    assert " ".join(founders.digest[at : at + 8] for at in range(0, 64, 8)) in shown


def test_a_forged_ending_is_caught_by_the_other_seven_groups(
    founders: Founders, packet: Path, run: Run, sits: Sits
) -> None:
    """32 bits can be forged with patience: the person compares all of it before anything is unlocked."""
    (packet / "signatures/EST.sig").unlink()
    sits([founders.digest[-8:], "no"])
    run("charter", "sign", packet, "--authority", founders.authority("EST")).fails(1, "wrong-digits")
    sits(["12345678"])
    ran = run("charter", "sign", packet, "--authority", founders.authority("EST"))
    ran.fails(1, "wrong-digits")
    assert founders.digest[-8:] not in ran.err, "the right answer is never shown first"


def test_end_of_input_stops(founders: Founders, packet: Path, run: Run, sits: Sits) -> None:
    sits([])
    run("charter", "sign", packet, "--authority", founders.authority("EST")).fails(Exit.STOPPED, "stopped")


def test_new_passphrases_are_typed_twice(run: Run, sits: Sits, tmp_path: Path) -> None:
    args = ("authority", "init", tmp_path / "EST", "--member", "EST")
    sits([], ["long enough", "long enougj"])
    run(*args).fails(2, "passphrases-differ")
    sits([], ["short"])
    run(*args).fails(2, "weak-passphrase")
    assert not (tmp_path / "EST").exists()
    sits([], ["for the safe", "for the safe", "for the desk", "for the desk"])
    assert run(*args).code == 0
    sits([], ["for the desk"])
    assert run("authority", "fingerprint", tmp_path / "EST/duty.keystore").code == 0
    sits([], ["for the desk"])
    run("authority", "fingerprint", tmp_path / "EST/authority.keystore").fails(2, "wrong-passphrase")


ANSWERS = [
    *("Regional!", "regional", "2026-01-01", "next year", "2099-12-31", "", ""),
    *("", "", "member", "@nordic", "member", "", "observer", "", "member", "", "member", ""),
    *("counter-terrorism", "", "", "", "", "threat, terrorism", "no"),
]


def test_interview_writes_a_plan_and_the_text(founders: Founders, run: Run, sits: Sits, tmp_path: Path) -> None:
    sits(ANSWERS)
    out = tmp_path / "charter.toml"
    ran = run("charter", "new", out, "--keys", founders.keys)
    assert ran.code == 0, ran
    values = run("charter", "show", out, "--json").json
    assert values["members"]["EST"]["groups"] == ["@nordic"]
    assert values["members"]["HUB"]["role"] == "observer"
    assert values["channels"]["counter-terrorism"]["families"] == ["terrorism", "threat"]
    plan = tmp_path / "charter.plan.toml"
    again = tmp_path / "again.toml"
    assert run("charter", "new", again, "--from", plan, "--keys", founders.keys).code == 0
    assert again.read_bytes() == out.read_bytes()


def test_interview_gives_up_and_writes_nothing(founders: Founders, run: Run, sits: Sits, tmp_path: Path) -> None:
    sits(["A", "B", "C"])
    run("charter", "new", tmp_path / "x.toml", "--keys", founders.keys).fails(2, "answer")
    sits([])
    run("charter", "new", tmp_path / "x.toml", "--keys", founders.root / "EST").fails(2, "keys")
    assert list(tmp_path.iterdir()) == []


def test_nobody_to_interview(founders: Founders, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rsc_share.cli.charter.interactive", lambda: False)
    run("charter", "new", tmp_path / "x.toml", "--keys", founders.keys).fails(2, "no-terminal")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("colour", [True, False])
def test_colours_on_a_terminal_obey_no_color(packet: Path, monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    if colour:
        monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["charter", "status", str(packet)]) == 0
    assert ("\x1b[32m" in screen.getvalue()) == colour


def test_ending_takes_more_than_eight_digits() -> None:
    ask.ending("ABCD ef01 2345", "0" * 52 + "abcdef012345", "it")
