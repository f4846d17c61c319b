"""Counting witnesses: one vote for each member, never the relay's operator, never a suspended one.

A cosignature says one thing: this tree extends every tree of this log I have seen. It is never read as delivery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rsc_share import names
from rsc_share.charter.view import DirectoryView
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import VerifiedCheckpoint, open_checkpoint, verify_cosignature
from rsc_share.log.note import KeyType, NoteSignature, VerifierKey


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint its log signed, and when (ms) each member's newest cosignature of that very tree was made."""

    checkpoint: Checkpoint
    times: Mapping[str, int]
    kinds: frozenset[KeyType]

    def quorum_time(self, k: int) -> int | None:
        """The k-th newest cosignature time (ms): the instant at which the quorum stood. None below k members."""
        newest = sorted(self.times.values(), reverse=True)
        return newest[k - 1] if 0 < k <= len(newest) else None


def log_keys(view: DirectoryView, origin: str) -> tuple[VerifierKey, ...]:
    """The verifier keys of a log: Ed25519 (0x01) and ML-DSA-44 (0x06), both under the name of its origin."""
    spec = view.log(origin)
    if spec is None:
        raise RemoteError(f"the charter knows no log {origin}", code="unknown-log", log=origin)
    return (
        VerifierKey.of(origin, KeyType.ED25519, spec.ed25519),
        VerifierKey.of(origin, KeyType.ML_DSA_44, spec.mldsa44),
    )


def witness_keys(view: DirectoryView, origin: str, now: int) -> tuple[VerifierKey, ...]:
    """Both verifier keys of every node that may witness this log at `now`; named `<framework>/<node>`."""
    keys = []
    for _, held in sorted(view.witnesses(now, origin).items()):
        for witness in held:
            keys.append(VerifierKey.of(witness.name, KeyType.COSIGNATURE, witness.ed25519))
            keys.append(VerifierKey.of(witness.name, KeyType.ML_DSA_44, witness.mldsa44))
    return tuple(keys)


def witness_name(view: DirectoryView, node: str) -> str:
    return f"{view.charter.framework}/{node}"


def open_witnessed(note: bytes, view: DirectoryView, origin: str, now: int) -> Witnessed:
    """Verify a checkpoint note of `origin`: its log's signature and every line by a known witness.

    Raises `RemoteError` (`bad-signature`, `malformed`, `unknown-log`).
    """
    found = open_checkpoint(note, log_keys(view, origin), witness_keys(view, origin, now))
    if found.checkpoint.origin != origin:
        raise RemoteError(f"a checkpoint of {found.checkpoint.origin} where {origin} was asked for", code="unknown-log")
    return Witnessed(found.checkpoint, member_times(found), found.log)


def member_times(found: VerifiedCheckpoint) -> dict[str, int]:
    times: dict[str, int] = {}
    for cosignature in found.cosignatures:
        node = cosignature.name.partition("/")[2]
        member = names.member_of(node)
        times[member] = max(times.get(member, 0), cosignature.time_s * 1000)
    return times


def verify_lines(
    lines: Iterable[NoteSignature], checkpoint: Checkpoint, keys: Iterable[VerifierKey]
) -> list[NoteSignature]:
    """The lines that a known key made on this checkpoint, and no other: what is not verified is never stored."""
    by_id = {(key.name, key.key_id): key for key in keys}
    kept = []
    for line in lines:
        key = by_id.get((line.name, line.key_id))
        if key is None:
            raise RemoteError(f"a cosignature by {line.name}, who is no witness of this log", code="unknown-witness")
        verify_cosignature(checkpoint, key, line)
        kept.append(line)
    return kept


def fresh(view: DirectoryView, quorum_time: int | None, now: int) -> bool:
    """Whether the k-th newest cosignature is younger than LAG/2 (row 15 keeps the whole LAG: I3)."""
    return quorum_time is not None and now - quorum_time < view.charter.parameters.lag // 2
