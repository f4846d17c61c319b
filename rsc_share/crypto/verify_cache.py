"""Signatures that verified before, and are not verified again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable

from rsc_share.crypto.signing import PublicKey, verify
from rsc_share.errors import LocalError


class VerifyCache:
    """Remembers at most `limit` signatures that verified; never one that failed.

    An entry is the digest of key, signature and the *whole* signed bytes: caching by a message id or by a hash the
    sender chose would let a second text ride on the first one's signature. Two generations instead of an order of
    use: when the young one is full it becomes the old one. Threads may share it; a race costs one verification.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int = 65_536) -> None:
        if limit < 2:
            raise LocalError("a signature cache holds at least 2")
        self._half = limit // 2
        self._young: set[Hashable] = set()
        self._old: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def verify(self, key: PublicKey, data: bytes, signature: bytes) -> None:
        """As `verify`, at the price of one SHA-256 if the same three values verified before."""
        # With the length: else bytes moved from the text into the signature would give the same mark.
        border = len(signature).to_bytes(4, "big")
        mark = hashlib.sha256(b"".join((key.key_id, border, signature, data))).digest()
        if mark in self._young:
            return
        if mark not in self._old:
            verify(key, data, signature)
        self._remember(mark)

    def knows(self, mark: Hashable) -> bool:
        """Whether `once` would have nothing to do."""
        return mark in self._young

    def once(self, mark: Hashable, key: PublicKey, data: Callable[[], bytes], signature: bytes) -> None:
        """As `verify`, where `mark` already says everything: key, signature and what `data` makes its bytes from.

        For what stands in thousands of entries, such as a log's head: the bytes are made and hashed the first time.
        """
        if mark in self._young:
            return
        if mark not in self._old:
            verify(key, data(), signature)
        self._remember(mark)

    def _remember(self, mark: Hashable) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, set()
        self._young.add(mark)
