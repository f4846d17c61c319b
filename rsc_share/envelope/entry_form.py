"""An entry and its stamp as they are written.

Apart from `entry`, because msgspec reads these annotations and a compiled module has none.
"""

from __future__ import annotations

from functools import lru_cache

from rsc_share.wire import Form, Number, Row, write

MAX_ENTRY = 65_535
"""Bytes: an entry bundle has a 16-bit length in front of every entry (C2SP tlog-tiles)."""
MAX_STAMP = 32


class Stamp(Row, frozen=True):
    """The relay's word: when it logged the entry (ms UTC) and under which directory size it judged it."""

    logged_at: Number
    directory: Number

    def pack(self) -> bytes:
        return write(self)

    @classmethod
    def parse(cls, data: bytes) -> Stamp:
        return _read_stamp(data)

    @classmethod
    def parse_all(cls, datas: list[bytes]) -> list[Stamp]:
        """As `parse` of each. Raises what the first that is wrong raises."""
        return list(map(_read_stamp, datas))


class WrittenEntry(Row, frozen=True):
    version: int
    header: bytes
    block: bytes
    stamp: bytes


STAMP: Form[Stamp] = Form(Stamp, "stamp", MAX_STAMP)
ENTRY: Form[WrittenEntry] = Form(WrittenEntry, "entry", MAX_ENTRY)


@lru_cache(maxsize=1024)
def _read_stamp(data: bytes) -> Stamp:
    """A relay gives one stamp to everything it commits together."""
    return STAMP.read(data)
