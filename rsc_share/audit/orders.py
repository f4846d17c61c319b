"""Orders behind an export's end: recalls and erasures that the relay has obeyed and k members have not cosigned yet.

    [note, [hash, ...], [[index, entry, [hash, ...]], ...]]

`note` is a checkpoint that the log signed over more entries than are exported. The first hashes prove that it extends
the exported tree, those of a row that its entry stands in it. So whoever says that a body went on an order shows an
order that somebody else signed, and has signed himself where it is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rsc_share import codec, shape
from rsc_share.audit import layout
from rsc_share.envelope.contents import ERASING
from rsc_share.envelope.entry import MAX_ENTRY, UnverifiedEntry
from rsc_share.errors import LocalError, RemoteError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.log.merkle import HASH_SIZE, leaf_hash
from rsc_share.log.proofs import verify_extension, verify_inclusion
from rsc_share.log.tree import MemoryTree

_MAX_PROOF = 2 * 64


@dataclass(frozen=True, slots=True)
class Order:
    """An entry behind the end, with its inclusion proof in the tree of the file's note."""

    index: int
    entry: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """One file: the note, the proof that its tree extends the exported one, and the orders, rising by index."""

    note: bytes
    consistency: tuple[bytes, ...]
    rows: tuple[Order, ...]

    def verify(self, checkpoint: Checkpoint, size: int, root: bytes) -> None:
        """That `checkpoint` extends the exported tree of `size` and `root`, and every order stands behind that end.

        Raises `RemoteError` (`bad-proof`).
        """
        verify_extension(size, checkpoint.size, root, checkpoint.root, self.consistency)
        for row in self.rows:
            if row.index < size:
                raise RemoteError(f"entry {row.index} is not behind the end", code="bad-proof")
            verify_inclusion(row.index, checkpoint.size, leaf_hash(row.entry), row.proof, checkpoint.root)

    def only(self, wanted: Callable[[bytes], bool]) -> Orders | None:
        """The same with those entries alone for which `wanted` holds; None for none."""
        rows = tuple(row for row in self.rows if wanted(row.entry))
        return Orders(self.note, self.consistency, rows) if rows else None


def orders_of(tree: MemoryTree, size: int, tail: Sequence[bytes], note: bytes) -> Orders | None:
    """What has been ordered in `tail`, the entries from `size` to the end of `tree`, which `note` signs."""
    rows = [
        Order(size + offset, raw, tuple(tree.inclusion(size + offset)))
        for offset, raw in enumerate(tail)
        if _orders(raw)
    ]
    return Orders(note, tuple(tree.consistency(size)), tuple(rows)) if rows else None


def _orders(raw: bytes) -> bool:
    try:
        return UnverifiedEntry.parse(raw).header.kind in ERASING
    except RemoteError:
        return False


def pack_orders(orders: Orders) -> bytes:
    """The file. Raises `LocalError` for more than one may hold."""
    rows = [[row.index, row.entry, list(row.proof)] for row in orders.rows]
    data = codec.pack([orders.note, list(orders.consistency), rows])
    if len(data) > layout.MAX_ORDERS or len(rows) > layout.MAX_ORDER_ROWS:
        what = f"{len(rows)} orders stand behind the witnessed end of a log, more than an export can hold"
        raise LocalError(what, code="too-large", advice="export again when members have cosigned them")
    return data


def read_orders(data: bytes) -> Orders:
    """Raises `RemoteError` unless `data` is the one spelling of such a file."""
    value = codec.unpack(data, max_size=layout.MAX_ORDERS, max_items=layout.MAX_ORDER_ROWS)
    note, consistency, rows = shape.row(value, "orders", 3)
    found = tuple(_order(row) for row in shape.items(rows, "orders", low=1, high=layout.MAX_ORDER_ROWS))
    shape.ascending([row.index for row in found], "orders")
    return Orders(shape.blob(note, "note", low=1, high=layout.MAX_NOTE), _hashes(consistency), found)


def _order(row: object) -> Order:
    index, entry, proof = shape.row(row, "order", 3)
    return Order(shape.integer(index, "index"), shape.blob(entry, "entry", low=1, high=MAX_ENTRY), _hashes(proof))


def _hashes(value: object) -> tuple[bytes, ...]:
    return tuple(shape.each(shape.blob, value, "proof", high=_MAX_PROOF, size=HASH_SIZE))
