"""What an operator or duty officer must be told. An alarm is a value with a code; raising one twice is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rsc_share.node.store.protocol import Room, Shelf

CODES = frozenset(
    {
        "attachment-waits",  # the relay has no room for a file: its disk is full, or our member's share is
        "back-dated",  # a log dates an entry into the past of its witnesses
        "bad-delivery",  # a recipient says it could not open what we sent
        "bad-part",  # a sender sealed something else than its header commits to
        "bad-receipt",  # the relay's receipt does not verify, or is dated off our clock
        "body-missing",  # a log shows an entry for us and keeps its body back
        "cloned",  # entries signed with our key that we did not write
        "directory-stale",  # no fresh witnessed directory while messages wait
        "equivocation",  # a log signed two different trees
        "kept-back",  # an entry addressed to us never arrived
        "opening-missing",  # the relay gives an entry without the opening that is ours
        "pending-revocation",  # obeyed before the log shows it
        "silent",  # a node of the channel has said nothing for 25 hours
        "rolled-back",  # entries signed with our key that are not in our store: an old copy of it was put in place
        "refused-then-logged",  # the relay signed a refusal of an entry and logged it all the same
        "stalled",  # a log names a directory that nobody gives us
        "undelivered",  # not received by ACK_DEADLINE
        "unexpected-certificate",  # somebody certified a node of our own member
        "unlogged",  # a revocation we hold does not stand in the directory within LAG
        "void-entry",  # the relay logged what the rulebook forbids
        "wider-audience",  # a queued message would now reach more members than its author was shown
    }
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """`key` tells one occurrence from another of the same code; `fields` are for programs."""

    code: str
    key: str
    what: str
    time: int
    fields: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)


class Alarms:
    """Alarms in the order they were raised, each once, also across restarts. `listen` is called for each new one."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._raised: dict[tuple[str, str], Alarm] = {}
        for _, (code, key, what, time, fields) in sorted(shelf.rows(Room.ALARM)):
            self._raised[code, key] = Alarm(code, key, what, time, fields)
        self._listeners: list[Callable[[Alarm], None]] = []

    def listen(self, listener: Callable[[Alarm], None]) -> None:
        self._listeners.append(listener)

    def raise_(self, code: str, key: str, what: str, now: int, **fields: Any) -> None:
        if (code, key) in self._raised:
            return
        alarm = Alarm(code, key, what, now, fields)
        kept = {name: value for name, value in fields.items() if type(value) in (str, int, bytes)}
        self._shelf.put(Room.ALARM, len(self._raised), [code, key, what, now, kept])
        self._raised[code, key] = alarm
        for listener in self._listeners:
            listener(alarm)

    def all(self) -> tuple[Alarm, ...]:
        return tuple(self._raised.values())

    def codes(self) -> frozenset[str]:
        return frozenset(alarm.code for alarm in self._raised.values())
