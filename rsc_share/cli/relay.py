"""`rsc-share relay`: make a relay's keys and settings, run it, ask how it is, read its store again."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rsc_share import names
from rsc_share.cli import keys
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, new_passphrase
from rsc_share.cli.bars import bars
from rsc_share.cli.charter_verify import OBJECT, entry_files
from rsc_share.cli.files import must_be_free
from rsc_share.cli.json_log import JsonLog, Others
from rsc_share.cli.output import GOOD, LOOK, WRONG, digits, note, rows, say, show
from rsc_share.cli.packet import read_packet
from rsc_share.cli.relay_export import export
from rsc_share.cli.relay_files import (
    CONFIG,
    TLS_CERTIFICATE,
    TLS_KEY,
    checked_settings,
    passphrase_of,
    settings_of,
    template,
)
from rsc_share.crypto.keystore import Keystore
from rsc_share.crypto.tls import read_certificate, self_signed
from rsc_share.errors import LocalError, Unavailable
from rsc_share.node.identity import system_clock
from rsc_share.relay.net.process import Founding, Process
from rsc_share.relay.net.settings import MEMORY, Settings
from rsc_share.relay.net.tls import small_buffers
from rsc_share.relay.notes import LogKeys
from rsc_share.relay.store.ballast import Ballast
from rsc_share.relay.store.check import Checked, Progress
from rsc_share.relay.store.check import check as check_store

app = typer.Typer(rich_markup_mode=None)
app.command()(export)
Config = Annotated[Path, typer.Argument(help="The relay's settings, relay.toml.")]
ASK_SECONDS = 5.0
MAX_PINS = 8


@app.callback()
def _relay() -> None:
    """Make a relay's keys, run it, ask how it is."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder for keys, settings and the public file.")],
    host: Annotated[str, typer.Option(help="Host and port as the charter will name it, such as relay.example:8443.")],
    operator: Annotated[str, typer.Option(help="Member that runs it; its own witnesses do not count here.")],
    tls_pin: Annotated[list[str] | None, typer.Option(help="Pin of a further TLS key, such as the next one.")] = None,
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a relay's log keys (Ed25519 and ML-DSA-44), TLS key, settings, and the public file for the charter."""
    where, by = keys.named(names.host, host, "--host"), keys.named(names.member, operator, "--operator")
    others = tls_pin or []
    for pin in others:
        if len(pin) != 64 or set(pin) - set("0123456789abcdef"):
            raise LocalError(f"--tls-pin {pin!r} is not 64 hex digits in lower case", code="tls-pin")
    if len(others) >= MAX_PINS:
        raise LocalError(f"a charter names at most {MAX_PINS} pins of one relay", code="tls-pin")
    must_be_free(folder)
    secret = new_passphrase(unlock_env, unlock_file, "the log keystore")
    made = keys.fresh("relay")
    tls_key, certificate = self_signed(where, system_clock())
    own = read_certificate(certificate)[0]
    public = keys.key_file("relay", where, made, {"operator": by, "tls_pins": [own, *others]})
    files = {
        TLS_KEY: (tls_key, 0o600),
        TLS_CERTIFICATE: (certificate, 0o644),
        CONFIG: (template(where, keys.LOG), 0o644),
    }
    keys.make_folder(folder, public, {keys.LOG: (made, secret)}, files)
    keys.tell(public, folder / public.file_name, as_json=as_json)
    if not as_json:
        say(f"  {'tls pin':<12}{digits(own)}")
        note(f"Nodes reach it at wss://{where}#{own}; write the charter's digest into {folder / CONFIG}, then run it.")


@app.command()
def run(
    config: Config,
    found: Annotated[
        Path | None, typer.Option(help="Packet of charter version 1: log it in an empty store. Once, ever.")
    ] = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="The store is a copy and the folder `heads` is lost: ask every node.")
    ] = False,
) -> None:
    """Serve until SIGTERM. The log goes to stdout, one JSON line an event; SIGHUP reads the settings again."""
    settings = checked_settings(config)
    keystore = Keystore.open(settings.keystore, passphrase_of(settings))
    log_keys = LogKeys(keystore.signer("log"), keystore.signer("log-pq"))
    log = JsonLog()
    log.set_level(settings.log_level)
    founding = None if found is None else _founding(found, settings)

    async def serve() -> None:
        process = Process(lambda: settings_of(config), log_keys, system_clock, log, log.set_level)
        await process.run(founding, restored=restored)

    with Others(log), asyncio.Runner(loop_factory=_loop(log)) as runner:
        runner.run(serve())


