"""Where the passphrase of a keystore comes from. There is no default: nothing is looked up silently."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Protocol

from rsc_share.errors import LocalError

MAX_PASSPHRASE = 4096


class Source(Protocol):
    """Whoever can say a passphrase: an `Unlock`, or a command that has asked a person for it."""

    def passphrase(self) -> bytes: ...


class Unlock:
    """A source of one passphrase, read once, when the node opens."""

    def __init__(self, kind: str, where: str) -> None:
        self._kind, self._where = kind, where

    def __repr__(self) -> str:
        return f"Unlock.{self._kind}({self._where!r})"

    @classmethod
    def env(cls, name: str) -> Unlock:
        """An environment variable."""
        return cls("env", name)

    @classmethod
    def file(cls, path: str | PathLike[str]) -> Unlock:
        """A file's first line, without its newline."""
        return cls("file", os.fspath(path))

    def passphrase(self) -> bytes:
        """Raises `LocalError` where there is none."""
        value = self._from_env() if self._kind == "env" else self._from_file()
        if not value or len(value) > MAX_PASSPHRASE:
            raise LocalError(
                f"{self!r} gives no passphrase", advice=f"1 to {MAX_PASSPHRASE} bytes", code="no-passphrase"
            )
        return value

    def _from_env(self) -> bytes:
        return os.environ.get(self._where, "").encode()

    def _from_file(self) -> bytes:
        try:
            with Path(self._where).open("rb") as file:
                return file.read(MAX_PASSPHRASE + 2).split(b"\n")[0].rstrip(b"\r")
        except OSError as error:
            raise LocalError(f"{self!r} cannot be read: {error.strerror}", code="no-passphrase") from None
