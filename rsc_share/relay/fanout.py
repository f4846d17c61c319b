"""What one node may see of an entry: all that concerns it, or a bare leaf hash. Pure.

The leaf hash lets everybody check the whole tree. More would tell members who writes to whom, under which label, and
that is exactly what labels are for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rsc_share.crypto.bodies import MAX_INLINE_PART
from rsc_share.crypto.sealing import SEALED_SIZE
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.log.merkle import leaf_hash
from rsc_share.relay.store.protocol import Stored
from rsc_share.session.frames import Statement


@dataclass(frozen=True, slots=True)
class Line:
    """One stored channel entry: what all its readers ask for, worked out once."""

    stored: Stored
    entry: UnverifiedEntry
    sender: str
    leaf: bytes
    inline: tuple[bytes, ...]
    """Digests of the parts that lie beside it."""
    beside: int
    """Bytes that travel with it to one who receives it."""

    @classmethod
    def of(cls, stored: Stored, entry: UnverifiedEntry | None = None) -> Line:
        entry = UnverifiedEntry.parse(stored.entry) if entry is None else entry
        header, raw = entry.header, stored.entry
        inline = [part for part in header.parts if part.size <= MAX_INLINE_PART]
        beside = SEALED_SIZE if isinstance(header.content, GrantContent) else sum(part.size for part in inline)
        digests = tuple(part.digest for part in inline)
        return cls(stored, entry, header.sender, leaf_hash(raw), digests, beside)

    def waits(self, node: str) -> bool:
        """Whether `node` has something to do about this entry: it is for it, and somebody else's."""
        return node != self.sender and node in self.stored.openings

    def weight(self, node: str) -> int:
        """About how many bytes `node` is shown of it."""
        if node == self.sender:
            return len(self.stored.entry)
        return len(self.stored.entry) + self.beside if node in self.stored.openings else len(self.leaf)

    def travelling(self, node: str) -> tuple[bytes, ...]:
        """Digests of the bodies that go to `node` with the entry."""
        return (self.inline or bodies_for(self.entry.header, node)) if self.waits(node) else ()


def row(line: Line, node: str, bodies: list[bytes]) -> list[Any]:
    """The entry as `node` may see it, in the form that `read_item` takes. `bodies`: of those that travel to it the ones
    at hand; what is erased is left out."""
    raw = line.stored.entry
    if node == line.sender:
        return [raw, None, [], []]  # its own words: it has the rest
    opening = line.stored.openings.get(node)
    if opening is None:
        return [line.leaf]
    statements = statements_for(line.entry.header, line.stored.statements, node) if line.stored.statements else ()
    return [raw, opening, [[about, statement.wire()] for about, statement in statements], bodies]


def bodies_for(header: Header, node: str) -> tuple[bytes, ...]:
    """Digests of the bodies `node` may fetch: the parts addressed to it, or its own sealed key and no other. Blobs do
    not travel beside entries."""
    if isinstance(header.content, GrantContent):
        return tuple(digest for name, _, digest in header.content.nodes if name == node)
    if node == header.sender or node in header.nodes:
        return tuple(part.digest for part in header.parts if part.size <= MAX_INLINE_PART)
    return ()


def blobs_for(header: Header, node: str) -> tuple[bytes, ...]:
    """Digests of the blobs `node` may read."""
    if node == header.sender or node in header.nodes:
        return blobs_of(header)
    return ()


def blobs_of(header: Header) -> tuple[bytes, ...]:
    """Digests of the parts that are too large to lie beside the entry."""
    return tuple(part.digest for part in header.parts if part.size > MAX_INLINE_PART)


def statements_for(header: Header, statements: Collection[Statement], node: str) -> tuple[tuple[str, Statement], ...]:
    """The statements of a heartbeat that are about `node`'s entries, with its name as the sender they are about."""
    if not isinstance(header.content, HeartbeatContent):
        return ()
    about = zip(header.content.received, statements, strict=True)
    return tuple((sender, statement) for (sender, _), statement in about if sender == node)


def all_bodies(header: Header) -> tuple[bytes, ...]:
    """Digests of every body an entry names: its parts, or all sealed keys of a grant."""
    sealed = header.content.nodes if isinstance(header.content, GrantContent) else ()
    return (*(part.digest for part in header.parts), *(digest for _, _, digest in sealed))
