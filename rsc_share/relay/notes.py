"""The log's own lines on its checkpoints. Order: sync entries and head, sign, keep the note, and only then show it.

The Ed25519 line is made for every committed head: it is what a receipt rests on. ML-DSA-44 costs a hundred times more
and only has to be there before somebody can forge the other, so its line may be ten seconds behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rsc_share import names
from rsc_share.crypto.signing import Signer
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint
from rsc_share.log.cosignature import cosign_mldsa44
from rsc_share.log.note import MAX_SIGNATURES, NoteSignature
from rsc_share.log.note import Note as SignedNote
from rsc_share.relay.store.protocol import Note
from rsc_share.session.frames import MAX_NOTE

PQ_EVERY = 10_000
"""ms that a log's ML-DSA-44 line may be behind its head."""
_ED25519_LINE = 64 + 8


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The two keys of every log on one relay host: Ed25519 and ML-DSA-44."""

    ed25519: Signer
    mldsa44: Signer


def own_lines(keys: LogKeys, checkpoint: Checkpoint, now: int, last_pq: int | None) -> tuple[NoteSignature, ...]:
    """The log's lines on a head it has synced: Ed25519 always, ML-DSA-44 (with its time) where it is due."""
    line = sign_checkpoint(checkpoint, keys.ed25519)
    if last_pq is not None and now - last_pq < PQ_EVERY:
        return (line,)
    return (line, cosign_mldsa44(checkpoint, checkpoint.origin, keys.mldsa44, now // 1000))


def whole(origin: str, note: Note) -> bytes:
    """The note with every line that is kept: for exports. The log's own lines first, then by name."""
    return _encode(origin, note, _ordered(origin, note.lines))


def shown(origin: str, note: Note) -> bytes:
    """The note as a frame carries it: where not all lines fit, the newest Ed25519 line of each member does.

    A reader counts one vote for each member, so nothing that counts is left out.
    """
    lines = _ordered(origin, note.lines)
    if _size(lines) > MAX_NOTE - 1024:
        own = [line for line in lines if line.name == origin]
        short = sorted((line for line in lines if len(line.blob) == _ED25519_LINE), key=lambda line: line.blob[:8])
        newest = {names.member_of(line.name.partition("/")[2]): line for line in short}
        lines = [*own, *_ordered(origin, newest.values())]
    return _encode(origin, note, lines)


def _size(lines: Iterable[NoteSignature]) -> int:
    return sum(len(line.name) + 4 * len(line.blob) // 3 + 16 for line in lines)


def _encode(origin: str, note: Note, lines: Sequence[NoteSignature]) -> bytes:
    return SignedNote(Checkpoint(origin, note.size, note.root).text(), tuple(lines[:MAX_SIGNATURES])).encode()


def _ordered(origin: str, lines: Iterable[NoteSignature]) -> list[NoteSignature]:
    """One spelling of the same set of lines: the log first, short lines before long ones, then by name and key."""
    return sorted(lines, key=lambda line: (line.name != origin, len(line.blob), line.name, line.key_id))


def by_member(lines: Iterable[NoteSignature], framework: str, members: Iterable[str]) -> dict[str, int]:
    """When (ms) each of `members` last cosigned, by verified lines: one vote for each, whatever its nodes."""
    voters, times = set(members), dict[str, int]()
    for line in lines:
        prefix, _, node = line.name.partition("/")
        member = names.member_of(node)
        if prefix == framework and member in voters:
            times[member] = max(times.get(member, 0), int.from_bytes(line.blob[:8], "big") * 1000)
    return times
