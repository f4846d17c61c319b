"""How much of one member a relay takes: entries and bytes a second, and bytes that wait for their commit.

The operator bounds a member over all channels together, the charter (`limits` of a channel) in one channel. Both hold:
the operator can only lower what the charter grants. A run that is begun is taken whole, however long it is, and paid
for afterwards: a rate below the length of a run must not starve its sender. What is over is weather (`rate-limited`).

A run with a FLASH message, a recall or an erasure has the same rates once more, for when the others are used up: a
member's bulk must not hold back its own FLASH. Who calls everything FLASH has twice its rate and no more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rsc_share.charter.view import DirectoryView
from rsc_share.session.frames import Submission, Weather

CODE = "rate-limited"
BURST_SECONDS = 1.0
"""What a member that rested may send at once beyond its rate."""
BUSY = Weather(CODE, 100)
"""Too much waits for its commit: that takes milliseconds."""
OBJECT_BYTES = 16 << 10
"""Of bodies that come with objects, a second. Only a charter has some, which is months after the one before; and a text
takes a relay as long to read whoever has signed it: a second for the largest."""
_EVERYWHERE = ""
_USUAL, _RESERVE = "usual", "reserve"


@dataclass(frozen=True, slots=True)
class Rates:
    """What one member may send, all channels together."""

    entries_per_second: int = 10_000
    bytes_per_second: int = 64 << 20
    in_flight_bytes: int = 64 << 20


class Taken:
    """A run that was let in. `done` once it has its outcomes; twice is fine."""

    def __init__(self, waiting: Counter[tuple[str, str]], places: Sequence[tuple[str, str]], size: int) -> None:
        self._waiting, self._places, self._size = waiting, places, size

    def done(self) -> None:
        for place in self._places:
            self._waiting[place] -= self._size
            if not self._waiting[place]:
                del self._waiting[place]
        self._places = ()


class Quotas:
    """`rates` may be replaced while it is in use. `told` hears which limit turned a run away. `clock`: seconds."""

    def __init__(self, rates: Rates | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.rates, self._clock = rates or Rates(), clock
        self.told: Callable[[str], None] = lambda _: None
        self._due: dict[tuple[str, str, str, str], float] = {}
        """When all that was taken has been paid for: by limit, member, log or all logs, and which of its rates."""
        self._waiting: Counter[tuple[str, str]] = Counter()
        """Bytes without an outcome: by member, and log or all logs."""

    def take(
        self, member: str, log: str, limits: Mapping[str, int], run: Sequence[Submission], *, urgent: bool = False
    ) -> Taken | Weather:
        """Let a run in, and charge it; or say why not, and charge nothing. `limits`: what the charter says of `log`.
        `urgent`: one of it must not wait for what this member sent before."""
        size, bounds = sum(map(bytes_of, run)), {_EVERYWHERE: asdict(self.rates), log: limits}
        places = [(member, where) for where in bounds]
        for place, bound in zip(places, bounds.values(), strict=True):
            waiting = self._waiting.get(place, 0)
            if waiting and waiting + size > bound.get("in_flight_bytes", waiting + size):
                return self._no("in_flight_bytes", BUSY)
        counts = {"entries_per_second": len(run), "bytes_per_second": size}
        late = self._charge(member, _USUAL, bounds, counts)
        if late is not None and urgent:
            late = self._charge(member, _RESERVE, bounds, counts)
        if late is not None:
            return self._no(*late)
        for place in places:
            self._waiting[place] += size
        return Taken(self._waiting, places, size)

    def objects(self, member: str, size: int) -> Weather | None:
        """Let an object in whose bodies have `size` bytes (None), or say when to come again. Those without, which may
        be urgent, are not asked about."""
        late = self._charge(member, _USUAL, {_EVERYWHERE: {"object_bytes": OBJECT_BYTES}}, {"object_bytes": size})
        return None if late is None else self._no(*late)

    def _charge(
        self, member: str, purse: str, bounds: Mapping[str, Mapping[str, int]], counts: Mapping[str, int]
    ) -> tuple[str, Weather] | None:
        """None: charged. Else the limit that is reached, and what to answer."""
        now = self._clock()
        charges = [
            ((name, member, where, purse), count / bound[name])
            for where, bound in bounds.items()
            for name, count in counts.items()
            if name in bound
        ]
        for key, _ in charges:
            over = self._due.get(key, 0.0) - now
            if over > 0:
                return key[0], Weather(CODE, 1 + int(over * 1_000))
        for key, seconds in charges:
            self._due[key] = max(self._due.get(key, 0.0), now - BURST_SECONDS) + seconds
        return None

    def _no(self, limit: str, weather: Weather) -> Weather:
        self.told(limit)
        return weather


def channel_limits(view: DirectoryView, log: str) -> Mapping[str, int]:
    """What the charter says one member may do in a channel; empty for a log without limits."""
    found = view.log(log)
    return {} if found is None or found.spec is None else found.spec.limits


def bytes_of(submission: Submission) -> int:
    """Header, signature and bodies: what it costs to keep. What travels beside them is bounded by them."""
    return len(submission.header) + len(submission.block) + sum(map(len, submission.bodies))
