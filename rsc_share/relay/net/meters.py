"""What an operator can measure: counters here, gauges computed when somebody asks. By log only, never by sender."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rsc_share.session.frames import Logged, Outcome, Turned

LOGGED = "logged"
COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted since the start. `commits`: by log, commits up to each bound of `COMMIT_BUCKETS`, and all."""

    refused: Mapping[str, int]
    """Entries by code, whatever their log."""
    turned_away: Mapping[str, int]
    ended: Mapping[str, int]
    commits: Mapping[str, tuple[int, ...]]


class Meters:
    """One relay's counters, in a registry of its own: two relays in one process do not add up."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self._outcomes = Counter("rsc_entries", "Entries handed in, by outcome.", ["log", "code"], registry=own)
        self._turned_away = Counter("rsc_turned_away", "Connections and requests not served.", ["code"], registry=own)
        self._ended = Counter("rsc_session_ends", "Sessions that ended, by the reason told.", ["code"], registry=own)
        self._calls = Counter("rsc_calls", "Calls of sessions.", ["call", "code"], registry=own)
        self._limited = Counter("rsc_limited", "Runs turned away, by the limit of a member.", ["limit"], registry=own)
        self._moved = Counter("rsc_blob_bytes", "Bytes of attachments, by direction.", ["direction"], registry=own)
        self._gone = Counter("rsc_blobs_gone", "Attachments deleted, by why.", ["why"], registry=own)
        about = "Append to the store, sync included."
        self._commit = Histogram("rsc_commit_seconds", about, ["log"], buckets=COMMIT_BUCKETS, registry=own)

    def outcomes(self, log: str, outcomes: Sequence[Outcome]) -> None:
        for code, count in Tally(map(_code, outcomes)).items():
            self._outcomes.labels(log, code).inc(count)

    def turned_away(self, code: str) -> None:
        self._turned_away.labels(code).inc()

    def ended(self, code: str) -> None:
        self._ended.labels(code).inc()

    def called(self, name: str, code: str) -> None:
        self._calls.labels(name, code).inc()

    def limited(self, limit: str) -> None:
        self._limited.labels(limit).inc()

    def moved(self, direction: str, count: int) -> None:
        """`in` or `out`."""
        self._moved.labels(direction).inc(count)

    def gone(self, why: str, _size: int) -> None:
        self._gone.labels(why).inc()

    def committed(self, log: str, seconds: float) -> None:
        self._commit.labels(log).observe(seconds)

    def totals(self) -> Totals:
        """The counters as numbers, for whoever shows them."""
        refused, commits = Tally[str](), dict[str, tuple[int, ...]]()
        for labels, count in _counts(self._outcomes, "_total"):
            if labels["code"] != LOGGED:
                refused[labels["code"]] += count
        for labels, count in _counts(self._commit, "_bucket"):  # in the order of the bounds
            commits[labels["log"]] = (*commits.get(labels["log"], ()), count)
        return Totals(refused, _by_code(self._turned_away), _by_code(self._ended), commits)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _code(outcome: Outcome) -> str:
    if isinstance(outcome, Logged):
        return LOGGED
    return outcome.refusal.code if isinstance(outcome, Turned) else outcome.code


def _counts(family: Collector, suffix: str) -> Iterable[tuple[Mapping[str, str], int]]:
    samples = (sample for metric in family.collect() for sample in metric.samples)
    return ((sample.labels, int(sample.value)) for sample in samples if sample.name.endswith(suffix))


def _by_code(counter: Collector) -> Mapping[str, int]:
    return {labels["code"]: count for labels, count in _counts(counter, "_total")}


class Gauges(Collector):
    """`read` is called at each scrape."""

    def __init__(self, read: Gauged) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, about, label, values in self._read():
            family = GaugeMetricFamily(name, about, labels=[label] if label else [])
            for value, number in values:
                family.add_metric([value] if label else [], number)
            yield family


class Gauged(Protocol):
    def __call__(self) -> Iterable[tuple[str, str, str, Iterable[tuple[str, float]]]]:
        """Name, description, label (or none) and values by label."""
