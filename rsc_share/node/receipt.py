"""The proof a sender keeps: where its message stands in the log, in a form anybody can check offline."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from rsc_share.codec import pack
from rsc_share.durable import write_whole
from rsc_share.log.tlogproof import TlogProof
from rsc_share.node.plan import Outcome
from rsc_share.node.ticket import Place


@dataclass(frozen=True, slots=True)
class Receipt:
    """Logged: the relay's signed checkpoint covers it. `outcomes` are this node's decisions, never the relay's word.

    `reference` quotes the message (`EST/mod-1/counter-terrorism/417`); `index` is its place in the log; `witnessed`
    says whether k members had cosigned the tree when this value was made.
    """

    reference: str
    index: int
    outcomes: tuple[Outcome, ...]
    logged_at: int
    witnessed: bool
    degraded: bool
    place: Place = field(repr=False)

    def proof(self) -> bytes:
        """A tlog-proof@v1 file (C2SP). `extra` is the stamp, with which the leaf is rebuilt from our own bytes."""
        stamp = pack([self.place.stamp.logged_at, self.place.stamp.directory])
        return TlogProof(self.index, self.place.proof, self.place.note, stamp).encode()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the proof file, whole or not at all. Raises `StorageError`."""
        write_whole(Path(path), self.proof())
