"""Typed forms: a closed shape is read in one step in C, and is what was read only if it encodes to the same bytes.

A form says everything about types, lengths and ranges in its annotations; what they cannot say (a grammar of names, an
order) its owner checks afterwards. `codec` stays the reader of shapes that are not fixed. Both write one spelling; a
test holds them against each other. Nothing is allocated for a length that is only claimed: an array longer than its
bound, or than the bytes that are left, is refused before a list is made.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
from msgspec import Meta

from rsc_share.codec import INT_MAX
from rsc_share.errors import LocalError, RemoteError

T = TypeVar("T")

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""SHA-256."""
Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Sixteen bytes; whether they are a UUIDv7 is checked by `names.message_id`."""
Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]
Ed25519Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
Positive = Annotated[int, Meta(ge=1, le=INT_MAX)]

_MAX_COMPLAINT = 200
_encoder = msgspec.msgpack.Encoder()


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
            raise RemoteError(f"{where}: {_plain(str(error))}", where=where) from None


class Row(_Shape, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A list of exactly these items, in the order of the lines. No field has a default: nothing may be left out."""


class Map(_Shape, frozen=True, forbid_unknown_fields=True):
    """A map with exactly these keys. The lines stand in the alphabet's order: that is the order of the bytes."""


class Form(Generic[T]):
    """Reads and writes one type. `name` is what an error calls it; `max_size` bounds its bytes."""

    __slots__ = ("_decoder", "max_size", "name")

    def __init__(self, type_: Any, name: str, max_size: int) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(type_)
        self.name, self.max_size = name, max_size

    def read(self, data: bytes) -> T:
        """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of a value of this form."""
        if len(data) > self.max_size:
            raise self._wrong(f"{len(data)} bytes where at most {self.max_size} are allowed")
        try:
            found = self._decoder.decode(data)
        except msgspec.DecodeError as error:  # a wrong shape as well as broken bytes
            raise self._wrong(str(error)) from None
        except UnicodeDecodeError:
            raise self._wrong("a text that is not UTF-8") from None
        except RecursionError:
            raise self._wrong("nested too deep") from None
        if _encoder.encode(found) != data:
            raise self._wrong("not the one spelling of its value (a longer form, a key twice or out of order)")
        return found

    def _wrong(self, what: str) -> RemoteError:
        return RemoteError(f"{self.name}: {_plain(what)}", where=self.name)


def _plain(complaint: str) -> str:
    """It may quote a stranger's key: nothing of it may break a line or colour a terminal."""
    return "".join(c if c.isprintable() else "?" for c in complaint[:_MAX_COMPLAINT])


def write(value: Any) -> bytes:
    """The one spelling of a value whose form is typed. Raises `LocalError` for what the format cannot hold."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        raise LocalError("a text holds half a surrogate pair, which UTF-8 cannot spell") from None
    except OverflowError:
        raise LocalError("an integer is outside 64 bits") from None
