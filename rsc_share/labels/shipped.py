"""The schemes that come with the library. Tables for tests, demos and a start: approved by nobody for anything."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rsc_share.labels.scheme import SchemeSet
from rsc_share.labels.scheme_file import load_scheme

_PACKAGE = Path(__file__).resolve().parents[1]


def policies_folder() -> Path:
    """Beside the package in a checkout, inside it once installed."""
    installed = _PACKAGE / "_policies"
    return installed if installed.is_dir() else _PACKAGE.parent / "policies"


@cache
def shipped_schemes() -> SchemeSet:
    """Read once. Raises `RemoteError` if a file was damaged."""
    files = sorted((policies_folder() / "schemes").glob("*.toml"))
    return SchemeSet(load_scheme(file.read_bytes(), file.name) for file in files)
