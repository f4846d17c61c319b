"""Files of commands: bounded reading, and writing that leaves a whole new file or none and never replaces one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rsc_share.durable import sync_folder, write_whole
from rsc_share.errors import LocalError, StorageError

MAX_SMALL = 1 << 20
"""Bytes of a text, a key file, a signature."""
MAX_KEYS = 1 << 21
MAX_BUNDLE = 1 << 24


def read_file(path: Path, limit: int = MAX_SMALL) -> bytes:
    """A file's bytes. Raises `LocalError` (`no-file`, `too-long`) and `StorageError`."""
    try:
        # Not blocking: a named pipe must not hang a command that signs.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise LocalError(f"{path} is not a file", code="no-file")
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise LocalError(f"there is no file {path}", code="no-file", advice="check the name") from None
    except IsADirectoryError:
        raise LocalError(f"{path} is a folder, not a file", code="no-file", advice="name a file") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {getattr(error, 'strerror', error)}", code="unreadable") from None
    if len(data) > limit:
        raise LocalError(f"{path} has more than {limit} bytes", code="too-long", advice="name the right file")
    return data


def must_be_free(path: Path) -> None:
    """Raise `LocalError` (`exists`) if anything is there: keys, signatures and packets are never replaced."""
    if os.path.lexists(path):
        raise LocalError(f"{path} exists and is not replaced", code="exists", advice="choose another name")


def write_new(path: Path, data: bytes) -> None:
    """A new file, whole after a crash or not there."""
    must_be_free(path)
    if not path.parent.is_dir():
        raise LocalError(f"there is no folder {path.parent}", code="no-folder", advice="make it first")
    write_whole(path, data)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` to fill; at the end it takes the name, or goes away: there is never half of it."""
    must_be_free(path)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a run that a power cut ended
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror}", code="not-written") from None
    try:
        yield unfinished
        must_be_free(path)
        os.rename(unfinished, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror}", code="not-written") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A new folder with these files by their path in it, whole or not at all."""
    with new_folder(path) as unfinished:
        for name, data in files.items():
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(unfinished / name, data)


def files_below(paths: Iterable[Path], suffix: str) -> list[Path]:
    """Files named, and in folders named those that end in `suffix`; sorted, each once."""
    found: set[Path] = set()
    for path in paths:
        found |= set(path.glob(f"*{suffix}")) if path.is_dir() else {path}
    return sorted(found)
