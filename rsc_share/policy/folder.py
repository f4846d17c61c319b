"""Reads a policy folder: the one place of this room that touches a disk."""

from __future__ import annotations

from pathlib import Path

from rsc_share.errors import LocalError
from rsc_share.labels.shipped import policies_folder
from rsc_share.policy.bundle import Bundle

PARTS = ("policy.toml", "schemes/*.toml", "agreements/*.toml")
"""What a bundle is made of; a folder may hold more (notes, charters, scales), which nobody signs."""


def policy_files(folder: Path) -> dict[str, bytes]:
    """The bundle's files in `folder`, by their path inside it. Raises `LocalError` where it cannot be read."""
    try:
        found = sorted(path for part in PARTS for path in folder.glob(part))
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    except OSError as error:
        raise LocalError(f"cannot read the policy in {folder}: {error.strerror}", code="policy-file") from None


def shipped_files() -> dict[str, bytes]:
    """The files of the example policy, ready to be packed. Approved by nobody for anything."""
    return policy_files(policies_folder())


def shipped_bundle() -> Bundle:
    return Bundle.from_files(shipped_files())
