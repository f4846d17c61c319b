"""Checkpoints: what a log signs about its tree. https://c2sp.org/tlog-checkpoint, without extension lines.

    <origin>
    <tree size>
    <base64 of the root>

Extension lines are refused: the ML-DSA-44 cosignature does not sign them, so two readers could disagree about them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rsc_share.crypto import signing
from rsc_share.crypto.signing import PublicKey, Signer
from rsc_share.log.lines import base64_bytes, base64_text, decimal, key_name, lines_of, text_of
from rsc_share.log.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from rsc_share.log.note import KeyType, NoteSignature, VerifierKey
from rsc_share.shape import wrong

_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of log `origin` at `size` leaves has this 32-byte `root`. Raises `RemoteError` if it cannot be one."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        key_name(self.origin, "origin")
        if not 0 <= self.size <= MAX_SIZE:
            raise wrong("tree size", "is not from 0 to 2^63 - 1")
        if len(self.root) != HASH_SIZE:
            raise wrong("root", "is not 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise wrong("root", "of an empty tree is SHA-256 of nothing")

    def text(self) -> bytes:
        """The three lines: the text of the note."""
        return checkpoint_text(self.origin, self.size, self.root)

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """The checkpoint whose text is exactly `text`; else `RemoteError`."""
        lines = lines_of(text_of(text, "checkpoint", limit=_MAX_TEXT), "checkpoint")
        if len(lines) != 3:
            raise wrong("checkpoint", f"has {len(lines)} lines, not 3")
        return cls(lines[0], decimal(lines[1], "tree size"), base64_bytes(lines[2], "root", size=HASH_SIZE))


@lru_cache(maxsize=4096)
def checkpoint_text(origin: str, size: int, root: bytes) -> bytes:
    """The signed text of a checkpoint whose fields have been checked."""
    return f"{origin}\n{size}\n{base64_text(root)}\n".encode()


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> NoteSignature:
    """The log's Ed25519 line (0x01) under the name of its origin; `blob` is the raw 64-byte signature.

    A log that signs two trees of which neither extends the other has proved its own misbehaviour.
    """
    key = VerifierKey.of(checkpoint.origin, KeyType.ED25519, signer.public)
    return NoteSignature(key.name, key.key_id, signer.sign(checkpoint.text()))


def verify_checkpoint(
    checkpoint: Checkpoint,
    signature: bytes,
    key: PublicKey,
    verify: Callable[[PublicKey, bytes, bytes], None] = signing.verify,
) -> None:
    """The log key's raw 64-byte signature over the text, as headers carry it in `seen` and `directory`.

    Raises `RemoteError` (`bad-signature`). `verify` may be a `VerifyCache.verify`: many headers show one checkpoint.
    """
    if key.suite != signing.Suite.ED25519:
        raise wrong("log key", "is not an Ed25519 key")
    verify(key, checkpoint.text(), signature)
