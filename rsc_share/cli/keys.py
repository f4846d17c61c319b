"""Making keystores and the public file beside them: for an authority, a node and a relay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsc_share.cli.files import new_folder, write_new
from rsc_share.cli.keyfile import SUFFIX, USES, KeyFile, Kind
from rsc_share.cli.output import digits, note, say, show
from rsc_share.crypto.keystore import MODERATE, Keystore
from rsc_share.crypto.signing import PrivateKey, Signer
from rsc_share.durable import write_whole
from rsc_share.errors import LocalError, RemoteError

COST = MODERATE
"""What a guess at a new keystore's passphrase costs."""
AUTHORITY, DUTY, LOG = "authority.keystore", "duty.keystore", "log.keystore"


def fresh(kind: Kind, *without: str) -> dict[str, PrivateKey]:
    """New keys for every use of a kind of owner."""
    return {use: PrivateKey.generate(suite) for use, suite in USES[kind].items() if use not in without}


def key_file(kind: Kind, name: str, keys: Mapping[str, PrivateKey], facts: Mapping[str, Any]) -> KeyFile:
    return KeyFile(kind, name, {use: key.public for use, key in keys.items()}, dict(facts))


def store(path: Path, keys: Mapping[str, PrivateKey], passphrase: bytes) -> None:
    """A new keystore with these keys."""
    keystore = Keystore.create(path, passphrase, cost=COST)
    for use, key in keys.items():
        keystore.put(use, key)
    keystore.save()


def make_folder(
    path: Path,
    public: KeyFile,
    stores: Mapping[str, tuple[Mapping[str, PrivateKey], bytes]],
    files: Mapping[str, tuple[bytes, int]] | None = None,
) -> None:
    """A new folder with keystores (by file name: keys and passphrase), the public file and other files (bytes and
    mode); whole or not at all."""
    with new_folder(path) as unfinished:
        for name, (keys, passphrase) in stores.items():
            store(unfinished / name, keys, passphrase)
        for name, (data, mode) in (files or {}).items():
            write_whole(unfinished / name, data, mode=mode)
        write_new(unfinished / public.file_name, public.text())


def open_signer(path: Path, name: str, passphrase: bytes) -> Signer:
    """One signing key of a keystore."""
    return Keystore.open(path, passphrase).signer(name)


def named(check: Any, value: str, option: str) -> str:
    """A name from the command line, checked by one of `names`. Raises `LocalError`."""
    try:
        return str(check(value, option))
    except RemoteError as error:
        raise LocalError(error.what, code="name") from None


def facts_of(public: KeyFile, **more: str) -> dict[str, Any]:
    """A key file as JSON."""
    return {
        "kind": public.kind,
        "name": public.name,
        "code": public.code.hex(),
        "fingerprints": {use: key.fingerprint for use, key in public.keys.items()},
        **public.facts,
        **more,
    }


def tell(public: KeyFile, path: Path, *, as_json: bool) -> None:
    """What was made, for the log book: fingerprints and the code."""
    if as_json:
        show(facts_of(public, file=str(path)))
        return
    print_keys(public)
    note(f"Send {path} (any file that ends in {SUFFIX} is public); the other side compares the code with you.")


def print_keys(public: KeyFile) -> None:
    say(f"{public.kind} {public.name}", "bold")
    for use, key in public.keys.items():
        say(f"  {use:<12}{digits(key.fingerprint)}")
    say(f"  {'code':<12}{digits(public.code)}")
