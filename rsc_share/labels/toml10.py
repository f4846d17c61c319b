"""TOML 1.0.0 and no later version, whichever Python reads it.

TOML 1.1 allows line ends and a last comma in inline tables, the escapes `\\e` and `\\x`, and times without seconds. A
`tomllib` that knows it accepts a text which another one refuses: half of a framework would then follow a charter that
the other half holds to be void.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

_TOKEN = re.compile(
    r'(?P<basic>"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\\n]|\\.)*")'
    r"|(?P<literal>'''.*?'{3,5}|'[^'\n]*')"
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<time>[0-9]{2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)"
    r"|(?P<mark>[\[\]{},\n])",
    re.DOTALL,
)
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|"(?!"")(?:[^"\\\n]|\\.)*"'
    r"|'''.*?'{3,5}|'(?!'')[^'\n]*'"
    r"|(?P<open>[\"'])"
    r"|\#[^\n]*"
    r"|(?P<dot>\.)"
    r"|[A-Za-z0-9_-]+|[ \t]+"
    r"|(?P<end>.)",
    re.DOTALL,
)
MAX_PARTS = 32
"""Of one key. No text here may nest half as deep."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def loads(text: str) -> dict[str, Any]:
    """The values of a TOML 1.0.0 text. Raises `ValueError` (of which `tomllib.TOMLDecodeError` is one) otherwise."""
    values = tomllib.loads(short_keys(text))
    newer = spelling_of_later(text)
    if newer is not None:
        raise ValueError(f"{newer}: TOML 1.1 has that, TOML 1.0.0 has not")
    return values


def short_keys(text: str) -> str:
    """The same text. Raises `ValueError` where a key has more than `MAX_PARTS` parts.

    `tomllib` makes and keeps every beginning of a key: one of 40 KB costs ten seconds and a gigabyte and a half, one of
    as many bytes as a charter may have more memory than there is.
    """
    if any(line.count(".") >= MAX_PARTS for line in text.split("\n")):  # no key goes beyond its line
        dots = 0
        for found in _PIECE.finditer(text):
            if found["dot"] is not None:
                dots += 1
                if dots >= MAX_PARTS:
                    raise ValueError(f"a key of more than {MAX_PARTS} parts")
            elif found["open"] is not None:
                break  # never closed: `tomllib` goes no further, and each quote behind it would be looked for anew
            elif found["end"] is not None:
                dots = 0
    return text


def spelling_of_later(text: str) -> str | None:
    """What in `text`, valid TOML of some version, TOML 1.0.0 does not have; None for nothing."""
    inside: list[str] = []
    after_comma = -1
    for found in _TOKEN.finditer(text):
        odd = _odd_token(found)
        if odd is None and inside and inside[-1] == "{":
            last = after_comma >= 0 and not text[after_comma : found.start()].strip(" \t")
            odd = _odd_mark(found["mark"], last)
        if odd is not None:
            return odd
        _step(found["mark"], inside)
        after_comma = found.end() if found["mark"] == "," else -1
    return None


def _odd_token(found: re.Match[str]) -> str | None:
    if found["basic"] is not None and any(escape[1] in "ex" for escape in _ESCAPE.finditer(found["basic"])):
        return "a text with the escape \\e or \\x"
    if found["time"] is not None and found["seconds"] is None:
        return "a time without seconds"
    return None


def _odd_mark(mark: str | None, after_comma: bool) -> str | None:
    """Inside an inline table."""
    if mark == "\n":
        return "a line end in an inline table"
    return "a comma before the end of an inline table" if mark == "}" and after_comma else None


def _step(mark: str | None, inside: list[str]) -> None:
    if mark in ("[", "{"):
        inside.append(mark)
    elif mark in ("]", "}") and inside:
        inside.pop()
