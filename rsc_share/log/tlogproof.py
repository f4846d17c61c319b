"""Receipts one can keep: https://c2sp.org/tlog-proof, a file that shows offline that a log holds an entry.

c2sp.org/tlog-proof@v1
extra <base64>                  (optional, not authenticated)
index <decimal>
<base64 of a hash>              (inclusion proof, the leaf's sibling first)

<checkpoint with its signatures, as it was>
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.cosignature import VerifiedCheckpoint, open_checkpoint
from rsc_share.log.lines import base64_bytes, base64_text, decimal, text_of
from rsc_share.log.merkle import HASH_SIZE
from rsc_share.log.note import MAX_NOTE, Note, VerifierKey
from rsc_share.log.proofs import MAX_PROOF, verify_inclusion
from rsc_share.shape import wrong

_HEADER = "c2sp.org/tlog-proof@v1"
MAX_EXTRA = 65_536
_MAX_FILE = MAX_NOTE + 2 * MAX_EXTRA


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed proof file; nothing in it is verified until `verify`.

    `checkpoint` is the signed note's bytes, `path` the inclusion proof, `extra` what anybody may have put there.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes. `LocalError` if they would not parse."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64_text(self.extra)}")
        lines += [f"index {self.index}", *(base64_text(node) for node in self.path), "", ""]
        data = "\n".join(lines).encode() + self.checkpoint
        try:
            TlogProof.parse(data)
        except RemoteError as error:
            raise LocalError(f"cannot be written as a proof file: {error.what}") from None
        return data

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """The proof whose file is exactly `data`; `RemoteError` for anything else."""
        head, border, note = text_of(data, "proof", limit=_MAX_FILE).partition("\n\n")
        if not border:
            raise wrong("proof", "has no empty line before its checkpoint")
        lines = head.split("\n")
        if lines.pop(0) != _HEADER:
            raise wrong("proof", f"does not begin with {_HEADER}")
        extra = _extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index "):
            raise wrong("proof", "has no index")
        index = decimal(lines.pop(0)[len("index ") :], "index")
        if len(lines) > MAX_PROOF:
            raise wrong("proof", f"has more than {MAX_PROOF} hashes")
        path = tuple(base64_bytes(line, "proof hash", size=HASH_SIZE) for line in lines)
        if index >= Checkpoint.parse(Note.parse(note.encode()).text).size:
            raise wrong("index", "is outside the tree of the checkpoint")
        return cls(index, path, note.encode(), extra)

    def verify(
        self, leaf: bytes, log: Collection[VerifierKey], witnesses: Collection[VerifierKey] = ()
    ) -> VerifiedCheckpoint:
        """The log of `log` holds leaf hash `leaf` at `index`, under the checkpoint returned.

        Raises `RemoteError`: what `open_checkpoint` raises, or `bad-proof`. How many cosignatures are enough is up to
        the caller; they are in what is returned.
        """
        opened = open_checkpoint(self.checkpoint, log, witnesses)
        verify_inclusion(self.index, opened.checkpoint.size, leaf, self.path, opened.checkpoint.root)
        return opened


def _extra(line: str) -> bytes:
    data = base64_bytes(line[len("extra ") :], "extra")
    if not 0 < len(data) <= MAX_EXTRA:
        raise wrong("extra", f"needs 1 to {MAX_EXTRA} bytes; without any, the line is left out")
    return data
