"""Reading and writing one typed form. Apart from the shapes in `wire`, whose classes msgspec must see as written."""

from __future__ import annotations

from contextlib import suppress
from operator import eq
from typing import Any, Generic, TypeVar

import msgspec

from rsc_share.errors import LocalError, RemoteError
from rsc_share.legible import replaced

T = TypeVar("T")

_MAX_COMPLAINT = 200
_encoder = msgspec.msgpack.Encoder()


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

    def read_all(self, datas: list[bytes]) -> list[T]:
        """As `read` of each; raises what the first that is wrong raises. Where none is, no line of Python runs for
        each of them."""
        found = self._read_right(datas)
        return list(map(self.read, datas)) if found is None else found

    def _read_right(self, datas: list[bytes]) -> list[T] | None:
        """None where anything is wrong. A call of its own, so that nothing of it stays for an error to hold."""
        if max(map(len, datas), default=0) > self.max_size:
            return None
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = list(map(self._decoder.decode, datas))
            return found if all(map(eq, map(_encoder.encode, found), datas)) else None
        return None

    def _wrong(self, what: str) -> RemoteError:
        return RemoteError(f"{self.name}: {plain(what)}", where=self.name)


def plain(complaint: str) -> str:
    """It may quote a stranger's key: nothing of it may break a line or colour a terminal."""
    return replaced(complaint[:_MAX_COMPLAINT])


def write(value: Any) -> bytes:
    """The one spelling of a value whose form is typed. Raises `LocalError` for what the format cannot hold."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        raise LocalError("a text holds half a surrogate pair, which UTF-8 cannot spell") from None
    except OverflowError:
        raise LocalError("an integer is outside 64 bits") from None
