"""Cosignatures: https://c2sp.org/tlog-cosignature, both kinds, and the log's own ML-DSA-44 line.

A cosignature says that this tree extends every tree of the log its cosigner has seen, and when. Its blob is
`u64 POSIX seconds || signature`, 64 bytes Ed25519 or 2,420 bytes ML-DSA-44.

The Ed25519 kind does not name its cosigner inside what it signs: every cosigner needs a key of its own, and the log's
key may not cosign. The ML-DSA-44 kind names both; a log signs with it under its origin.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rsc_share.crypto.signing import SIGNATURE_SIZE, Signer, Suite, verify
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import MAX_SIZE
from rsc_share.log.note import (
    KeyType,
    Note,
    NoteSignature,
    VerifiedNote,
    VerifierKey,
    Verify,
    known_by_line,
    verify_known,
    verify_text,
)
from rsc_share.shape import wrong

_TIME = 8
_LABEL = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Cosigner `name` held this tree to be the largest consistent one at `time_s` (POSIX seconds).

    An ML-DSA-44 time of 0 says only that the tree is consistent, nothing about when: it is never fresh.
    """

    name: str
    time_s: int
    kind: KeyType


def cosign_ed25519(checkpoint: Checkpoint, name: str, signer: Signer, time_s: int) -> NoteSignature:
    """A 0x04 line. Persist the tree as your largest before the line leaves; never sign two inconsistent trees."""
    return _cosign(checkpoint, VerifierKey.of(name, KeyType.COSIGNATURE, signer.public), signer, time_s)


def cosign_mldsa44(checkpoint: Checkpoint, name: str, signer: Signer, time_s: int) -> NoteSignature:
    """A 0x06 line: a witness's, or the log's own with `name` = origin."""
    return _cosign(checkpoint, VerifierKey.of(name, KeyType.ML_DSA_44, signer.public), signer, time_s)


def _cosign(checkpoint: Checkpoint, key: VerifierKey, signer: Signer, time_s: int) -> NoteSignature:
    if not 0 < time_s <= MAX_SIZE:
        raise LocalError(f"{time_s} is not a time in seconds since 1970")
    signature = signer.sign(_message(checkpoint, key, time_s))
    return NoteSignature(key.name, key.key_id, time_s.to_bytes(_TIME, "big") + signature)


def _message(checkpoint: Checkpoint, key: VerifierKey, time_s: int) -> bytes:
    if key.type == KeyType.COSIGNATURE:
        return b"cosignature/v1\ntime %d\n" % time_s + checkpoint.text()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            _LABEL,
            bytes([len(name)]) + name,
            time_s.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),  # start: a checkpoint is the subtree from leaf 0
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def verify_cosignature(
    checkpoint: Checkpoint, key: VerifierKey, line: NoteSignature, by: Verify = verify
) -> Cosignature:
    """`line` is by `key` on `checkpoint`. Raises `RemoteError`: `malformed` or `bad-signature`."""
    if key.type not in (KeyType.COSIGNATURE, KeyType.ML_DSA_44):
        raise LocalError("a plain note key makes no cosignatures")
    if (line.name, line.key_id) != (key.name, key.key_id):
        raise RemoteError("the line is by another key", code="bad-signature")
    suite = Suite.ED25519 if key.type == KeyType.COSIGNATURE else Suite.ML_DSA_44
    if len(line.blob) != _TIME + SIGNATURE_SIZE[suite]:
        raise wrong("cosignature", f"has {len(line.blob)} bytes")
    if (time_s := int.from_bytes(line.blob[:_TIME], "big")) > MAX_SIZE:
        raise wrong("cosignature", "its time does not fit into 63 bits")
    by(key.public, _message(checkpoint, key, time_s), line.blob[_TIME:])
    return Cosignature(key.name, time_s, KeyType(key.type))


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint its log signed. Whether the cosignatures are enough, and fresh enough, is the reader's policy."""

    checkpoint: Checkpoint
    note: VerifiedNote
    log: frozenset[KeyType]
    """Kinds of log signature that verified; `KeyType.ED25519` always, `ML_DSA_44` where that line was there too."""
    cosignatures: tuple[Cosignature, ...]
    """The newest of each witness and kind, sorted. One witness may stand here twice, once for each kind."""


class CheckpointKeys:
    """Whose lines on the checkpoints of one log count. Looked through once, for whoever reads many of them.

    `log` holds the log's keys, all named as the origin: 0x01 and if known 0x06. `witnesses` holds cosigners' keys.
    Raises `LocalError` for a set of keys in which a vote could count twice.
    """

    __slots__ = ("_by", "_known", "_origin")

    def __init__(
        self, log: Collection[VerifierKey], witnesses: Collection[VerifierKey] = (), by: Verify = verify
    ) -> None:
        _check_keys(log, witnesses)
        self._origin, self._by = next(iter(log)).name, by
        self._known = known_by_line([*log, *witnesses])

    def open(self, data: bytes) -> VerifiedCheckpoint:
        """Parse a checkpoint note and verify every line by a known key.

        Raises `RemoteError`: `malformed`, `unknown-log` for another origin, `bad-signature` if a known key's line
        fails or no Ed25519 key of the log signed.
        """
        note = Note.parse(data)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self._origin:
            raise RemoteError(f"a checkpoint of another log: {checkpoint.origin}", code="unknown-log")
        newest: dict[tuple[str, KeyType], Cosignature] = {}

        def check(key: VerifierKey, text: bytes, line: NoteSignature) -> None:
            if key.type == KeyType.ED25519:
                verify_text(key, text, line, self._by)
                return
            found = verify_cosignature(checkpoint, key, line, self._by)
            mark = (found.name, found.kind)
            if mark not in newest or newest[mark].time_s < found.time_s:
                newest[mark] = found

        verified = verify_known(note, self._known, check)
        kinds = frozenset(KeyType(key.type) for key, _ in verified.by if key.name == checkpoint.origin)
        if KeyType.ED25519 not in kinds:
            raise RemoteError("the log did not sign this checkpoint", code="bad-signature")
        others = sorted(mark for mark in newest if mark[0] != checkpoint.origin)
        return VerifiedCheckpoint(checkpoint, verified, kinds, tuple(newest[mark] for mark in others))


def open_checkpoint(
    data: bytes, log: Collection[VerifierKey], witnesses: Collection[VerifierKey] = ()
) -> VerifiedCheckpoint:
    """As `CheckpointKeys.open`, once."""
    return CheckpointKeys(log, witnesses).open(data)


def _check_keys(log: Collection[VerifierKey], witnesses: Collection[VerifierKey]) -> None:
    names = {key.name for key in log}
    if len(names) != 1 or any(key.type == KeyType.COSIGNATURE for key in log):
        raise LocalError("a log signs with plain Ed25519 and ML-DSA-44 keys, all named as its origin")
    if any(key.type == KeyType.ED25519 for key in witnesses):
        raise LocalError("a witness cosigns; a plain note key is not a witness's")
    # The Ed25519 message does not name its cosigner: one key under two names would turn one cosignature into two.
    owners = {key.key: key.name for key in log}
    for key in witnesses:
        if owners.setdefault(key.key, key.name) != key.name or key.name in names:
            raise LocalError(f"{key.name} shares a key or a name with another cosigner or with the log")
