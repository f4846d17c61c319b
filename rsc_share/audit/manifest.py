"""The manifest: every file of an export with its SHA-256, who made it and when, sealed by a checksum, maybe signed.

A manifest proves custody, not truth: whoever alters an export can write another one. Truth comes from the logs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rsc_share import names, shape
from rsc_share.audit import layout, manifest_form
from rsc_share.audit.manifest_form import FORMAT, WrittenLine, WrittenSeal, WrittenStatement
from rsc_share.crypto.signing import PublicKey, Signer, signed_bytes, verify
from rsc_share.errors import RemoteError
from rsc_share.value import Value, replace


class FileLine(Value, frozen=True, gc=False):
    path: str
    sha256: bytes
    size: int

    def written(self) -> WrittenLine:
        return WrittenLine(self.size, self.path, self.sha256.hex())


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature over the manifest by whoever exported."""

    key: PublicKey
    signature: bytes

    def written(self) -> WrittenSeal:
        return WrittenSeal(self.key.raw.hex(), self.signature.hex(), int(self.key.suite))


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
        return manifest_form.spell(self._written())

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.statement()).digest()

    def encode(self) -> bytes:
        said = self._written()
        checksum = hashlib.sha256(manifest_form.spell(said)).hexdigest()
        seal = None if self.seal is None else self.seal.written()
        return manifest_form.spell(said.sealed(checksum, seal))

    def signed(self, signer: Signer) -> Manifest:
        data = signed_bytes("manifest", signer.public.suite, self.framework_id, self.checksum)
        return replace(self, seal=Seal(signer.public, signer.sign(data)))

    def verify(self) -> None:
        """Raises `RemoteError` (`bad-signature`) unless the seal, if there is one, is over this manifest."""
        if self.seal is not None:
            data = signed_bytes("manifest", self.seal.key.suite, self.framework_id, self.checksum)
            verify(self.seal.key, data, self.seal.signature)

    def _written(self) -> WrittenStatement:
        return WrittenStatement(
            by=self.by,
            exported_at=self.exported_at,
            files=tuple([line.written() for line in self.files]),
            format=FORMAT,
            framework_id=self.framework_id.hex(),
            tool=self.tool,
            view=self.view,
        )

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of a manifest whose checksum holds."""
        m = manifest_form.read(data)
        made = cls(
            framework_id=_hex(m.framework_id, "framework_id"),
            by=shape.text(m.by, "by", low=1),
            exported_at=m.exported_at,
            tool=shape.text(m.tool, "tool", low=1),
            view="full" if m.view == "full" else names.member(m.view, "view"),
            files=_lines(m.files),
            seal=None if m.signature is None else _seal(m.signature),
        )
        shape.ascending([line.path for line in made.files], "files")
        checksum = hashlib.sha256()
        for piece in manifest_form.statement_in(data):
            checksum.update(piece)
        if _hex(m.checksum, "checksum") != checksum.digest():
            raise RemoteError("manifest: its checksum does not fit what it says", where="checksum")
        return made


def line_of(path: str, data: bytes) -> FileLine:
    return FileLine(path, hashlib.sha256(data).digest(), len(data))


def _lines(items: Sequence[WrittenLine]) -> tuple[FileLine, ...]:
    """There is one for every body of a log: whatever can be asked of all of them at once is not asked of each."""
    digests = _digests([item.sha256 for item in items])
    if digests is None:
        return tuple(map(_line, items))  # which says what is wrong with the first that is
    paths = [item.path for item in items]
    for path in layout.no_bodies(paths):
        _path(path)
    return tuple(map(FileLine, paths, digests, [item.bytes for item in items]))


def _digests(texts: Sequence[str]) -> list[bytes] | None:
    """What these texts of 64 digits spell, all at once; None where one of them is no lower-case hex."""
    together = "".join(texts)
    try:
        found = bytes.fromhex(together)
    except ValueError:
        return None
    return [found[at : at + 32] for at in range(0, len(found), 32)] if found.hex() == together else None


def _line(item: WrittenLine) -> FileLine:
    path = item.path if layout.is_body(item.path) else _path(item.path)
    return FileLine(path, _hex(item.sha256, "sha256"), item.bytes)


def _path(text: str) -> str:
    path = layout.safe(shape.text(text, "path", low=1, high=512))
    if not path.startswith(layout.EXPORT):
        raise shape.wrong("path", f"is not below {layout.EXPORT}")
    return path


def _seal(item: WrittenSeal) -> Seal:
    key = PublicKey.from_wire([item.suite, _hex(item.key, "key")], "key")
    return Seal(key, _hex(item.signature, "signature"))


def _hex(text: str, where: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if not found or found.hex() != text:  # also for capitals and blanks, which `fromhex` reads
        raise shape.wrong(where, "needs bytes in lower-case hex")
    return found
