"""Entries signed with this node's key that this instance did not write: a copy runs, or an old copy came back."""

from __future__ import annotations

from rsc_share.envelope.header import Header
from rsc_share.errors import StorageError

CLONED, ROLLED_BACK = "cloned", "rolled-back"


def elsewhere(header: Header, log: str) -> str:
    return f"number {header.seq} of {log} is signed with this node's key"


def not_ours(header: Header, log: str, code: str, entry: bytes) -> StorageError:
    """Why this instance signs nothing any more: its key was used where its store does not know."""
    why = "another copy of this node runs" if code == CLONED else "state/ is an old copy"
    return StorageError(
        f"{elsewhere(header, log)} and was not written here: {why}",
        code=code,
        advice="stop every copy of it, then make a new instance: `rsc-share node backup` and `node restore`",
        log=log,
        entry=entry,
    )
