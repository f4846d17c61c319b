"""A set of positions as spans: what a consumer has done is a few of them, however much it has done."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Spans:
    """Whole numbers. As large as it has holes."""

    def __init__(self, spans: Iterable[Iterable[int]] = ()) -> None:
        """`spans`: what `wire` gave."""
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in spans:
            self._starts.append(start)
            self._stops.append(stop)

    def wire(self) -> list[list[int]]:
        """Start, and the first number that is not in it, of every span."""
        return [list(span) for span in zip(self._starts, self._stops, strict=True)]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._stops[at]

    def add(self, number: int) -> None:
        if number in self:
            return
        at = bisect_right(self._starts, number)
        if at < len(self._starts) and self._starts[at] == number + 1:
            self._starts[at] = number
        else:
            self._starts.insert(at, number)
            self._stops.insert(at, number + 1)
        if at and self._stops[at - 1] == number:
            del self._starts[at]
            del self._stops[at - 1]

    def after(self, number: int) -> int:
        """`number`, or where the span ends that it is in; what lies below is forgotten."""
        if number in self:
            number = self._stops[bisect_right(self._starts, number) - 1]
        gone = bisect_right(self._stops, number)
        del self._starts[:gone], self._stops[:gone]
        return number
