"""Where everything lies in an export, and how large it may be.

    DIR/manifest.json                       every file below export/, with its SHA-256
    DIR/charter-digest.txt                  what the exporter says the charter's digest is: compare, never trust
    DIR/report.html, DIR/report.json        written by the auditor
    DIR/checkpoints/                        what members handed over; read only where the examiner names it
    DIR/export/charter/<version>/           charter.toml keys signatures bundle
    DIR/export/logs/<channel>/              checkpoint vkeys tile/...          (C2SP tlog-tiles)
    DIR/export/logs/<channel>/entries-view/ the member's own entries, in a view cut to one member
    DIR/export/openings/<channel>/          what travelled beside the entries, 256 entries a file
    DIR/export/orders/<channel>             recalls and erasures behind the checkpoint, which bodies went on
    DIR/export/bodies/<2 hex>/<62 hex>      ciphertexts by digest
    DIR/export/bodies/absent.json           digests of bodies that are gone, each with its reason

Two logs of one channel (a relay was lost, another took over) lie in `<channel>` and `<channel>.2`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from rsc_share import names
from rsc_share.errors import RemoteError
from rsc_share.log.tiles import WIDTH, Tile

MANIFEST = "manifest.json"
CHARTER_DIGEST = "charter-digest.txt"
REPORT_HTML, REPORT_JSON = "report.html", "report.json"
OURS = (REPORT_HTML, REPORT_JSON)
"""What an earlier audit may have left in the folder: not part of what is checked."""
EXPORT, CHARTERS, LOGS, BODIES = "export/", "export/charter/", "export/logs/", "export/bodies/"
CHECKPOINTS = "checkpoints/"
"""Not the exporter's: what lies here is used only if the examiner, who knows where it came from, says so."""
ABSENT = "export/bodies/absent.json"
CHARTER_FILES = ("charter.toml", "keys", "signatures", "bundle")

MAX_MANIFEST = 1 << 28
MAX_TEXT = 1 << 21
"""Bytes of a charter, its keys, its signatures, a list of keys."""
MAX_BUNDLE = 1 << 24
MAX_NOTE = 1_000_000
MAX_VIEW = WIDTH * (65_535 + 16)
MAX_OPENINGS = 1 << 24
MAX_ORDERS = 1 << 26
MAX_ORDER_ROWS = 1 << 14
MAX_BODY = 1 << 26
MAX_FILE = MAX_MANIFEST
"""Bytes of any file of an export."""

_BODY = re.compile(r"export/bodies/([0-9a-f]{2})/([0-9a-f]{62})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOG = re.compile(r"export/logs/([a-z0-9][a-z0-9-]{0,62}(?:\.[1-9][0-9]?)?)/(.+)")
_CHARTER = re.compile(r"export/charter/([0-9]{4,7})/([a-z.]+)")


def charter_file(version: int, name: str) -> str:
    return f"export/charter/{version:04d}/{name}"


def log_file(folder: str, rest: str) -> str:
    return f"export/logs/{folder}/{rest}"


def view_file(folder: str, bundle: int) -> str:
    """The member's entries among entries `256 * bundle` and the 255 after it."""
    return f"export/logs/{folder}/entries-view/{_group(bundle)}"


def openings_file(folder: str, bundle: int) -> str:
    return f"export/openings/{folder}/{_group(bundle)}"


def orders_file(folder: str) -> str:
    return f"export/orders/{folder}"


def body_file(digest: bytes) -> str:
    text = digest.hex()
    return f"export/bodies/{text[:2]}/{text[2:]}"


def is_body(path: str) -> bool:
    return _BODY.fullmatch(path) is not None


def no_bodies(paths: Iterable[str]) -> list[str]:
    """Those of `paths` at which no body can lie."""
    names_body = _BODY.fullmatch
    return [path for path in paths if names_body(path) is None]


def body_of(path: str) -> bytes | None:
    """The digest a body's path names, None for another path."""
    found = _BODY.fullmatch(path)
    return None if found is None else bytes.fromhex(found[1] + found[2])


def digest_of(text: str) -> bytes | None:
    """The 32 bytes that 64 hex digits spell, None for another text."""
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else None


def below(paths: Sequence[str], folder: str) -> Sequence[str]:
    """Of sorted paths those that begin with `folder`, which ends with a slash."""
    start = bisect_left(paths, folder)
    return paths[start : bisect_left(paths, f"{folder[:-1]}0", start)]  # in ASCII, 0 follows the slash


def folder_of(path: str) -> str | None:
    """The folder of a log's file, None for another path."""
    found = _LOG.fullmatch(path)
    return None if found is None else found[1]


def charter_version(path: str) -> tuple[str, str] | None:
    """(version's folder, name) of a charter's file, None for another path."""
    found = _CHARTER.fullmatch(path)
    return None if found is None else (found[1], found[2])


def folders_for(origins: list[str]) -> dict[str, str]:
    """The folder of every log, in the order given: the channel's name, with a number from the second one on."""
    used: dict[str, int] = {}
    found = {}
    for origin in origins:
        channel = names.channel_of(origin)
        used[channel] = used.get(channel, 0) + 1
        found[origin] = channel if used[channel] == 1 else f"{channel}.{used[channel]}"
    return found


def _group(bundle: int) -> str:
    """C2SP's groups of three digits, so that no file is also a folder and no folder holds a million files."""
    return Tile(None, bundle).path.removeprefix("tile/entries/")


def safe(path: str) -> str:
    """A path that stays below its folder. Raises `RemoteError`."""
    parts = path.split("/")
    if not path or len(path) > 512 or any(part in ("", ".", "..") for part in parts) or "\\" in path or "\0" in path:
        raise RemoteError(f"{path!r} is not a path inside an export", where="path")
    return path
