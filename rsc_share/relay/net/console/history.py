"""The last minutes, a sample a second: how fast, how late, refused why. Bounded by `KEPT`, whatever the traffic."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rsc_share.relay.net.meters import COMMIT_BUCKETS, Totals

KEPT = 301
"""Samples, so that there are 300 differences: five minutes."""
RATE_SECONDS = 10.0
"""Over how long "now" is a mean."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The sizes of all logs and the meters' totals at `at` (monotonic seconds)."""

    at: float
    sizes: Mapping[str, int]
    totals: Totals


@dataclass(frozen=True, slots=True)
class Latency:
    """Commits of the minutes kept. `p50`, `p99`: seconds, the bound of a bucket; None above the last bound."""

    commits: int
    p50: float | None
    p99: float | None


class History:
    """A ring of samples."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEPT)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, sample: Sample) -> None:
        """Take a sample; one that is no later than the last takes its place."""
        while self._samples and sample.at <= self._samples[-1].at:
            self._samples.pop()
        self._samples.append(sample)

    @property
    def seconds(self) -> float:
        """How long ago the oldest sample is."""
        return self._samples[-1].at - self._samples[0].at if self._samples else 0.0

    def rates(self, log: str) -> tuple[tuple[float, float], ...]:
        """How many seconds before the newest sample, and entries a second then; oldest first."""
        if not self._samples:
            return ()
        newest = self._samples[-1].at
        return tuple((newest - after.at, _per_second(before, after, log)) for before, after in pairwise(self._samples))

    def rate(self, log: str) -> float:
        """Entries a second of the last `RATE_SECONDS`."""
        if len(self._samples) < 2:
            return 0.0
        newest = self._samples[-1]
        # From the newest: the ring holds five minutes, and a deque is slow in its middle.
        oldest = next(
            (sample for sample in reversed(self._samples) if newest.at - sample.at >= RATE_SECONDS), self._samples[0]
        )
        return _per_second(oldest, newest, log)

    def lately(self, kind: str) -> Mapping[str, int]:
        """By how much each code of a kind (`refused`, `turned_away`, `ended`) has grown since the oldest sample."""
        if not self._samples:
            return {}
        before, now = (getattr(sample.totals, kind) for sample in (self._samples[0], self._samples[-1]))
        return {code: count - before.get(code, 0) for code, count in now.items()}

    def latency(self, log: str) -> Latency:
        """Of the commits since the oldest sample."""
        if not self._samples:
            return Latency(0, None, None)
        nothing = (0,) * (len(COMMIT_BUCKETS) + 1)
        before, now = (sample.totals.commits.get(log, nothing) for sample in (self._samples[0], self._samples[-1]))
        counts = [b - a for a, b in zip(before, now, strict=True)]
        return Latency(counts[-1], _bound(counts, 0.5), _bound(counts, 0.99))


def _per_second(before: Sample, after: Sample, log: str) -> float:
    """0 for a log that was not there yet: what a new log begins with was not logged in this second."""
    size = after.sizes.get(log, 0)
    return (size - before.sizes.get(log, size)) / (after.at - before.at)


def _bound(counts: Sequence[int], share: float) -> float | None:
    """The least bound below which this share of the cumulative `counts` lies."""
    if not counts[-1]:
        return None
    place = bisect_left(counts, share * counts[-1])
    return COMMIT_BUCKETS[place] if place < len(COMMIT_BUCKETS) else None
