"""A refusal signed by the log key: the only thing that frees a sender to sign another header for the same number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rsc_share import codec, names, shape
from rsc_share.crypto.signing import PublicKey, Signer, Suite, signed_bytes, verify
from rsc_share.envelope.parts import ED25519_SIGNATURE, HASH
from rsc_share.errors import Refused

MAX_REFUSAL = 16_384


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the relay refused, why, and when. A refused header refuses every header whose `prev` runs through it."""

    log: str
    header_hash: bytes
    code: str
    row: int
    what: str
    directory: int
    time: int
    signature: bytes = b""

    def statement(self) -> bytes:
        return codec.pack([self.log, self.header_hash, self.code, self.row, self.what, self.directory, self.time])

    def signed(self, signer: Signer, framework_id: bytes) -> Refusal:
        data = signed_bytes("refusal", Suite.ED25519, framework_id, self.statement())
        return Refusal(
            self.log, self.header_hash, self.code, self.row, self.what, self.directory, self.time, signer.sign(data)
        )

    def verify(self, key: PublicKey, framework_id: bytes) -> None:
        """Raises `RemoteError` (`bad-signature`)."""
        verify(key, signed_bytes("refusal", Suite.ED25519, framework_id, self.statement()), self.signature)

    def error(self) -> Refused:
        """What a publisher is told."""
        return Refused(self.code, f"the relay refused it: {self.what}", row=self.row, log=self.log)

    def wire(self) -> list[Any]:
        return [self.statement(), self.signature]

    @classmethod
    def from_wire(cls, value: Any, where: str = "refusal") -> Refusal:
        statement, signature = shape.row(value, where, 2)
        fields = codec.unpack(shape.blob(statement, where, high=MAX_REFUSAL), max_size=MAX_REFUSAL)
        log, digest, code, row, what, directory, time = shape.row(fields, where, 7)
        return cls(
            log=names.origin(log, where),
            header_hash=shape.blob(digest, where, size=HASH),
            code=shape.text(code, where, low=1, high=40),
            row=shape.integer(row, where, high=99),
            what=shape.text(what, where, high=1000),
            directory=shape.integer(directory, where),
            time=shape.integer(time, where),
            signature=shape.blob(signature, where, size=ED25519_SIGNATURE),
        )
