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
    items = {item.digest: item for item in apart}
    files = None if folder is None else Folder(folder)
    findings: list[Finding] = []
    absent, done, total = dict(items), 0, sum(item.blob for item in items.values())
    for digest, item in sorted(items.items()):
        file = None if files is None else files.opened(blob_file(digest))
        if file is None:
            continue
        with file:
            wrong = _wrong(item, file)
        del absent[digest]
        done += item.blob
        told("attachments", done, total)
        if wrong:
            findings.append(_finding(item, wrong))
    away = sum(item.blob for item in absent.values())
    right = len(items) - len(absent) - len(findings)
    bad = sum(items[finding.evidence["digest"]].blob for finding in findings)
    if absent:
        what = f"{len(absent)} blobs of {away} bytes are named by entries, lie apart and were NOT CHECKED"
        evidence = {"blobs": len(absent), "bytes": away}
        findings.append(Finding(Grade.OBSERVATION, "blobs-apart", what, evidence=evidence))
    return Held(tuple(findings), right, total - away - bad, len(absent), away)


def _wrong(item: Missing, file: BinaryIO) -> str:
    tree, size = CompactRange(), 0
    while chunk := file.read(SEALED_CHUNK):
        size += len(chunk)
        if size > item.blob:
            return f"has more than the {item.blob} bytes that its entry names"
        tree.append(leaf_hash(chunk))
    if size != item.blob:
        return f"has {size} bytes, where its entry names {item.blob}"
    return "" if tree.root() == item.digest else "holds other chunks than its digest names"


def _finding(item: Missing, wrong: str) -> Finding:
    what = f"an attachment of entry {item.index} {wrong}"
    evidence = {"digest": item.digest, "path": blob_file(item.digest)}
    return Finding(
        Grade.INTEGRITY, "blob-altered", what, 14, item.log, item.index, item.sender, item.when, evidence=evidence
    )
