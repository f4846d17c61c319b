"""`rsc-share node run` owns a node's directory; `publish`, `listen` and `status` talk to it through its socket."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from rsc_share import collector, names, notify
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, passphrase
from rsc_share.cli.bars import bars
from rsc_share.cli.files import must_be_free
from rsc_share.cli.json_log import JsonLog, Others
from rsc_share.cli.node_state import Given
from rsc_share.cli.node_watch import ADVICE, USUAL, Watch
from rsc_share.cli.output import GOOD, LOOK, WRONG, note, rows, say, show
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError
from rsc_share.node.asking import MAX_FRAME, ask
from rsc_share.node.door import Door
from rsc_share.node.node import opened

Folder = Annotated[Path, typer.Argument(help="The node's home folder.")]
Channel = Annotated[str, typer.Option(help="The channel's name.")]


def run(folder: Folder, unlock_env: UnlockEnv = None, unlock_file: UnlockFile = None) -> None:
    """Run the node until SIGTERM or Ctrl-C. The log goes to stdout, one JSON line an event.

    Kill it whenever you like: nothing acknowledged is lost.
    """
    log, unlock = JsonLog(), Given(passphrase(unlock_env, unlock_file, f"node {folder}"))
    with Others(log):
        asyncio.run(_run(folder, unlock, log))


async def _run(folder: Path, unlock: Given, log: JsonLog) -> None:
    stop = asyncio.Event()

    def asked(why: str) -> None:
        stop.set()  # first: it stops also where the log takes no line any more
        log.info("asked to stop", why=why)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked, number.name)
    async with opened(folder, unlock) as node, Door(node, folder):
        log.info("running", node=node.name)
        watching = asyncio.ensure_future(Watch(node, log).run())
        collector.freeze()
        stopping = asyncio.ensure_future(stop.wait())
        failing = asyncio.ensure_future(node.failed())
        async with notify.serving():
            await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        stopping.cancel()
        if failing.done() and (error := failing.exception()) is not None:
            log.error("stopped", code=getattr(error, "code", "internal"), what=str(error))
            raise error
        failing.cancel()
    log.info("stopped")


def publish(
    folder: Folder,
    channel: Channel,
    label: Annotated[str, typer.Option(help='Such as "TLP:GREEN REL TO @members".')],
    kind: Annotated[str, typer.Option("--type", help="Message type, such as cyber/indicator/1.")],
    body: Annotated[Path | None, typer.Option(help="JSON file with the message; without it, standard input.")] = None,
    key: Annotated[str | None, typer.Option(help="A rerun under the same key is the same message.")] = None,
    precedence: Annotated[str, typer.Option(help="FLASH, IMMEDIATE, PRIORITY or ROUTINE.")] = "ROUTINE",
    attach: Annotated[
        list[Path] | None, typer.Option(help="A file to go with it; it stays as it is until the relay has it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until the relay has logged it and proved that.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish one message. When this returns it is on the node's disk and goes out once."""
    fields = {"body": _text(body), "channel": channel, "key": key, "label": label, "precedence": precedence}
    files = [[str(path.absolute()), _media(path)] for path in attach or []]
    answers = asyncio.run(_all(folder, "publish", {**fields, "attach": files, "type": kind, "wait": wait}))
    found = {name: value for answer in answers for name, value in answer[1].items()}
    if as_json:
        show(found)
        return
    say(found.get("reference", found["id"]), GOOD)
    note(f"for {', '.join(found['members'])}" + ("" if wait else "; queued: it leaves as soon as the relay answers"))


