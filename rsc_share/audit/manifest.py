"""The manifest: every file of an export with its SHA-256, who made it and when, sealed by a checksum, maybe signed.

A manifest proves custody, not truth: whoever alters an export can write another one. Truth comes from the logs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from rsc_share import names, shape
from rsc_share.audit import canonical, layout
from rsc_share.crypto.signing import PublicKey, Signer, signed_bytes, verify
from rsc_share.errors import RemoteError
from rsc_share.value import Value, replace

FORMAT = "rsc-share export 1"
_KEYS = ("by", "checksum", "exported_at", "files", "format", "framework_id", "signature", "tool", "view")
_HEX = re.compile(r"[0-9a-f]+")


class FileLine(Value, frozen=True):
    path: str
    sha256: bytes
    size: int

    def values(self) -> dict[str, Any]:
        return {"bytes": self.size, "path": self.path, "sha256": self.sha256.hex()}


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature over the manifest by whoever exported."""

    key: PublicKey
    signature: bytes

    def values(self) -> dict[str, Any]:
        return {"key": self.key.raw.hex(), "signature": self.signature.hex(), "suite": int(self.key.suite)}


@dataclass(frozen=True, slots=True)
class Manifest:
    """`exported_at` is ms UTC by the exporter's clock, a claim. `view`: `full`, or the member it is cut to."""

    framework_id: bytes
    by: str
    exported_at: int
    tool: str
    view: str
    files: tuple[FileLine, ...]
    seal: Seal | None = None

    def statement(self) -> bytes:
        """What the checksum and the signature cover."""
        return canonical.encode(self._values())

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.statement()).digest()

    def encode(self) -> bytes:
        seal = None if self.seal is None else self.seal.values()
        return canonical.encode({**self._values(), "checksum": self.checksum.hex(), "signature": seal})

    def signed(self, signer: Signer) -> Manifest:
        data = signed_bytes("manifest", signer.public.suite, self.framework_id, self.checksum)
        return replace(self, seal=Seal(signer.public, signer.sign(data)))

    def verify(self) -> None:
        """Raises `RemoteError` (`bad-signature`) unless the seal, if there is one, is over this manifest."""
        if self.seal is not None:
            data = signed_bytes("manifest", self.seal.key.suite, self.framework_id, self.checksum)
            verify(self.seal.key, data, self.seal.signature)

    def _values(self) -> dict[str, Any]:
        return {
            "by": self.by,
            "exported_at": self.exported_at,
            "files": [line.values() for line in self.files],
            "format": FORMAT,
            "framework_id": self.framework_id.hex(),
            "tool": self.tool,
            "view": self.view,
        }

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of a manifest whose checksum holds."""
        m = shape.closed(canonical.decode(data, "manifest"), "manifest", _KEYS)
        shape.choice(m["format"], "format", (FORMAT,))
        made = cls(
            framework_id=_hex(m["framework_id"], "framework_id", 32),
            by=shape.text(m["by"], "by", low=1),
            exported_at=shape.integer(m["exported_at"], "exported_at"),
            tool=shape.text(m["tool"], "tool", low=1),
            view="full" if m["view"] == "full" else names.member(m["view"], "view"),
            files=tuple(_line(item) for item in shape.items(m["files"], "files", high=1 << 24)),
            seal=None if m["signature"] is None else _seal(m["signature"]),
        )
        shape.ascending([line.path for line in made.files], "files")
        covered = canonical.without(m, data, "checksum", "signature")
        if _hex(m["checksum"], "checksum", 32) != hashlib.sha256(covered).digest():
            raise RemoteError("manifest: its checksum does not fit what it says", where="checksum")
        return made


def line_of(path: str, data: bytes) -> FileLine:
    return FileLine(path, hashlib.sha256(data).digest(), len(data))


def _line(value: Any) -> FileLine:
    m = shape.closed(value, "files", ("bytes", "path", "sha256"))
    path = layout.safe(shape.text(m["path"], "path", low=1, high=512))
    if not path.startswith(layout.EXPORT):
        raise shape.wrong("path", f"is not below {layout.EXPORT}")
    return FileLine(path, _hex(m["sha256"], "sha256", 32), shape.integer(m["bytes"], "bytes"))


def _seal(value: Any) -> Seal:
    m = shape.closed(value, "signature", ("key", "signature", "suite"))
    suite = shape.integer(m["suite"], "suite", high=255)
    key = PublicKey.from_wire([suite, _hex(m["key"], "key")], "key")
    return Seal(key, _hex(m["signature"], "signature"))


def _hex(value: Any, where: str, size: int | None = None) -> bytes:
    if type(value) is not str or len(value) % 2 or not _HEX.fullmatch(value) or (size and len(value) != 2 * size):
        raise shape.wrong(where, f"needs {size or 'some'} bytes in lower-case hex")
    return bytes.fromhex(value)
