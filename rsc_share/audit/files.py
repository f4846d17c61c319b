"""Reading an export's files: from a folder or from memory, bounded, and never through a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from rsc_share.errors import LocalError, StorageError

MAX_DEPTH = 32
"""Folders in folders; an export has eight."""
MAX_PATH = 2_048
"""Bytes of the whole path of a folder that is looked into. The system takes some more, and would say of a longer one
that this machine cannot list it: an examiner shall hear that it is the export."""
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""Also a link, and a name that no file can have: for a reader of this folder there is no such file."""


class Files(Protocol):
    """A tree of files that somebody else made."""

    def paths(self) -> list[str]:
        """Every regular file's path, sorted, with `/` between the parts."""

    def odd(self) -> list[tuple[str, str]]:
        """(path, what it is) of everything that is neither a regular file nor a folder. Never opened."""

    def read(self, path: str, limit: int) -> bytes | None:
        """At most `limit` + 1 bytes of a regular file; None where there is none."""


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """Files that were never written."""

    content: Mapping[str, bytes]

    def paths(self) -> list[str]:
        return sorted(self.content)

    def odd(self) -> list[tuple[str, str]]:
        return []

    def read(self, path: str, limit: int) -> bytes | None:
        found = self.content.get(path)
        return None if found is None else found[: limit + 1]


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below `root`. Raises `LocalError` where `root` is not a folder."""

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise LocalError(f"{self.root} is not a folder", code="no-folder", advice="name the folder of an export")

    def paths(self) -> list[str]:
        return sorted(path for path, kind in self._walk() if kind == "file")

    def odd(self) -> list[tuple[str, str]]:
        return sorted((path, kind) for path, kind in self._walk() if kind != "file")

    def read(self, path: str, limit: int) -> bytes | None:
        file = self.opened(path)
        if file is None:
            return None
        with file:
            return file.read(limit + 1)

    def opened(self, path: str) -> BinaryIO | None:
        """A regular file to read a piece at a time; None where there is none."""
        # Every part is opened without following links: a link could point out of the copy, to anything on this machine.
        try:
            descriptor = self._open(path)
        except UnicodeEncodeError:
            return None  # half a surrogate pair that stands for no byte: no file has such a name
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            if isinstance(error, PermissionError):
                raise _not_allowed(path) from None
            raise StorageError(f"cannot read {path}: {error.strerror}", code="unreadable", path=path) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return os.fdopen(descriptor, "rb")

    def _open(self, path: str) -> int:
        *folders, name = _encoded(path).split(b"/")
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = inner
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        finally:
            os.close(at)

    def _walk(self) -> Iterator[tuple[str, str]]:
        waiting = [""]
        while waiting:
            below = waiting.pop()
            for entry in self._entries(below):
                path = below + entry.name.decode("utf-8", "surrogateescape")
                if entry.is_symlink():
                    yield path, "a link"
                elif not entry.is_dir():
                    yield path, "file" if entry.is_file() else "neither a file nor a folder"
                elif path.count("/") < MAX_DEPTH and len(self._bytes(path)) < MAX_PATH:
                    waiting.append(f"{path}/")
                else:
                    yield path, "a folder too deep to look into"

    def _bytes(self, path: str) -> bytes:
        return os.path.join(os.fsencode(self.root), _encoded(path))

    def _entries(self, below: str) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(self._bytes(below)) as found:
                return list(found)
        except PermissionError:
            raise _not_allowed(below or str(self.root)) from None
        except OSError as error:
            raise StorageError(f"cannot list {below or self.root}: {error.strerror}", code="unreadable") from None


def _encoded(path: str) -> bytes:
    """A path as the bytes it has on the disk. Not as this machine's locale has it: one name would be read in two ways
    by two examiners, and make two reports."""
    return path.encode("utf-8", "surrogateescape")


def _not_allowed(path: str) -> LocalError:
    """Whoever packed an export chose its modes: that is neither this machine's fault nor a finding."""
    advice = "make your copy readable for yourself: chmod -R u+rX FOLDER"
    return LocalError(f"you may not read {path}", code="not-readable", advice=advice)
