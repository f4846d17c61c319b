"""Counting witnesses: one vote for each member, never the relay's operator, never a suspended one.

A cosignature says one thing: this tree extends every tree of this log I have seen. It is never read as delivery.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from rsc_share import names
from rsc_share.charter.core import WitnessKey
from rsc_share.charter.view import DirectoryView
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.parts import Head
from rsc_share.errors import RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import CheckpointKeys, VerifiedCheckpoint, verify_cosignature
from rsc_share.log.note import KeyType, NoteSignature, VerifierKey

KEPT_NOTES = 64
KEPT_LINES = 512
"""One tree's notes come again and again, each time with the lines of a few more members; 256 stand on the largest."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint its log signed, and when (ms) each member's newest cosignature of that very tree was made."""

    checkpoint: Checkpoint
    times: Mapping[str, int]
    kinds: frozenset[KeyType]
    head: Head
    """The tree as a header names it: with the log's Ed25519 signature, of the line that verified. A relay can put
    another line under its own name beside that one, and whoever repeated it would be accused of a false head."""

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
    held = sorted(view.witnesses(now, origin).items())
    return tuple(key for _, witnesses in held for witness in witnesses for key in _both(witness))


def node_keys(view: DirectoryView, origin: str, now: int, node: str) -> tuple[VerifierKey, ...]:
    """Those of one node; empty where it may not witness this log. Hundreds of nodes may cosign in one second."""
    held = view.witnesses(now, origin).get(names.member_of(node), ())
    return tuple(key for witness in held if witness.node == node for key in _both(witness))


def _both(witness: WitnessKey) -> tuple[VerifierKey, VerifierKey]:
    return (
        VerifierKey.of(witness.name, KeyType.COSIGNATURE, witness.ed25519),
        VerifierKey.of(witness.name, KeyType.ML_DSA_44, witness.mldsa44),
    )


def witness_name(view: DirectoryView, node: str) -> str:
    return f"{view.charter.framework}/{node}"


def open_witnessed(note: bytes, view: DirectoryView, origin: str, now: int) -> Witnessed:
    """Verify a checkpoint note of `origin`: its log's signature and every line by a known witness.

    Raises `RemoteError` (`bad-signature`, `malformed`, `unknown-log`).
    """
    keys: NoteKeys | None = view.memo(now).get(("note keys", origin))
    if keys is None:
        keys = NoteKeys.of(view, origin, now)
        view.memo(now)["note keys", origin] = keys
    return keys.open(note)


class NoteKeys:
    """Whose lines on the notes of one log count for a while, and the notes that were opened with these keys.

    One note covers a whole commit, and comes with the receipt of each of its entries: it is verified once. What did not
    verify is never remembered.
    """

    __slots__ = ("_keys", "_lines", "_opened", "_origin")

    def __init__(self, origin: str, log: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]) -> None:
        self._origin, self._lines = origin, VerifyCache(KEPT_LINES)
        self._keys = CheckpointKeys(log, witnesses, self._lines.verify)
        self._opened: OrderedDict[bytes, Witnessed] = OrderedDict()

    @classmethod
    def of(cls, view: DirectoryView, origin: str, now: int) -> NoteKeys:
        return cls(origin, log_keys(view, origin), witness_keys(view, origin, now))

    def open(self, note: bytes) -> Witnessed:
        mark = sha256(note).digest()
        known = self._opened.get(mark)
        if known is not None:
            return known
        found = self._keys.open(note)
        if found.checkpoint.origin != self._origin:
            what = f"a checkpoint of {found.checkpoint.origin} where {self._origin} was asked for"
            raise RemoteError(what, code="unknown-log")
        made = self._opened[mark] = Witnessed(found.checkpoint, member_times(found), found.log, _head(found))
        if len(self._opened) > KEPT_NOTES:
            self._opened.popitem(last=False)
        return made


def _head(found: VerifiedCheckpoint) -> Head:
    checkpoint = found.checkpoint
    signature = next(line.blob for key, line in found.note.by if key.type == KeyType.ED25519)
    return Head(checkpoint.size, checkpoint.root, signature)


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
