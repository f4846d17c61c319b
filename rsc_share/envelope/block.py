"""The signature block of an entry as it is written.

Apart from `signature`, because msgspec reads these annotations and a compiled module has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rsc_share.envelope.parts import MAX_BATCH
from rsc_share.errors import RemoteError
from rsc_share.shape import wrong
from rsc_share.wire import Ed25519Signature, Form, Hash, Row, write

MAX_BLOCK = 512
MAX_PATH = 8
"""log2 of `MAX_BATCH`."""


class SignatureBlock(Row, frozen=True):
    """`[suite, key id, sig, index, size, path]`: whose signature, and where in the signed batch this header stands."""

    suite: Literal[1]
    key_id: Hash
    signature: Ed25519Signature
    index: Annotated[int, Meta(ge=0, lt=MAX_BATCH)]
    size: Annotated[int, Meta(ge=1, le=MAX_BATCH)]
    path: Annotated[tuple[Hash, ...], Meta(max_length=MAX_PATH)]

    def pack(self) -> bytes:
        return write(self)

    @classmethod
    def parse(cls, data: bytes) -> SignatureBlock:
        """Raises `RemoteError` (`malformed`)."""
        found = _FORM.read(data)
        if found.index >= found.size:
            raise _outside(found)
        return found

    @classmethod
    def parse_all(cls, datas: list[bytes]) -> list[SignatureBlock]:
        """As `parse` of each. Raises what one of them raises."""
        found = _FORM.read_all(datas)
        for block in found:
            if block.index >= block.size:
                raise _outside(block)
        return found


def _outside(block: SignatureBlock) -> RemoteError:
    return wrong("batch index", f"needs a whole number from 0 to {block.size - 1}")


_FORM: Form[SignatureBlock] = Form(SignatureBlock, "signature", MAX_BLOCK)