def _media(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _text(body: Path | None) -> str:
    """At most what the socket takes, and one byte: the rest is never read."""
    try:
        data = sys.stdin.buffer.read(MAX_FRAME + 1) if body is None else _beginning(body)
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise LocalError(f"{body or 'the input'} is not UTF-8", advice="a message is JSON in UTF-8") from None


def _beginning(body: Path) -> bytes:
    """Of a file, or of a pipe that a shell gave a name."""
    try:
        with body.open("rb") as file:
            return file.read(MAX_FRAME + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise LocalError(f"there is no file {body}", code="no-file", advice="check the name") from None
    except IsADirectoryError:
        raise LocalError(f"{body} is a folder, not a file", code="no-file", advice="name a file") from None


def listen(
    folder: Folder,
    channel: Channel,
    consumer: Annotated[str, typer.Option(help="Each consumer gets everything, and has its own place.")] = "default",
    count: Annotated[int | None, typer.Option(help="Stop after this many; without it, never.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for attachments, one below it for each message; without it, none.")
    ] = None,
) -> None:
    """Print messages as they come, one JSON document a line. Printed is done: it does not come again."""
    asyncio.run(_listen(folder, channel, consumer, count, None if save is None else str(save.absolute())))


async def _listen(folder: Path, channel: str, consumer: str, count: int | None, save: str | None = None) -> None:
    async for fields in _shown(ask(folder, "listen", {"channel": channel, "consumer": consumer, "save": save}, count)):
        sys.stdout.write(json.dumps({**fields, "body": json.loads(fields["body"])}, sort_keys=True) + "\n")
        sys.stdout.flush()


def status(folder: Folder, as_json: AsJson = False) -> int:
    """How far the node has read, what waits, and what is wrong. Exit code 1: something is."""
    ((_, found),) = asyncio.run(_all(folder, "status", {}))
    away = {host: why for host, why in sorted(found.get("relays", {}).items()) if why is not None}
    wrong = bool(found["stopped"] or found["turned_away"] or away)
    wrong = wrong or not all(log["alive"] for log in found["logs"].values())
    if as_json:
        show(found)
        return int(wrong)
    say(f"{found['node']}, instance {found['instance'][:8]}, directory of {found['directory']['size']} entries", "bold")
    lines = [
        (
            (log, str(s["size"]), str(s["witnessed"]), str(s["outbox"]), "yes" if s["sends"] else "no"),
            GOOD if s["alive"] and s["sends"] else LOOK if s["alive"] else WRONG,
        )
        for log, s in sorted(found["logs"].items())
    ]
    rows(("log", "read", "witnessed", "waiting", "sends"), lines)
    for alarm in found["alarms"]:
        when = datetime.fromtimestamp(alarm["time"] // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        say(f"{when} {alarm['code']}: {alarm['what']}; now: {ADVICE.get(alarm['code'], USUAL)}", LOOK)
    for host, why in away.items():
        say(f"no session with {host}: {why['what']} [{why['code']}]; what is queued leaves when there is one", WRONG)
    for word in ("stopped", "turned_away"):
        if found[word]:
            say(f"{word.replace('_', ' ')}: {found[word]}", WRONG)
    return int(wrong)


def checkpoints(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="New folder: one file for each log.")],
    as_json: AsJson = False,
) -> None:
    """What this member gives an auditor itself: the newest witnessed checkpoint it holds of every log it reads.

    No relay stands between the two; `audit replay --checkpoint OUT` holds the relay's export against it.
    """
    must_be_free(out)
    answers = asyncio.run(_all(folder, "checkpoints", {}))
    files = {names.channel_of(fields["log"]): fields["note"] for _, fields in answers}
    for name, data in files.items():
        write_whole(out / name, data)
    if as_json:
        show({"logs": sorted(files), "out": str(out)})
        return
    say(f"{out}: {', '.join(sorted(files))}", GOOD)


async def _all(folder: Path, name: str, fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    with bars(of_bytes=True) as report:
        async for kind, answer in ask(folder, name, fields):
            if kind == "progress":
                report(answer["what"], answer["done"], answer["total"])
            else:
                found.append((kind, answer))
    if not found:
        raise LocalError(f"the node in {folder} gave no answer", code="not-running")
    return found


async def _shown(answers: AsyncIterator[tuple[str, dict[str, Any]]]) -> AsyncIterator[dict[str, Any]]:
    """The messages; bars for what is saved before each."""
    with bars(of_bytes=True) as report:
        async for kind, fields in answers:
            if kind == "progress":
                report(fields["what"], fields["done"], fields["total"])
            else:
                yield fields
