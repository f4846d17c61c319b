"""What one node may see of an entry: all that concerns it, or a bare leaf hash. Pure.

The leaf hash lets everybody check the whole tree. More would tell members who writes to whom, under which label, and
that is exactly what labels are for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rsc_share.crypto.bodies import MAX_INLINE_PART
from rsc_share.envelope.contents import GrantContent, HeartbeatContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header
from rsc_share.relay.store.protocol import Stored
from rsc_share.session.frames import Bare, Full, Item, Statement


@dataclass(frozen=True, slots=True)
class Line:
    """One stored channel entry, parsed once for all its readers."""

    stored: Stored
    entry: UnverifiedEntry

    @classmethod
    def of(cls, stored: Stored) -> Line:
        return cls(stored, UnverifiedEntry.parse(stored.entry))

    def concerns(self, node: str) -> bool:
        """Whether `node` is in the audience or is the sending node."""
        header = self.entry.header
        return node == header.sender or node in self.stored.openings

    def waits(self, node: str) -> bool:
        """Whether `node` has something to do about this entry: it is for it, and somebody else's."""
        return node != self.entry.header.sender and node in self.stored.openings


def item(line: Line, node: str, bodies: Mapping[bytes, bytes]) -> Item:
    """The entry as `node` may see it. `bodies` are those at hand; what is erased is left out."""
    header = line.entry.header
    if not line.concerns(node):
        return Bare(line.entry.leaf)
    if node == header.sender:
        return Full(line.stored.entry, None, (), ())  # its own words: it has the rest
    travelling = (bodies.get(digest) for digest in bodies_for(header, node))
    return Full(
        line.stored.entry,
        line.stored.openings[node],
        statements_for(header, line.stored.statements, node),
        tuple(body for body in travelling if body is not None),
    )


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
