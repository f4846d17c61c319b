"""The manifest as it is written: types and lengths. `manifest` checks what these cannot say.

A manifest has a line for every body of a log, so it is read and spelled in C where that gives the same bytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from rsc_share.audit import canonical
from rsc_share.codec import INT_MAX
from rsc_share.errors import RemoteError
from rsc_share.form import plain

FORMAT: Final = "rsc-share export 1"
_MAX_LINES = 1 << 24

_Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_Digest = Annotated[str, Meta(min_length=64, max_length=64)]


class WrittenLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    bytes: _Number
    path: Annotated[str, Meta(min_length=1, max_length=512)]
    sha256: _Digest


class WrittenSeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    signature: str
    suite: Annotated[int, Meta(ge=0, le=255)]


class WrittenStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What checksum and signature cover."""

    by: _Text
    exported_at: _Number
    files: Annotated[tuple[WrittenLine, ...], Meta(max_length=_MAX_LINES)]
    format: Literal["rsc-share export 1"]
    framework_id: _Digest
    tool: _Text
    view: str

    def sealed(self, checksum: str, signature: WrittenSeal | None) -> WrittenManifest:
        return WrittenManifest(
            self.by,
            checksum,
            self.exported_at,
            self.files,
            self.format,
            self.framework_id,
            signature,
            self.tool,
            self.view,
        )


class WrittenManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines stand in the alphabet's order: that is the order of the bytes."""

    by: _Text
    checksum: _Digest
    exported_at: _Number
    files: Annotated[tuple[WrittenLine, ...], Meta(max_length=_MAX_LINES)]
    format: Literal["rsc-share export 1"]
    framework_id: _Digest
    signature: WrittenSeal | None
    tool: _Text
    view: str


_decoder = msgspec.json.Decoder(WrittenManifest)


def read(data: bytes) -> WrittenManifest:
    """Raises `RemoteError` (`malformed`) unless `data` is the one spelling of something of this form."""
    if canonical.has_no_escapes(data):
        try:
            found = _decoder.decode(data)
            if canonical.spells(found, data):
                return found
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            pass
    # The long way: for texts that are spelled with a backslash, and to say what is wrong.
    try:
        return msgspec.convert(canonical.decode(data, "manifest"), WrittenManifest)
    except msgspec.ValidationError as error:
        raise RemoteError(f"manifest: {plain(str(error))}", where="manifest") from None
    except UnicodeEncodeError:
        what = "holds half a surrogate pair where none may be"
        raise RemoteError(f"manifest: {what}", where="manifest") from None


def spell(value: msgspec.Struct) -> bytes:
    """The one spelling of a form of this module."""
    with suppress(UnicodeEncodeError):  # half a surrogate pair, which JSON can spell
        found = canonical.fast(value)
        if canonical.has_no_escapes(found):
            return found
    return canonical.encode(msgspec.to_builtins(value))


def statement_in(manifest: bytes) -> tuple[memoryview, ...]:
    """The one spelling of the statement in a manifest, given the manifest's own: what is left without two of its lines.

    A line break with one space after it stands before the names of the outermost object, and nowhere else.
    """
    checksum = manifest.index(b'\n "checksum": ')
    exported_at = manifest.index(b'\n "exported_at": ', checksum)
    signature = manifest.rindex(b'\n "signature": ')
    tool = manifest.index(b'\n "tool": ', signature)
    view = memoryview(manifest)  # a manifest can be long, and this one is only looked at
    return view[:checksum], view[exported_at:signature], view[tool:]
