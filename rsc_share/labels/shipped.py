"""The schemes that come with the library. Tables for tests, demos and a start: approved by nobody for anything."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from rsc_share.labels.label import Label
from rsc_share.labels.scheme import SchemeSet
from rsc_share.labels.scheme_file import load_scheme
from rsc_share.labels.text import parse_label

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


def read_label(text: str, *, originators: Iterable[str] = ()) -> Label:
    """The label people write, under the schemes that come with the library. Raises `LabelError` with the position.

    A node reads label texts under its own framework's schemes; this is for scripts and tests without one.
    """
    return parse_label(text, shipped_schemes(), originators=tuple(originators))
