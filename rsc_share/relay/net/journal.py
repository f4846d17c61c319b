"""Where a server writes what its operator must be able to read: events with fields, one line each."""

from __future__ import annotations

from typing import Any, Protocol


class Journal(Protocol):
    """Anything with these three methods. No header content and no key is ever a field."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


class Silent:
    """For tests that look at something else."""

    def info(self, event: str, **fields: Any) -> None:
        """Nothing."""

    warning = error = info


class Throttle:
    """So many lines a second about what strangers do: a log they can fill is theirs. The counters miss nothing."""

    def __init__(self, per_second: int = 10) -> None:
        self._most = per_second
        self._second = self._count = self._left_out = 0

    def allows(self, now: int) -> bool:
        """Whether another line may be written at `now` (ms)."""
        if now // 1000 != self._second:
            self._second, self._count = now // 1000, 0
        self._count += 1
        if self._count > self._most:
            self._left_out += 1
            return False
        return True

    def left_out(self) -> int:
        """Lines left out since this was asked last."""
        found, self._left_out = self._left_out, 0
        return found
