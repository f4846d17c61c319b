"""What an operator or duty officer must be told. An alarm is a value with a code; raising one twice is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rsc_share.errors import RscError
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
        "relay-says",  # a relay's answer has one of these codes: its word, of which this node has seen nothing
        "refused-then-logged",  # the relay signed a refusal of an entry and logged it all the same
        "stalled",  # a log names a directory that nobody gives us
        "undelivered",  # not received by ACK_DEADLINE
        "unexpected-certificate",  # somebody certified a node of our own member
        "unlogged",  # a revocation we hold does not stand in the directory within LAG
        "void-entry",  # the relay logged what the rulebook forbids
        "wider-audience",  # a queued message would now reach more members than its author was shown
    }
)


EACH = 200
"""Alarms of one code that stand each for itself; those after them are one. A code not above counts with all others."""
MORE = "more"
"""The key of that one."""
TOLD = "relay-says"


@dataclass(frozen=True, slots=True)
class Alarm:
    """`key` tells one occurrence from another of the same code; `fields` are for programs.

    One that stands for many has among its fields `count`, `oldest`, `newest` (what they are about) and `last` (when the
    newest was raised, ms); its other fields are those of the newest, `time` is that of the first.
    """

    code: str
    key: str
    what: str
    time: int
    fields: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)


class Alarms:
    """Alarms in the order they were raised, each once, also across restarts. `listen` is called for each new one, not
    for one more of those that stand for many. Their number is bounded, whatever others do."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._raised: dict[tuple[str, str], Alarm] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._each = Counter[str]()
        self._late: dict[tuple[str, str], None] = {}
        """The newest of those that do not stand for themselves: they, too, are silent when they are raised again."""
        for row, (code, key, what, time, fields) in sorted(shelf.rows(Room.ALARM)):
            self._raised[code, key], self._rows[code, key] = Alarm(code, key, what, time, fields), row
            self._each[_kind(code)] += 1
        self._listeners: list[Callable[[Alarm], None]] = []

    def listen(self, listener: Callable[[Alarm], None]) -> None:
        self._listeners.append(listener)

    def raise_(self, code: str, key: str, what: str, now: int, **fields: Any) -> None:
        """Once for each key, at `now` (ms)."""
        if (code, key) in self._raised or (code, key) in self._late:
            return
        kind = _kind(code)
        if self._each[kind] < EACH:
            self._each[kind] += 1
            self._keep(Alarm(code, key, what, now, fields))
            return
        self._late[code, key] = None
        if len(self._late) > EACH:
            del self._late[next(iter(self._late))]
        self.again(kind, MORE, key, lambda count, _: f"{count} more {kind} alarms, the newest: {what}", now, **fields)

    def failed(self, error: RscError, key: str, now: int) -> None:
        """A step that failed. What a relay has only said stands under none of our codes: it could say each alarm before
        its time, to be dismissed, and the true one would be silent; or use up the places of a code."""
        self.raise_(TOLD if error.told and error.code in CODES else error.code, key, error.what, now)

    def again(self, code: str, key: str, which: str, what: Callable[[int, str], str], now: int, **fields: Any) -> None:
        """One more, `which`, of those that the alarm `key` stands for. `what` says it of so many and their oldest."""
        first = self._raised.get((code, key))
        count, oldest, time = (1, which, now) if first is None else (*_many(first), first.time)
        many = {"count": count, "oldest": oldest, "newest": which, "last": now}
        self._keep(Alarm(code, key, what(count, oldest), time, {**fields, **many}))

    def _keep(self, alarm: Alarm) -> None:
        place = alarm.code, alarm.key
        new = place not in self._raised
        kept = {name: value for name, value in alarm.fields.items() if type(value) in (str, int, bytes)}
        row = self._rows.setdefault(place, len(self._rows))
        self._shelf.put(Room.ALARM, row, [*place, alarm.what, alarm.time, kept])
        self._raised[place] = alarm
        for listener in self._listeners if new else ():
            listener(alarm)

    def all(self) -> tuple[Alarm, ...]:
        return tuple(self._raised.values())

    def codes(self) -> frozenset[str]:
        return frozenset(alarm.code for alarm in self._raised.values())


def _many(alarm: Alarm) -> tuple[int, str]:
    """Of how many with one more, and their oldest. A relay's words may be a key that stands for many here."""
    return alarm.fields.get("count", 1) + 1, alarm.fields.get("oldest", alarm.key)


def _kind(code: str) -> str:
    """Codes of errors come from relays, too: only those that are known have a share of their own."""
    return code if code in CODES else "other"
