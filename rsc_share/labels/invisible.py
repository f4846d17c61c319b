"""Characters that no signed text holds: two texts that look the same on paper must not say two things.

Written out from Unicode 16 (Cc, Cf, Zl, Zp; U+202E turns the direction of reading): a text must not be valid under one
Python only.
"""

from __future__ import annotations

import re
from typing import Any

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def invisible(text: str) -> str | None:
    """The first control, format or line separator character."""
    found = _INVISIBLE.search(text)
    return None if found is None else found.group()


def written_invisible(text: str) -> tuple[int, str] | None:
    """The first one in a text of several lines, other than tabs, and the number of its line."""
    for number, line in enumerate(text.split("\n"), 1):
        odd = invisible(line.replace("\t", ""))
        if odd is not None:
            return number, odd
    return None


def spelled_invisible(value: Any) -> str | None:
    """The first one in the texts of a TOML value. Its text is clean, but TOML spells any character as an escape, and a
    terminal would obey it."""
    if type(value) is str:
        return invisible(value)
    inside = value.values() if type(value) is dict else value if type(value) is list else ()
    return next((odd for item in inside if (odd := spelled_invisible(item)) is not None), None)
