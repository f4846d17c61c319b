"""Attachments that lie apart from an export, in a folder of their own: each is held against the digest its entry names.

    blobs/<2 hex>/<62 hex>        the sealed chunks of a blob, end to end, by its digest (RFC 6962 root over them)

The folder needs no manifest: an entry whose sender signed the digest and the size is the proof. It is read a chunk at a
time, whatever its size, and never through a link.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rsc_share.audit.bodies import Missing
from rsc_share.audit.files import Folder
from rsc_share.audit.findings import Finding, Grade
from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.progress import Progress


@dataclass(frozen=True, slots=True)
class Held:
    """What was found: findings, and how many blobs of how many bytes were whole and right, and how many not there."""

    findings: tuple[Finding, ...]
    checked: int
    checked_bytes: int
    absent: int
    absent_bytes: int


def blob_file(digest: bytes) -> str:
    """Where a blob lies in its folder."""
    text = digest.hex()
    return f"{text[:2]}/{text[2:]}"


def hold_against_entries(apart: Iterable[Missing], folder: Path | None, told: Progress) -> Held:
    """Hold what `apart` says against the files in `folder`; None: nobody brought one.

    Raises `LocalError` where `folder` is none, `StorageError` where it cannot be read.
    """
    items = _by_digest(apart)
    files = None if folder is None else Folder(folder)
    findings: list[Finding] = []
    absent: list[Missing] = []
    right = right_bytes = done = 0
    total = sum(item.blob for named in items.values() for item in named)
    for digest, named in sorted(items.items()):
        file = None if files is None else files.opened(blob_file(digest))
        if file is None:
            absent += named
            continue
        with file:
            read = _read(file, max(item.blob for item in named))
        done += sum(item.blob for item in named)
        told("attachments", done, total)
        for item in named:
            wrong = read.wrong(item)
            if wrong:
                findings.append(_finding(item, wrong))
            else:
                right, right_bytes = right + 1, right_bytes + item.blob
    away = sum(item.blob for item in absent)
    if absent:
        what = f"{len(absent)} blobs of {away} bytes are named by entries, lie apart and were NOT CHECKED"
        evidence = {"blobs": len(absent), "bytes": away}
        findings.append(Finding(Grade.OBSERVATION, "blobs-apart", what, evidence=evidence))
    return Held(tuple(findings), right, right_bytes, len(absent), away)


def _by_digest(apart: Iterable[Missing]) -> dict[bytes, list[Missing]]:
    """What is named of each blob: the first entry that names it and, where entries contradict each other, the first for
    each further size. In the order of the logs' names, because logs are judged as they wait for one another."""
    found: dict[bytes, list[Missing]] = {}
    sizes: set[tuple[bytes, int]] = set()
    for item in sorted(apart, key=lambda item: (item.log, item.index)):
        if (item.digest, item.blob) not in sizes:
            sizes.add((item.digest, item.blob))
            found.setdefault(item.digest, []).append(item)
    return found


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that was read once, whatever is said of it. Of one that is larger than anybody says, not all."""

    size: int
    root: bytes

    def wrong(self, item: Missing) -> str:
        """Why this is not what an entry names; empty if it is."""
        if self.size > item.blob:
            return f"has more than the {item.blob} bytes that its entry names"
        if self.size < item.blob:
            return f"has {self.size} bytes, where its entry names {item.blob}"
        return "" if self.root == item.digest else "holds other chunks than its digest names"


def _read(file: BinaryIO, most: int) -> _Read:
    tree, size = CompactRange(), 0
    while size <= most and (chunk := file.read(SEALED_CHUNK)):
        size += len(chunk)
        tree.append(leaf_hash(chunk))
    return _Read(size, tree.root())


def _finding(item: Missing, wrong: str) -> Finding:
    what = f"an attachment of entry {item.index} {wrong}"
    evidence = {"digest": item.digest, "path": blob_file(item.digest)}
    return Finding(
        Grade.INTEGRITY, "blob-altered", what, 14, item.log, item.index, item.sender, item.when, evidence=evidence
    )
