"""Who comes first where not everything can be taken: a relay refuses by it, and a node signs by it.

A relay that is short of something says so without a verdict, and what it did not take keeps its number. So that a FLASH
does not wait behind that, an entry is as urgent as the most urgent one that follows it in its run (`inherited`).
"""

from __future__ import annotations

from collections.abc import Iterable

from rsc_share.envelope.contents import ERASING

FLASH, URGENT, REST = range(3)
"""From first to last."""
_LAST_REFUSED = ("grant", *ERASING)
"""A grant is a key: were it refused, no FLASH could be sealed within the hour. The others take away."""


def urgency(kind: str, precedence: str) -> int:
    """Precedence is a person's choice for messages only; of the other kinds a relay keeps those longest that are
    keys, or take something away."""
    if kind in _LAST_REFUSED or (kind == "message" and precedence == "FLASH"):
        return FLASH
    return URGENT if kind != "message" or precedence == "IMMEDIATE" else REST


def inherited(run: Iterable[tuple[str, str]]) -> list[int]:
    """Urgency by kind and precedence of the entries of a run: the number of each follows those before it, so none is
    less urgent than what comes after. But a grant says nothing about what is in front of it."""
    found: list[int] = []
    behind = REST
    for kind, precedence in reversed(list(run)):
        own = urgency(kind, precedence)
        found.append(min(own, behind))
        if kind != "grant":
            behind = min(behind, own)
    return found[::-1]


def most_urgent(run: Iterable[tuple[str, str]]) -> int:
    """Of a whole run: its grants follow the message they are for."""
    return min((urgency(*entry) for entry in run if entry[0] != "grant"), default=REST)
