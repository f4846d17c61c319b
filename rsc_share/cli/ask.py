"""Questions to the person at the terminal, and passphrases from where the command line says.

A passphrase never stands on the command line: every user of a machine may list its processes.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from rsc_share.cli.frame import visible
from rsc_share.errors import LocalError
from rsc_share.node.unlock import Unlock

UnlockEnv = Annotated[str | None, typer.Option(metavar="NAME", help="Passphrase from this environment variable.")]
UnlockFile = Annotated[Path | None, typer.Option(metavar="PATH", help="Passphrase from this file's first line.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
MIN_NEW = 8
"""Characters of a new passphrase. Argon2id makes guessing slow, not short words good."""


def interactive() -> bool:
    return sys.stdin.isatty()


def passphrase(env: str | None, file: Path | None, what: str) -> bytes:
    """The passphrase that opens something. Raises `LocalError` (`no-passphrase`, `usage`)."""
    source = _source(env, file)
    if source is not None:
        return source.passphrase()
    return _typed(f"Passphrase of {what}: ")


def new_passphrase(env: str | None, file: Path | None, what: str) -> bytes:
    """A passphrase for something new; typed twice."""
    source = _source(env, file)
    found = source.passphrase() if source is not None else _typed(f"New passphrase of {what}: ")
    if len(found) < MIN_NEW:
        raise LocalError(
            f"the new passphrase of {what} is shorter than {MIN_NEW} characters",
            code="weak-passphrase",
            advice="take five words or more",
        )
    if source is None and _typed("The same again: ") != found:
        raise LocalError("the two passphrases differ", code="passphrases-differ", advice="run it again")
    return found


def _source(env: str | None, file: Path | None) -> Unlock | None:
    if env is not None and file is not None:
        raise LocalError("--unlock-env and --unlock-file at once", code="usage", advice="give one of them")
    if env is not None:
        return Unlock.env(env)
    return None if file is None else Unlock.file(file)


def _typed(question: str) -> bytes:
    if not interactive():
        raise LocalError("there is no passphrase and no terminal to ask for one", code="no-passphrase")
    return getpass.getpass(visible(question)).encode("utf-8", "surrogateescape")


def line(question: str, usual: str | None = None) -> str:
    """One answer. Raises `LocalError` (`no-terminal`) where nobody can be asked."""
    if not interactive():
        raise LocalError(f"there is no terminal to ask: {question}", code="no-terminal", advice="see the options")
    shown = f"{question} [{usual}]: " if usual else f"{question}: "
    sys.stderr.write(visible(shown))
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise EOFError
    return answer.strip() or usual or ""


def yes(question: str) -> bool:
    return line(f"{question} (yes/no)", "no").lower() in ("yes", "y")


def ending(given: str | None, digest: str, what: str) -> None:
    """Raise `LocalError` (`wrong-digits`) unless a person read the end of `digest` from paper and it is right.

    `given` is what `--digest-end` says: 8 to 64 digits, spaces as they like. On a terminal the whole digest is shown
    after the right answer, never before, and has to be confirmed: 8 digits can be forged with patience, 64 cannot.
    """
    answer = given if given is not None else line(f"The last 8 hexadecimal digits of {what}, read from paper")
    typed = "".join(answer.split()).lower()
    if not 8 <= len(typed) <= len(digest) or set(typed) - set("0123456789abcdef"):
        raise LocalError(f"{answer!r} is not 8 to {len(digest)} hexadecimal digits", code="digits")
    if not digest.endswith(typed):
        raise LocalError(f"those are not the last digits of {what}", code="wrong-digits")
    if given is None:
        groups = " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
        sys.stderr.write(f"    {groups[:35]}\n    {groups[36:]}\n")
        if not yes("Do all 8 groups stand on your paper?"):
            raise LocalError(f"the paper shows another digest than {what}", code="wrong-digits")
