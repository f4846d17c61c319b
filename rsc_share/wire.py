"""Typed forms: a closed shape is read in one step in C, and is what was read only if it encodes to the same bytes.

A form says everything about types, lengths and ranges in its annotations; what they cannot say (a grammar of names, an
order) its owner checks afterwards. `codec` stays the reader of shapes that are not fixed. Both write one spelling; a
test holds them against each other. Nothing is allocated for a length that is only claimed: an array longer than its
bound, or than the bytes that are left, is refused before a list is made.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from rsc_share.codec import INT_MAX
from rsc_share.errors import RemoteError
from rsc_share.form import Form, plain, write

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""SHA-256."""
Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Sixteen bytes; whether they are a UUIDv7 is checked by `names.message_id`."""
Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]
Ed25519Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
Positive = Annotated[int, Meta(ge=1, le=INT_MAX)]


class _Shape(msgspec.Struct, frozen=True):
    """What `codec` may hold of a value here: for frames and records that are not forms themselves."""

    def wire(self) -> Any:
        """Lists, maps and plain values, as `codec.pack` takes them."""
        return msgspec.to_builtins(self, builtin_types=(bytes,))

    @classmethod
    def from_wire(cls, value: Any, where: str) -> Self:
        """The value of a part that `codec.unpack` returned. Raises `RemoteError` (`malformed`)."""
        try:
            return msgspec.convert(value, cls, builtin_types=(bytes,))
        except msgspec.ValidationError as error:
            raise RemoteError(f"{where}: {plain(str(error))}", where=where) from None


class Row(_Shape, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A list of exactly these items, in the order of the lines. No field has a default: nothing may be left out."""


class Map(_Shape, frozen=True, forbid_unknown_fields=True):
    """A map with exactly these keys. The lines stand in the alphabet's order: that is the order of the bytes."""


__all__ = [
    "Ed25519Signature",
    "Form",
    "Hash",
    "Id",
    "Map",
    "Number",
    "Positive",
    "Row",
    "Salt",
    "write",
]
