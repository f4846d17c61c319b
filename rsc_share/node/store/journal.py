"""The journal: what one commit changed, sealed together, so that a commit costs one seal and one row of SQLite.

sealed = XChaCha20-Poly1305(journal key, nonce24, aad = "journal" || store id || segment u64 || number u64) over
         msgpack [[room, log, key, value or nil], ...]

A journal's segment is its own: an hour's erased rows go with its key, and nothing has to be sealed again for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nacl.exceptions import CryptoError

from rsc_share import codec, shape
from rsc_share.errors import RemoteError
from rsc_share.node.store.layers import Rows
from rsc_share.node.store.protocol import MAX_VALUE, Room
from rsc_share.node.store.rows import RowKey
from rsc_share.node.store.segments import Segments, seal, unseal

PIECE: Final = 4 << 20
"""Bytes after which a commit begins another piece."""
_MAX_PIECE: Final = PIECE + MAX_VALUE + (1 << 16)
_MAX_ROWS: Final = 1 << 20
_PER_ROW: Final = 64


def pieces(rows: Rows) -> Iterator[list[object]]:
    """What changed in one commit, in parts of a few MiB."""
    piece: list[object] = []
    weight = 0
    for (room, log, key), value in rows.items():
        piece.append([int(room), log, key, value])
        weight += _PER_ROW + len(key) + len(value or b"")
        if weight >= PIECE:
            yield piece
            piece, weight = [], 0
    if piece:
        yield piece


def seal_piece(segments: Segments, number: int, piece: list[object]) -> bytes:
    return seal(segments.keys[segments.journal], codec.again(piece), _aad(segments, segments.journal, number))


def open_piece(segments: Segments, segment: int, number: int, sealed: bytes) -> Iterator[tuple[RowKey, bytes | None]]:
    """Its rows. Raises `RemoteError`: altered, moved, or of a segment whose key is gone."""
    try:
        content = unseal(segments.keys[segment], sealed, _aad(segments, segment, number))
    except (CryptoError, KeyError):
        raise RemoteError(f"piece {number} of the journal was altered or stands in another one's place") from None
    rows = shape.items(codec.unpack(content, max_size=_MAX_PIECE, max_items=_MAX_ROWS), "piece", high=_MAX_ROWS)
    for row in rows:
        room, log, key, value = shape.row(row, "piece", 4)
        yield (Room(room), log, key), value


def _aad(segments: Segments, segment: int, number: int) -> bytes:
    return b"journal" + segments.store_id + segment.to_bytes(8, "big") + number.to_bytes(8, "big")
