"""`rsc-share relay`: the log keys that a charter names before the relay can run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rsc_share import names
from rsc_share.cli import keys
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, new_passphrase
from rsc_share.cli.files import must_be_free
from rsc_share.errors import LocalError

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def _relay() -> None:
    """The log keys that a charter names before the relay can run."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder for the keystore and the public file.")],
    host: Annotated[str, typer.Option(help="Host and port as the charter will name it, such as relay.example:8443.")],
    operator: Annotated[str, typer.Option(help="Member that runs it; its own witnesses do not count here.")],
    tls_pin: Annotated[list[str] | None, typer.Option(help="SHA-256 of the TLS key (SPKI), 64 hex digits.")] = None,
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a relay's log keys (Ed25519 and ML-DSA-44) and the public file for the charter."""
    where, by = keys.named(names.host, host, "--host"), keys.named(names.member, operator, "--operator")
    pins = tls_pin or []
    for pin in pins:
        if len(pin) != 64 or set(pin) - set("0123456789abcdef"):
            raise LocalError(f"--tls-pin {pin!r} is not 64 hex digits in lower case", code="tls-pin")
    must_be_free(folder)
    secret = new_passphrase(unlock_env, unlock_file, "the log keystore")
    made = keys.fresh("relay")
    public = keys.key_file("relay", where, made, {"operator": by, "tls_pins": pins})
    keys.make_folder(folder, public, {keys.LOG: (made, secret)})
    keys.tell(public, folder / public.file_name, as_json=as_json)
