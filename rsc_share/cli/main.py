"""`rsc-share`: finds the room a command belongs to, loads only that one, and ends as `frame` says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rsc_share import __version__
from rsc_share.cli.frame import EXIT_CODES, Exit, Frame
from rsc_share.errors import LocalError

ROOMS = {
    "authority": "Make a member's authority and duty keys; show fingerprints.",
    "charter": "Found a framework and amend it: new, print, diff, propose, sign, status, verify, show.",
    "node": "Make a node's keys and certify them; run it, talk through it; back it up and restore it.",
    "relay": "Make a relay's keys, run it, ask how it is, read its store again.",
    "policy": "Check a policy folder, and ask why a node may or may not read a label.",
    "audit": "Replay an exported log without any key: replay, trace, disclose.",
    "drill": "Practise a loss in a scratch folder: destroy a node and restore it.",
    "demo": "A relay, four states, real input and a replayed audit, in one command.",
}
_SINGLE = ("demo",)
"""Rooms that are one command: their module has a function of that name instead of an `app`."""


def build(wanted: str | None) -> typer.Typer:
    """The command tree with only the wanted room loaded: `rsc-share --help` must not wait for cryptography."""
    root = typer.Typer(
        name="rsc-share",
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Signed, encrypted channels between states, and the audit of their logs.",
        epilog=EXIT_CODES,
    )
    root.callback()(_version)
    for name, about in ROOMS.items():
        if name == wanted:
            _load(root, name, about)
        else:
            root.command(name, help=about)(_elsewhere)
    return root


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"rsc_share {__version__}\n")
        raise typer.Exit


def _version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Options that stand before any command."""


def _elsewhere() -> None:
    """Stands for a room that was not asked for."""


def _load(root: typer.Typer, name: str, about: str) -> None:
    try:
        module = importlib.import_module(f"rsc_share.cli.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"rsc_share.cli.{name}":
            raise
        raise LocalError(f"this build has no `{name}`", code="no-command", advice="install a complete one") from None
    if name in _SINGLE:
        root.command(name, epilog=EXIT_CODES)(getattr(module, name))
    else:
        root.add_typer(module.app, name=name, help=about, epilog=EXIT_CODES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Nothing is raised."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    frame = Frame()
    with frame:
        wanted = given[0] if given and given[0] in ROOMS else None
        if not given or (len(given) == 1 and wanted and wanted not in _SINGLE):
            given.append("--help")
        command = typer.main.get_command(build(wanted))
        code = command.main(given, prog_name="rsc-share", standalone_mode=False)
        if code == Exit.STOPPED:  # what Typer makes of an interrupt; older releases raise Abort
            raise KeyboardInterrupt
        frame.code = code if isinstance(code, int) else Exit.OK
    return frame.code
