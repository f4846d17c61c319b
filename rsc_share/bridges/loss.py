"""What an import could not carry, and files read with a bound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rsc_share.errors import LocalError, RemoteError

Source: TypeAlias = "bytes | str | os.PathLike[str]"
"""The bytes themselves, or the path of a file."""
MAX_FILE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LossReport:
    """Every field of the source that is not in the result, one line each: object or element, path, sometimes why."""

    lost: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lost)

    def __len__(self) -> int:
        return len(self.lost)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lost)


def read_source(source: Source, kind: str, limit: int = MAX_FILE) -> tuple[str, bytes]:
    """A name for error messages, and the bytes. Raises `LocalError` (not readable) or `RemoteError` (too big)."""
    if isinstance(source, bytes):
        name, data = kind, source
    else:
        name = os.fspath(source)
        try:
            with Path(name).open("rb") as file:
                data = file.read(limit + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise LocalError(f"{name}: {why}", code="unreadable", file=name) from None
    if len(data) > limit:
        raise RemoteError(f"{name}: larger than {limit} bytes", code="too-big", file=name)
    return name, data
