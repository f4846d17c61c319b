"""Outside heads as files: one for each log, in a folder that must not be the store's, best on another disk.

    <framework>.<channel>   three slots of 4,096 bytes; the valid one with the largest size counts
    slot                    origin LF, size LF, base64 root LF, SHA-256 of these three lines in hex LF, zeros

Writing a head is one write into the page cache: it survives the end of the process. A sync each second makes it survive
the loss of power. A write that power cuts in two spoils one slot, never the newest synced one: that is not written to.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rsc_share import names
from rsc_share.durable import sync_folder
from rsc_share.errors import StorageError
from rsc_share.relay.heads import PUT_BACK, Signed

SLOT = 4_096
SLOTS = 3
_HASH = 32
_LINES = 4


@dataclass(slots=True)
class _File:
    descriptor: int
    head: Signed
    writing: int
    """The slot that takes new heads."""
    synced: int
    """The slot that survives anything."""
    changed: bool = False


class FileHeads:
    """Open one with `FileHeads.open`; `close` it at the end. `write` and `sync` may run at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, _File] = {}
        self._lock = threading.Lock()
        """Held for assignments and one write into the page cache, never for a sync."""

    @classmethod
    def open(cls, folder: Path) -> FileHeads:
        """Raises `StorageError` (`heads`) where the folder cannot be made."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
        except OSError as error:
            raise _failed(folder, error) from error
        return cls(folder)

    def close(self) -> None:
        self.sync()
        for file in self._files.values():
            os.close(file.descriptor)
        self._files.clear()

    # --- as `OutsideHeads`

    def read(self, log: str) -> Signed | None:
        path = self._path(log)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, error) from error
        try:
            return self._opened(log, path, descriptor)
        except OSError as error:
            os.close(descriptor)
            raise _failed(path, error) from error
        except StorageError:
            os.close(descriptor)
            raise

    def _opened(self, log: str, path: Path, descriptor: int) -> Signed:
        os.fdatasync(descriptor)  # what an earlier process left in the page cache: from here on it may be relied upon
        found = {slot: _parsed(os.pread(descriptor, SLOT, slot * SLOT), log) for slot in range(SLOTS)}
        heads = {slot: head for slot, head in found.items() if head is not None}
        if not heads:
            advice = "put the folder `heads` back; if it is lost, remove this file and start once with --restored"
            raise StorageError(f"{path} is damaged, or of another log", code="heads", advice=advice)
        newest = max(heads, key=lambda slot: heads[slot].size)
        if any(head.size == heads[newest].size and head != heads[newest] for head in heads.values()):
            what = f"{log} signed two trees of {heads[newest].size} entries"
            raise StorageError(what, code="rolled-back", advice=PUT_BACK, log=log)
        self._close(log)
        self._files[log] = _File(descriptor, heads[newest], (newest + 1) % SLOTS, newest)
        return heads[newest]

    def write(self, log: str, head: Signed) -> None:
        file = self._files.get(log)
        try:
            if file is None:
                self._create(log, head)
            elif head.size >= file.head.size and head != file.head:
                with self._lock:
                    os.pwrite(file.descriptor, _block(log, head), file.writing * SLOT)
                    file.head, file.changed = head, True
        except OSError as error:
            raise _failed(self._path(log), error) from error

    def sync(self) -> None:
        for log, file in list(self._files.items()):
            with self._lock:
                if not file.changed:
                    continue
                syncing, file.changed = file.writing, False
                file.writing = next(slot for slot in range(SLOTS) if slot not in (syncing, file.synced))
            try:
                os.fdatasync(file.descriptor)
            except OSError as error:
                raise _failed(self._path(log), error) from error
            file.synced = syncing

    # --- files

    def _create(self, log: str, head: Signed) -> None:
        path = self._path(log)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        blocks = (_block(log, head), *[bytes(SLOT)] * (SLOTS - 1))
        os.pwrite(descriptor, b"".join(blocks), 0)
        os.fsync(descriptor)
        sync_folder(self.folder)
        self._files[log] = _File(descriptor, head, 1, 0)

    def _close(self, log: str) -> None:
        before = self._files.pop(log, None)
        if before is not None:
            os.close(before.descriptor)

    def _path(self, log: str) -> Path:
        _, framework, channel = names.origin(log).split("/")  # neither has a dot, or anything a path could mind
        return self.folder / f"{framework}.{channel}"


def _block(log: str, head: Signed) -> bytes:
    text = f"{log}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"
    return f"{text}{sha256(text.encode()).hexdigest()}\n".encode().ljust(SLOT, b"\0")


def _parsed(block: bytes, log: str) -> Signed | None:
    """The head in a slot of this log; None for one that was never written or is spoiled."""
    lines = block.rstrip(b"\0").decode("latin-1").split("\n")
    if len(lines) != _LINES + 1 or lines[0] != log or not lines[1].isdigit():
        return None
    try:
        head = Signed(int(lines[1]), base64.b64decode(lines[2], validate=True))
    except (ValueError, binascii.Error):
        return None
    return head if len(head.root) == _HASH and _block(log, head) == block else None


def _failed(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror}", code="heads", path=str(path))
