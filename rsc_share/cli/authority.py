"""`rsc-share authority`: a member's own keys, made on a machine without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rsc_share import names
from rsc_share.cli import keys
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, new_passphrase, passphrase
from rsc_share.cli.files import files_below, must_be_free
from rsc_share.cli.keyfile import SUFFIX, KeyFile
from rsc_share.cli.output import digits, note, say, show
from rsc_share.crypto.keystore import Keystore
from rsc_share.errors import LocalError
from rsc_share.labels.invisible import invisible

app = typer.Typer(rich_markup_mode=None)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder for the keystores and the public file.")],
    member: Annotated[str, typer.Option(help="Member code, such as EST.")],
    title: Annotated[str, typer.Option(help="What the page for ink calls this party.")] = "",
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    duty_unlock_env: UnlockEnv = None,
    duty_unlock_file: UnlockFile = None,
    no_duty: Annotated[bool, typer.Option("--no-duty", help="No duty key: only the authority can revoke.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the authority key (Ed25519 and ML-DSA-65) and the duty key (Ed25519).

    They lie in two keystores: the authority's goes back into the safe, the duty key stays with the officer on duty.
    Without a passphrase of its own the duty keystore takes the authority's.
    """
    code = keys.named(names.member, member, "--member")
    if len(title) > 200 or invisible(title) is not None:
        raise LocalError("--title is longer than 200 characters or holds an invisible one", code="title")
    must_be_free(folder)
    first = new_passphrase(unlock_env, unlock_file, "the authority keystore")
    own = unlock_env is None and unlock_file is None
    second = first
    if not no_duty and (duty_unlock_env or duty_unlock_file or own):
        second = new_passphrase(duty_unlock_env, duty_unlock_file, "the duty keystore")
    made = keys.fresh("authority", *(("duty",) if no_duty else ()))
    public = keys.key_file("authority", code, made, {"title": title} if title else {})
    stores = {keys.AUTHORITY: ({"authority": made["authority"]}, first)}
    if not no_duty:
        stores[keys.DUTY] = ({"duty": made["duty"]}, second)
    keys.make_folder(folder, public, stores)
    keys.tell(public, folder / public.file_name, as_json=as_json)
    note("Copy the keystores to a second medium now: without the authority key only the quorum can give you another.")


@app.command()
def fingerprint(
    paths: Annotated[list[Path], typer.Argument(help="Key files, folders of them, or keystores.")],
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Show fingerprints and codes of public key files, or of the keys in a keystore."""
    found = files_below(paths, SUFFIX)
    if not found:
        raise LocalError(f"no file here ends in {SUFFIX}", code="no-file", advice="name the files")
    publics = [KeyFile.read(path) for path in found if path.suffix == SUFFIX]
    opened = {path: _keystore(path, unlock_env, unlock_file) for path in found if path.suffix != SUFFIX}
    if as_json:
        show(
            {
                "files": [keys.facts_of(public) for public in publics],
                "keystores": {str(p): k for p, k in opened.items()},
            }
        )
        return
    for public in publics:
        keys.print_keys(public)
    for path, inside in opened.items():
        say(f"keystore {path}", "bold")
        for name, digest in inside.items():
            say(f"  {name:<12}{digits(digest)}")


def _keystore(path: Path, env: str | None, file: Path | None) -> dict[str, str]:
    opened = Keystore.open(path, passphrase(env, file, str(path)))
    signing = [use for use in opened.names if use.partition("/")[0] in _SIGNING]
    return {use: opened.signer(use).public.fingerprint for use in signing}


_SIGNING = ("authority", "duty", "signing", "witness", "witness-pq", "log", "log-pq", "officer")
