"""The rows of an openings file as they are written.

Apart from `besides`, because msgspec reads these annotations and a compiled module has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rsc_share.audit import layout
from rsc_share.envelope.parts import MAX_AUDIENCE
from rsc_share.log.tiles import WIDTH
from rsc_share.wire import Form, Hash, Number, Positive, Row, Salt


class WrittenOpening(Row, frozen=True):
    node: str
    salt: Salt
    n: Positive


class WrittenStatement(Row, frozen=True):
    sender: str
    salt: Salt
    header_hash: Hash
    state: Literal["stored", "opened", "bad-grant", "bad-part", "body-missing"]


class WrittenBeside(Row, frozen=True):
    index: Number
    openings: Annotated[tuple[WrittenOpening, ...], Meta(max_length=MAX_AUDIENCE)]
    statements: Annotated[tuple[WrittenStatement, ...], Meta(max_length=MAX_AUDIENCE)]


_Rows = Annotated[tuple[WrittenBeside, ...], Meta(min_length=1, max_length=WIDTH)]
FORM: Form[tuple[WrittenBeside, ...]] = Form(_Rows, "openings", layout.MAX_OPENINGS)
