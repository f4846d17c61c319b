"""Who judges. Apart from `view`, because a compiled module cannot make an enumeration of flags."""

from __future__ import annotations

from enum import Flag, auto


class Party(Flag):
    """Who judges: the relay before logging, a reading node, an auditor with the whole log."""

    RELAY = auto()
    NODE = auto()
    AUDITOR = auto()
    ALL = RELAY | NODE | AUDITOR
