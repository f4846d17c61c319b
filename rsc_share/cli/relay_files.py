"""The files `relay init` writes beside the keystore, and reading `relay.toml` with all its complaints."""

from __future__ import annotations

import sys
from pathlib import Path

from rsc_share.cli.files import read_file
from rsc_share.cli.frame import one_line
from rsc_share.node.unlock import Unlock
from rsc_share.relay.net.settings import BALLAST, BadSettings, Settings, read_settings

CONFIG, TLS_KEY, TLS_CERTIFICATE = "relay.toml", "tls.key", "tls.crt"

_TEMPLATE = """# What this relay's operator decides; docs/operations.md explains every line.
host = "{host}"  # as the charter names this relay
listen = "0.0.0.0:{port}"  # sessions and reads, TLS 1.3
health = "127.0.0.1:9443"  # /livez /readyz /metrics /console, plain HTTP; "off" for none
store = "store"  # where the logs are; "memory:" forgets everything and is for trials
ballast = {ballast}  # bytes kept for a full disk, given away by `relay rescue`; 0 for none
charter = ""  # SHA-256 of charter version 1, 64 digits, from paper
keystore = "{keystore}"
passphrase_file = "passphrase"  # or passphrase_env = "NAME"
tls_certificate = "{certificate}"
tls_key = "{key}"
log_level = "info"

[limits]
connections = 2048
waiting_per_address = 16
sessions_per_member = 16
"""


def template(host: str, keystore: str) -> bytes:
    """A `relay.toml` in which the charter's digest is missing: a relay is made before its charter."""
    port = host.partition(":")[2] or "8443"
    return _TEMPLATE.format(
        host=host, port=port, keystore=keystore, certificate=TLS_CERTIFICATE, key=TLS_KEY, ballast=BALLAST
    ).encode()


def settings_of(path: Path) -> Settings:
    """The settings in a file; files it names that are not there count as problems of it."""
    data = read_file(path)
    settings = read_settings(data, str(path), path.parent)
    missing = [f"{path}: {key}: there is no file {found}" for key, found in _named(settings) if not found.is_file()]
    if missing:
        raise BadSettings(str(path), missing)
    return settings


def _named(settings: Settings) -> list[tuple[str, Path]]:
    kind, where = settings.passphrase
    found = [
        ("keystore", settings.keystore),
        ("tls_certificate", settings.tls_certificate),
        ("tls_key", settings.tls_key),
    ]
    return [*found, ("passphrase_file", Path(where))] if kind == "file" else found


def checked_settings(path: Path) -> Settings:
    """As `settings_of`; every problem is told on stderr before the one line with which the command ends."""
    try:
        return settings_of(path)
    except BadSettings as error:
        tell_problems(error)
        raise


def passphrase_of(settings: Settings) -> bytes:
    """What opens the relay's keystore, from where the settings say."""
    kind, where = settings.passphrase
    return (Unlock.file(where) if kind == "file" else Unlock.env(where)).passphrase()


def tell_problems(error: BadSettings) -> None:
    """Every problem on a line of its own, before the one line with which the command ends."""
    for problem in error.problems:
        sys.stderr.write(f"  {one_line(problem)}\n")
