"""What travelled beside the entries, and the entries of one member's view: msgpack rows, 256 entries a file.

    openings file      [[index, [[node, salt, n], ...], [[sender, salt, header hash, state], ...]], ...]
    entries-view file  [[index, entry], ...]

Indexes and names rise strictly, so each file has one spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.audit import layout
from rsc_share.audit.besides_form import FORM, WrittenBeside
from rsc_share.envelope.entry import MAX_ENTRY
from rsc_share.envelope.parts import Opening
from rsc_share.log.tiles import WIDTH
from rsc_share.session.frames import Statement
from rsc_share.value import Value


class Beside(Value, frozen=True):
    """What travelled beside one entry: openings by recipient node, statements by the sender they are about."""

    openings: Mapping[str, Opening]
    statements: Mapping[str, Statement]


NOTHING = Beside({}, {})
_NO_STATEMENTS: Mapping[str, Statement] = {}
Row = tuple[int, Mapping[str, Opening], Mapping[str, Statement]]


def pack_besides(rows: Iterable[Row]) -> bytes:
    return codec.pack(
        [
            [
                index,
                [[node, *openings[node].wire()] for node in sorted(openings)],
                [[sender, *statements[sender].wire()] for sender in sorted(statements)],
            ]
            for index, openings, statements in rows
        ]
    )


def read_besides(data: bytes, bundle: int) -> dict[int, Beside]:
    """By index. Raises `RemoteError` unless `data` is the one spelling of a file for this bundle."""
    rows, first = FORM.read(data), bundle * WIDTH
    found: dict[int, Beside] = {}
    for row in rows:
        index = row.index if first <= row.index < first + WIDTH else _index(row.index, bundle)
        found[index] = _beside(row)
    shape.ascending([row.index for row in rows], "openings")
    return found


def _beside(row: WrittenBeside) -> Beside:
    if not row.openings and not row.statements:
        raise shape.wrong("openings", "has a row with nothing in it")
    openings = {item.node: Opening(item.salt, item.n) for item in row.openings}
    twice = len(openings) < len(row.openings)
    names.audience(tuple([item.node for item in row.openings]) if twice else tuple(openings), "openings")
    if not row.statements:
        return Beside(openings, _NO_STATEMENTS)
    statements = {
        names.node(item.sender): Statement(item.salt, item.header_hash, item.state) for item in row.statements
    }
    shape.ascending([item.sender for item in row.statements], "statements")
    return Beside(openings, statements)


def pack_view(entries: Iterable[tuple[int, bytes]]) -> bytes:
    return codec.pack([[index, raw] for index, raw in entries])


def read_view(data: bytes, bundle: int) -> dict[int, bytes]:
    """Entries by index. Raises `RemoteError` unless `data` is the one spelling of a file for this bundle."""
    value = codec.unpack(data, max_size=layout.MAX_VIEW)
    rows = [shape.row(item, "view", 2) for item in shape.items(value, "view", low=1, high=WIDTH)]
    found = {_index(index, bundle): shape.blob(raw, "view", low=1, high=MAX_ENTRY) for index, raw in rows}
    shape.ascending([row[0] for row in rows], "view")
    return found


def _index(value: Any, bundle: int) -> int:
    return shape.integer(value, "index", low=bundle * WIDTH, high=(bundle + 1) * WIDTH - 1)
