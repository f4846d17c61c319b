"""The attachments of an export, copied beside it: each is held against its digest, and whole there or not.

A recall may take one while it is copied: what is not there any more is told, and is no failure.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rsc_share.crypto.blobs import SEALED_CHUNK
from rsc_share.durable import sync_folder
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import StorageError
from rsc_share.log.merkle import CompactRange, leaf_hash
from rsc_share.progress import Progress
from rsc_share.relay.snapshot import Snapshot
from rsc_share.relay.store.file_blobs import path_of

UNFINISHED = ".unfinished"


@dataclass(slots=True)
class CopiedBlobs:
    """Digests of what was copied, of what was not there, and of what is not what its digest names."""

    copied: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)


def copy_blobs(
    blobs: Path, snapshots: Iterable[Snapshot], out: Path, place: Callable[[bytes], str], told: Progress
) -> CopiedBlobs:
    """Copy every blob that the snapshots name from a store's `blobs` to `out`, each to where `place` says.

    Raises `StorageError` (`not-written`, `unreadable`).
    """
    owners, sizes = defaultdict[bytes, list[str]](list), dict[bytes, int]()
    for digest, owner, size in (named for snapshot in snapshots for named in _named(snapshot)):
        owners[digest].append(owner)  # the same ciphertext may be two members'
        sizes[digest] = size
    found, done, total = CopiedBlobs(), 0, sum(sizes.values())
    try:
        for digest, size in sorted(sizes.items()):
            roots = (_copy(path_of(blobs, owner, digest), out / place(digest), digest) for owner in owners[digest])
            seen = [root for root in roots if root is not None]
            kind = found.copied if digest in seen else found.damaged if seen else found.gone
            kind.append(digest)
            done += size
            told("attachments", done, total)
    except OSError as error:
        raise StorageError(f"attachments cannot be copied to {out}: {error.strerror}", code="not-written") from None
    return found


def _named(snapshot: Snapshot) -> Iterator[tuple[bytes, str, int]]:
    for stored in snapshot.entries if snapshot.apart else ():
        header = UnverifiedEntry.parse(stored.entry).header
        yield from ((part.digest, header.member, part.size) for part in header.parts if part.digest in snapshot.apart)


def _copy(source: Path, target: Path, digest: bytes) -> bytes | None:
    """The root over what was read; None where there is no such file. The copy stays only if the root is `digest`."""
    try:
        file = source.open("rb")
    except FileNotFoundError:
        return None
    tree, unfinished = CompactRange(), target.with_name(target.name + UNFINISHED)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file, open(unfinished, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as copy:
        while chunk := file.read(SEALED_CHUNK):
            tree.append(leaf_hash(chunk))
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if tree.root() == digest:
        unfinished.replace(target)
        sync_folder(target.parent)
    else:
        unfinished.unlink()
    return tree.root()
