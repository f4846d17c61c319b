"""Writing files that are there whole after a crash, or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rsc_share.errors import StorageError


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace or create `path`: temporary file, fsync, rename, fsync of the folder. Folders are made.

    When this returns the content is on disk. Raises `StorageError` (`not-written`); the old file then stands.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A crash here leaves the old file, and a temporary one that the next write removes.
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        # Without this a power cut may bring the old name back, though the new content was on disk.
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        what = f"{path} cannot be written: {error.strerror}"
        raise StorageError(what, code="not-written", path=str(path)) from error


def sync_folder(path: Path) -> None:
    """Make renames and new names in a folder durable. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
