"""How a row looks on disk: a keyed name, and a seal that says which row of which store it is.

id     = BLAKE2b-128(key of row ids, msgpack [room, log, key]) ; shelf = BLAKE2b-64(key of row ids, log)
sealed = XChaCha20-Poly1305(segment key, nonce24, aad = store id || room u8 || segment u64 || id) over
         msgpack [log, key, value]
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from nacl.exceptions import CryptoError

from rsc_share import codec, shape
from rsc_share.errors import RemoteError
from rsc_share.node.store.protocol import MAX_VALUE, Room
from rsc_share.node.store.segments import Segments, seal, unseal

RowKey = tuple[Room, str, bytes]
"""Room, log, key."""


def shelf_of(segments: Segments, log: str) -> int:
    """Rows of one log lie together; of which log is not said."""
    return _shelf(segments.id_key, log)


@lru_cache(maxsize=256)
def _shelf(key: bytes, log: str) -> int:
    """A node has few logs, and a row for everything that happens in them."""
    digest = blake2b(log.encode(), digest_size=8, key=key, person=b"rsc shelf").digest()
    return int.from_bytes(digest, "big", signed=True)


def id_of(segments: Segments, row: RowKey) -> bytes:
    room, log, key = row
    name = codec.again([int(room), log, key])
    return blake2b(name, digest_size=16, key=segments.id_key, person=b"rsc row").digest()


def seal_row(segments: Segments, row: RowKey, row_id: bytes, segment: int, value: bytes) -> bytes:
    room, log, key = row
    return seal(segments.keys[segment], codec.again([log, key, value]), _aad(segments, room, row_id, segment))


def open_row(segments: Segments, room: int, row_id: bytes, segment: int, sealed: bytes) -> tuple[str, bytes, bytes]:
    """Log, key and value. `KeyError` for a segment whose key is gone, `RemoteError` for a row that was altered."""
    try:
        content = unseal(segments.keys[segment], sealed, _aad(segments, room, row_id, segment))
    except CryptoError:
        raise RemoteError("a row was altered or stands in another one's place") from None
    log, key, value = shape.row(codec.unpack(content, max_size=MAX_VALUE + 4096), "row", 3)
    return log, key, value


def _aad(segments: Segments, room: int, row_id: bytes, segment: int) -> bytes:
    return segments.store_id + bytes([room]) + segment.to_bytes(8, "big") + row_id
