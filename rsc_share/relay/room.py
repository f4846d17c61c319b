"""What a relay still takes while its disk fills up: the less room there is, the more it has to matter.

| room | free | refused |
|---|---|---|
| `enough` | 15 % or more | nothing |
| `low` | less than 15 % | attachments |
| `short` | less than 7 % | and messages of PRIORITY and ROUTINE |
| `critical` | less than 3 % | and all but FLASH messages, grants, recalls, erasures and the directory |

It is weather (`no-space`), no verdict: the same bytes are taken once there is room. What is in the log already is
answered as ever.
"""

from __future__ import annotations

from enum import StrEnum

from rsc_share.envelope.header import Header

LOW, SHORT, CRITICAL = 15, 7, 3
"""Percent of the file system that are free."""
_URGENT = ("FLASH", "IMMEDIATE")
_LAST = ("grant", "recall", "erasure")
"""A grant is a key: were it refused, no FLASH could be sealed within the hour."""


class Room(StrEnum):
    """How much there is."""

    ENOUGH = "enough"
    LOW = "low"
    SHORT = "short"
    CRITICAL = "critical"

    @property
    def refuses(self) -> bool:
        """Whether some entries are refused."""
        return self in (Room.SHORT, Room.CRITICAL)


def room_of(percent: float) -> Room:
    """By what is free."""
    for most, room in ((CRITICAL, Room.CRITICAL), (SHORT, Room.SHORT), (LOW, Room.LOW)):
        if percent < most:
            return room
    return Room.ENOUGH


def enough() -> Room:
    """For a store that has no disk."""
    return Room.ENOUGH


def takes(room: Room, header: Header) -> bool:
    """Whether an entry with this header is taken where there is so much room."""
    if room is Room.CRITICAL:
        return header.kind in _LAST or (header.kind == "message" and header.precedence == "FLASH")
    return room is not Room.SHORT or header.kind != "message" or header.precedence in _URGENT
