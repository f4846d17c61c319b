"""`rsc-share node backup` and `restore`: what a new instance may know of the one that was lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, passphrase
from rsc_share.cli.output import GOOD, note, say, show
from rsc_share.errors import LocalError
from rsc_share.node.asking import ask
from rsc_share.node.backup import restore as restore_node
from rsc_share.node.backup import summary, write_backup
from rsc_share.node.home import Home
from rsc_share.node.identity import system_clock


class Given:
    """A passphrase that the command line has found already."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def passphrase(self) -> bytes:
        return self._secret


def backup(
    folder: Annotated[Path, typer.Argument(help="The node's home folder; a node that runs there is asked.")],
    out: Annotated[Path, typer.Option(help="New file for the backup.")],
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a node's backup: identity, inbox, outbox, cursors; nothing to open or sign with twice."""
    count = asyncio.run(_asked(folder, str(out.absolute())))
    if count is None:
        count = asyncio.run(_backup(folder, out, passphrase(unlock_env, unlock_file, f"node {folder}")))
    if as_json:
        show({"file": str(out), "rows": count})
        return
    say(f"{out}: {count} rows", GOOD)
    note("It opens with the node's passphrase of today. Keep it where you keep keys.")


async def _asked(folder: Path, out: str) -> int | None:
    """The rows in the backup a running node has written; None if no node runs in this folder."""
    try:
        ((_, found),) = [answer async for answer in ask(folder, "backup", {"out": out})]
    except LocalError as error:
        if error.code == "not-running":
            return None
        raise
    return int(found["rows"])


async def _backup(folder: Path, out: Path, secret: bytes) -> int:
    home = Home.open(folder, Given(secret))
    try:
        store = home.store()
        try:
            return write_backup(out, home, store, system_clock())
        finally:
            await store.close()
    finally:
        home.close()


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    folder: Annotated[Path, typer.Argument(help="New or empty folder: the home of the new instance.")],
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new instance of a node from a backup. Stop every other copy of that node first, for good."""
    contents = asyncio.run(restore_node(file, folder, passphrase(unlock_env, unlock_file, f"backup {file}")))
    if as_json:
        show({"folder": str(folder), "rows": summary(contents), "time": contents.time})
        return
    made = datetime.fromtimestamp(contents.time // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    say(f"{folder}: a new instance, from a backup of {made}", GOOD)
    note("It makes new prekeys, reads its logs from the beginning and takes its numbers from there.")
    note("What was sealed to the lost instance it cannot open: ask the senders to send it again.")
