"""What travelled beside the entries, and the entries of one member's view: msgpack rows, 256 entries a file.

    openings file      [[index, [[node, salt, n], ...], [[sender, salt, header hash, state], ...]], ...]
    entries-view file  [[index, entry], ...]

Indexes and names rise strictly, so each file has one spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.audit import layout
from rsc_share.envelope.entry import MAX_ENTRY
from rsc_share.envelope.parts import MAX_AUDIENCE, Opening
from rsc_share.log.tiles import WIDTH
from rsc_share.session.frames import Statement


@dataclass(frozen=True, slots=True)
class Beside:
    """What travelled beside one entry: openings by recipient node, statements by the sender they are about."""

    openings: Mapping[str, Opening]
    statements: Mapping[str, Statement]


NOTHING = Beside({}, {})
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
    value = codec.unpack(data, max_size=layout.MAX_OPENINGS)
    rows = [shape.row(item, "openings", 3) for item in shape.items(value, "openings", low=1, high=WIDTH)]
    found = {}
    for index, openings, statements in rows:
        beside = Beside(_openings(openings), _statements(statements))
        if not beside.openings and not beside.statements:
            raise shape.wrong("openings", "has a row with nothing in it")
        found[_index(index, bundle)] = beside
    shape.ascending([row[0] for row in rows], "openings")
    return found


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


@lru_cache(maxsize=4096)
def _checked(name: str) -> str:
    """Few nodes, many openings: a name is read once."""
    return names.node(name, "node")


def _node(value: Any) -> str:
    return _checked(value) if type(value) is str else names.node(value, "node")


def _openings(value: Any) -> dict[str, Opening]:
    found = {}
    for item in shape.items(value, "openings", high=MAX_AUDIENCE):
        node, salt, n = shape.row(item, "opening", 3)
        found[_node(node)] = Opening.from_wire([salt, n], "opening")
    shape.ascending([item[0] for item in value], "openings")
    return found


def _statements(value: Any) -> dict[str, Statement]:
    found = {}
    for item in shape.items(value, "statements", high=MAX_AUDIENCE):
        sender, salt, digest, state = shape.row(item, "statement", 4)
        found[_node(sender)] = Statement.from_wire([salt, digest, state], "statement")
    shape.ascending([item[0] for item in value], "statements")
    return found
