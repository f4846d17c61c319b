"""How every command ends: an exit code and, where something was wrong, one line on stderr in one form.

    rsc-share: <whose fault>: <what is wrong>; now: <what to do> [<code>]

Never a traceback: a bug is one line too, and `RSC_TRACEBACK=1` shows where it is.
"""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum
from types import TracebackType

import typer

from rsc_share.errors import (
    LocalError,
    Misbehaviour,
    PolicyDenied,
    Refused,
    RemoteError,
    RscError,
    StorageError,
    Unavailable,
)


class Exit(IntEnum):
    """Exit codes; `rsc-share --help` prints these lines."""

    OK = 0
    FINDINGS = 1
    BAD_INPUT = 2
    AGAINST_ITSELF = 3
    UNAVAILABLE = 69
    BUG = 70
    STORAGE = 74
    TEMPORARY = 75
    STOPPED = 130
    UNREAD = 141


EXIT_CODES = (
    "Exit codes: 0 ok; 1 findings, refused, or not complete; 2 wrong input or usage; "
    "3 checked against itself only; 69 not available now; 70 a bug; 74 this machine's disk or keystore; "
    "75 a service that may start later; 130 stopped; 141 nobody read the output to its end."
)

TRACEBACK = "RSC_TRACEBACK"
USAGE = typer.BadParameter.__bases__[0]
"""Typer's `UsageError`, whose module is another one in each of its releases."""

_VERDICTS = ("bad-signature", "quorum", "unsigned", "version", "previous", "wrong-charter", "wrong-digits", "child")
"""Codes that say that something was checked and found wanting, not that it could not be read."""
_TEMPORARY = ("listen",)
"""Codes of a service that could not start and may soon: whoever watches it starts it again."""
_AWAY = ("not-running",)
"""Codes of a call that is right, to somebody who is not there now."""
_FAULT: tuple[tuple[type[BaseException], str, Exit, str], ...] = (
    (Misbehaviour, "somebody cheated", Exit.FINDINGS, "keep the evidence and call the other members"),
    (RemoteError, "the file or its sender", Exit.BAD_INPUT, "do not use it; ask its sender for it again"),
    (PolicyDenied, "the sharing policy", Exit.FINDINGS, "nothing was sent; `policy explain` says which step"),
    (Refused, "refused", Exit.FINDINGS, "see the row of the admission table in docs/protocol.md"),
    (Unavailable, "not available", Exit.UNAVAILABLE, "try again later"),
    (StorageError, "this machine", Exit.STORAGE, "look at the disk; nothing was half written"),
    (LocalError, "your input", Exit.BAD_INPUT, "correct it and run the command again"),
    (RscError, "your input", Exit.BAD_INPUT, "correct it and run the command again"),
)
_DATABASE = "look at the disk; then `relay check` for a relay, a backup and `node restore` for a node"
_ADVICE = {
    "wrong-passphrase": "give the right one; the keystore is as it was",
    "unknown-sender": "look at this machine's clock, and at the last day of the node's certificate",
    "no-socket": "give the node a home with a shorter path, on a file system of this machine",
    "no-passphrase": "give --unlock-env NAME or --unlock-file PATH, or run it on a terminal",
    "no-keystore": "name the file that `init` made",
    "damaged-keystore": "restore it from a backup",
    "expired": "its time is over: ask the member's authority for a new one",
    "charter-expired": "the members must sign the next version: `charter new --after`",
    "stale-directory": "let the node fetch the directory from its relay, then try again",
    "directory-ahead": "let the node fetch the directory from its relay, then try again",
    "in-use": "stop that process, or use its node",
    "wrong-digits": "do not sign; compare the whole digest with the paper and ask who sent the text",
    "unreadable-export": "ask for the export again; its manifest and logs must lie in this folder",
    "quorum": "`charter status` says who is missing",
}


class Frame:
    """Around a whole command: turns what comes out into a line and `code`; nothing passes but a wish to exit."""

    def __init__(self) -> None:
        self.code = int(Exit.OK)

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return True
        if os.environ.get(TRACEBACK):
            traceback.print_exception(kind, error, trace)
        self.code, line = outcome(error)
        if line:
            sys.stderr.write(f"rsc-share: {one_line(line)}\n")
        return True


def outcome(error: BaseException) -> tuple[int, str]:
    """The exit code and the line for whatever a command raised."""
    if isinstance(error, SystemExit | BrokenPipeError) and _unread(error):
        # `... | head` is no finding: without this the code would be that of one.
        return Exit.UNREAD, ""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None), ""
    if isinstance(error, KeyboardInterrupt | typer.Abort | EOFError):
        return Exit.STOPPED, "stopped: nothing was half written; now: run it again when you like [stopped]"
    if isinstance(error, USAGE):
        what = error.format_message().rstrip(".")  # type: ignore[attr-defined]  # names the option; `str` does not
        return Exit.BAD_INPUT, f"usage: {what}; now: `rsc-share COMMAND --help` shows what fits [usage]"
    for known, fault, code, now in _FAULT:
        if isinstance(error, known) and isinstance(error, RscError):
            code = Exit.FINDINGS if error.code in _VERDICTS else code
            code = Exit.TEMPORARY if error.code in _TEMPORARY and code == Exit.UNAVAILABLE else code
            if isinstance(error, LocalError) and error.code in _AWAY:
                fault, code = "not available", Exit.UNAVAILABLE
            return code, f"{fault}: {error.what}; now: {error.advice or _now(error, now)} [{error.code}]"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Exit.STORAGE, f"this machine: {where}{error.strerror or error}; now: {_FAULT[5][3]} [storage]"
    if type(error).__module__ == "sqlite3":  # a page that was damaged shows only when it is read
        return Exit.STORAGE, f"this machine: a store cannot be read: {error}; now: {_DATABASE} [damaged-state]"
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Exit.BUG, f"a bug in rsc-share: {what}; now: run it with {TRACEBACK}=1 and report what it shows [bug]"


def _unread(error: BaseException) -> bool:
    """Whether whoever read our output went away; the console turns that into an exit of its own."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)


def _now(error: RscError, usual: str) -> str:
    if isinstance(error, Unavailable) and error.retry_after is not None:
        return f"try again in {error.retry_after:.0f} s"
    return _ADVICE.get(error.code, usual)


def one_line(text: str) -> str:
    """Text of others on one line, with control characters spelt out: a file name may hold an escape sequence."""
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    """Text of others for a terminal: every control or format character but newline and tab as its code point."""
    return "".join(c if c in "\n\t" or (c.isprintable() and c != "\x1b") else f"\\u{ord(c):04x}" for c in text)
