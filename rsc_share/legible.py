"""Which characters of strangers may stand in a text as they are: the same ones under every Python.

`str.isprintable` follows the Unicode of the Python that asks: what one prints, an older one escapes, and two examiners'
reports would differ. Python keeps the database of Unicode 3.2 for good, so whatever came later is escaped everywhere.
"""

from __future__ import annotations

from unicodedata import ucd_3_2_0


def is_legible(text: str) -> bool:
    """Whether nothing in `text` moves a cursor, turns the direction of reading, cannot be seen, or is no character."""
    return text.isprintable() if text.isascii() else all(map(_legible, text))


def escaped(text: str) -> str:
    """`text` with everything that is not legible written as an escape."""
    if is_legible(text):
        return text
    return "".join(c if _legible(c) else c.encode("unicode_escape").decode("ascii") for c in text)


def replaced(text: str) -> str:
    """`text` with a question mark for everything that is not legible."""
    return text if is_legible(text) else "".join(c if _legible(c) else "?" for c in text)


_UNSEEN = frozenset(
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
)
"""Not seen, though Unicode 3.2 calls them dashes, letters, marks or symbols: names that differ in one look alike."""


def _legible(char: str) -> bool:
    # No control, format, private or unassigned character, no half of a pair, and of separators only the space.
    return char == " " or (ucd_3_2_0.category(char)[0] not in "CZ" and char not in _UNSEEN)
