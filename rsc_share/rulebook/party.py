"""Who judges. Apart from `view`, because a compiled module cannot make an enumeration of flags."""

from __future__ import annotations

from enum import Flag, auto


class Party(Flag):
    """Who judges: the relay before logging, a reading node, an auditor with the whole log."""

    __hash__ = object.__hash__  # each value is one object; an enumeration's own hash is a call of the interpreter

    RELAY = auto()
    NODE = auto()
    AUDITOR = auto()
    ALL = RELAY | NODE | AUDITOR


# A constant is found in a fifth of the time: every row asks who judges.
ALL, RELAY, NODE, AUDITOR = Party.ALL, Party.RELAY, Party.NODE, Party.AUDITOR