def _founding(folder: Path, settings: Settings) -> Founding:
    packet = read_packet(folder)
    if packet.charter.digest != settings.charter:
        raise LocalError(
            f"{folder} holds another charter than the settings name",
            code="wrong-charter",
            advice="`--found` takes the packet of version 1; compare its digest with the paper",
        )
    files = entry_files(packet)
    bodies = {hashlib.sha256(data).digest(): data for name, data in files.items() if name != OBJECT}
    return files[OBJECT], bodies


def _loop(log: JsonLog) -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where it is installed (extra `fast`); else asyncio with small TLS buffers."""
    try:
        import uvloop
    except ImportError:
        if not small_buffers():
            log.warning("this Python has no setting for small TLS buffers: an idle session takes 290 KiB")
        return asyncio.new_event_loop
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


@app.command()
def status(config: Config, as_json: AsJson = False) -> None:
    """Ask a running relay how its logs are. Exit code 0: all take entries; 1: not all; 69: nobody answers."""
    settings = checked_settings(config)
    if settings.health is None:
        raise LocalError(f"{config} says health = off", code="no-health", advice="give it an address")
    found = _ask(settings.health.address, settings.health.port)
    if as_json:
        show(found)
    else:
        lines = [([log, state], GOOD if state == "ready" else LOOK) for log, state in sorted(found["logs"].items())]
        rows(["log", "state"], lines)
    if not found["ready"]:
        raise typer.Exit(1)


@app.command()
def check(
    config: Config,
    pace: Annotated[
        int | None, typer.Option(min=1, help="MiB a second that are read at most: beside a relay that serves.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="From the beginning, though another check was interrupted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read the whole store again, beside a running relay or without one. Exit code 0: it fits; 1: it does not.

    A store that stopped with code 74 opens again after a check that found nothing.
    """
    settings = checked_settings(config)
    if settings.store == MEMORY:
        raise LocalError(f"{config} keeps its logs in memory: there is nothing to check", code="store")
    with bars() as report:
        found = check_store(
            Path(settings.store),
            progress=lambda step: report(_bar(step), step.checked, step.size),
            bytes_per_s=None if pace is None else pace << 20,
            resume=not anew,
        )
    if as_json:
        findings = [{"log": item.log, "where": item.where, "what": item.what} for item in found.findings]
        show(
            {
                "blobs": found.blobs,
                "entries": found.entries,
                "findings": findings,
                "online": found.online,
                "released": found.released,
            }
        )
    else:
        if found.findings:
            rows(["log", "where", "what"], [([item.log, item.where, item.what], WRONG) for item in found.findings])
        verdict = _verdict(found)
        say(f"{found.entries} entries and {found.blobs} attachments read: {verdict}", GOOD if found.passed else WRONG)
        if found.released:
            note("The mark of damage is gone: the relay may be started.")
    if not found.passed:
        raise typer.Exit(1)


def _verdict(found: Checked) -> str:
    if found.passed:
        return "everything fits"
    keep = any(item.stops for item in found.findings)
    advice = "keep this store" if keep else "the relay may run; their senders have to send those attachments again"
    return f"{len(found.findings)} things do not fit: {advice}"


def _bar(step: Progress) -> str:
    return names.channel_of(step.log) + (" attachments" if step.blobs else "")


@app.command()
def rescue(config: Config) -> None:
    """Give the ballast away on a full disk, beside a running relay or without one. Exit code 1: there is none.

    It makes room for what makes room. The relay's next start makes another one, if by then there is room to spare.
    """
    settings = checked_settings(config)
    if settings.store == MEMORY:
        raise LocalError(f"{config} keeps its logs in memory: there is no disk to make room on", code="store")
    if not Path(settings.store).is_dir():
        raise LocalError(f"there is no store in {settings.store}", advice=f"correct `store` in {config}")
    freed = Ballast(Path(settings.store), settings.ballast).release()
    if not freed:
        say("There is no ballast to give away: make room by other means.", WRONG)
        raise typer.Exit(1)
    say(f"{freed} bytes are free now", GOOD)
    note("Make room by other means before they are used up, then start the relay again: it makes another ballast.")


def _ask(address: str, port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = json.loads(connection.getresponse().read(1 << 20))
    except (OSError, ValueError, http.client.HTTPException) as error:
        what = f"no relay answers at {address}:{port}: {error}"
        raise Unavailable(what, advice="start it with `relay run`, or look at its log") from None
    finally:
        connection.close()
    if not isinstance(answer, dict) or not isinstance(answer.get("logs"), dict) or "ready" not in answer:
        raise Unavailable(f"somebody else answers at {address}:{port}", advice="check `health` in the settings")
    return answer
