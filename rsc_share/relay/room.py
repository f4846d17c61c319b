"""What a relay still takes while its disk fills up: the less room there is, the more it has to matter.

| room | free | refused |
|---|---|---|
| `enough` | 15 % or more | nothing |
| `low` | less than 15 % | attachments |
| `short` | less than 7 % | and messages of PRIORITY and ROUTINE |
| `critical` | less than 3 % | and all but FLASH messages, grants, recalls, erasures and the directory |

It is weather (`no-space`), no verdict: the same bytes are taken once there is room. What is in the log already is
answered as ever. An entry counts by the most urgent one behind it in its run: their numbers follow each other.
"""

from __future__ import annotations

from enum import StrEnum

from rsc_share.session.urgency import FLASH, REST, URGENT

LOW, SHORT, CRITICAL = 15, 7, 3
"""Percent of the file system that are free."""


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


def takes(room: Room, urgency: int) -> bool:
    """Whether an entry as urgent as that is taken where there is so much room."""
    return urgency <= {Room.SHORT: URGENT, Room.CRITICAL: FLASH}.get(room, REST)
