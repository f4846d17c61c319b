"""Strict readers for C2SP text: what Python's own parsers accept too much of.

`int()` takes "+1", "1_0", " 1" and Arabic digits; `b64decode(validate=True)` takes non-zero trailing bits;
`splitlines()` splits at U+2028, U+0085 and vertical tabs. Each of these would give one signed text two readings, so
nothing in this room calls them. All readers raise `RemoteError` with the place in `where`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode

from rsc_share.log.merkle import MAX_SIZE
from rsc_share.shape import wrong

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f+\s]")
MAX_NAME = 255
"""Bytes of a key name or origin: the ML-DSA-44 cosignature gives its length one byte."""


def text_of(data: bytes, where: str, *, limit: int) -> str:
    """UTF-8 without control characters other than the newline (signed-note, section Format)."""
    if len(data) > limit:
        raise wrong(where, f"is longer than {limit} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise wrong(where, "is not UTF-8") from None
    if _CONTROL.search(text):
        raise wrong(where, "holds control characters")
    return text


def lines_of(text: str, where: str) -> list[str]:
    """The lines of `text`, each ended by one newline, the last one too."""
    if not text.endswith("\n"):
        raise wrong(where, "does not end with a newline")
    return text[:-1].split("\n")


def decimal(text: str, where: str) -> int:
    """ASCII digits without leading zeros, at most 2^63 - 1."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > MAX_SIZE:
        raise wrong(where, "is not a plain decimal number below 2^63")
    return value


def base64_bytes(text: str, where: str, *, size: int | None = None) -> bytes:
    """RFC 4648 section 4, padded, in its one spelling; exactly `size` bytes where given."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except ValueError:  # binascii.Error, or characters outside ASCII
        raise wrong(where, "is not base64") from None
    if base64_text(data) != text:
        raise wrong(where, "is not canonical base64")
    if size is not None and len(data) != size:
        raise wrong(where, f"holds {len(data)} bytes, not {size}")
    return data


def base64_text(data: bytes) -> str:
    """RFC 4648 section 4 with padding, on one line."""
    return b64encode(data).decode("ascii")


def key_name(text: str, where: str, *, limit: int = MAX_NAME) -> str:
    """A signed-note key name: not empty, no Unicode spaces, no plus, no control characters, at most `limit` bytes."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise wrong(where, "is not a Unicode text") from None
    if not 0 < size <= limit:
        raise wrong(where, f"needs 1 to {limit} bytes")
    if _NOT_IN_NAMES.search(text):
        raise wrong(where, "holds a space, a plus or a control character")
    return text
