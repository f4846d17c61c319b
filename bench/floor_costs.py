"""What the calls cost: real entries through publisher, relay and readers in a straight line, in seconds of CPU."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import floor_calls
import floor_forms
from floor_entries import Recorded, Run, record
from floor_line import FORMS, KINDS, ROWS, TLS, Ends, Laps, Rows, Spent, lines

READERS = (1, 10)
MADE = {"calls": floor_calls, "forms": floor_forms}


@dataclass(frozen=True, slots=True)
class Way:
    """`together`: messages whose publisher waits at once, and so those of one of its commits; 0: a whole run."""

    name: str
    batch: int
    together: int


WAYS = (
    Way("256 to a signature, a commit and a checkpoint", 256, 0),
    Way("64 to a signature, and a publisher that waits for each commit of 4", 64, 4),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """us of CPU for each message: by kind of work for publisher and relay, and for one reader of `readers`."""

    publisher: Mapping[str, float]
    relay: Mapping[str, float]
    reader: Mapping[str, float]
    readers: int

    @classmethod
    def of(cls, made: Recorded, found: Spent) -> Cost:
        count = len(made.readers)
        publisher, relay = ({k: found[p, k] for k in KINDS if (p, k) in found} for p in (made.sender, "relay"))
        reader = {kind: sum(found[node, kind] for node in made.readers) / count for kind in KINDS}
        return cls(publisher, relay, reader, count)

    @classmethod
    def least(cls, costs: Sequence[Cost]) -> Cost:
        """Of each kind of work the least that any of them took: below every one of them, and done by none."""
        publisher, relay, reader = (
            {kind: min(of(cost)[kind] for cost in costs) for kind in of(costs[0])}
            for of in (attrgetter("publisher"), attrgetter("relay"), attrgetter("reader"))
        )
        return cls(publisher, relay, reader, costs[0].readers)

    @property
    def node_process(self) -> float:
        """us in the one process that holds the publisher and all readers."""
        return sum(self.publisher.values()) + self.readers * sum(self.reader.values())

    @property
    def everybody(self) -> float:
        return self.node_process + sum(self.relay.values())

    @property
    def one_process(self) -> float:
        """Messages a second where that process has one core and the relay another."""
        return 1e6 / max(self.node_process, sum(self.relay.values()))

    @property
    def two_cores(self) -> float:
        """Messages a second where the work of everybody falls into two equal halves, and nobody waits."""
        return 2e6 / self.everybody

    @property
    def one_for_all(self) -> float:
        """As `two_cores`, where one reader of the process checks and decrypts, and the others keep what it says. Not
        what was asked for: it says how much of the floor is that every party verifies."""
        left_out = sum(spent for kind, spent in self.reader.items() if kind not in (TLS, ROWS))
        return 2e6 / (self.everybody - (self.readers - 1) * left_out)


def calls(messages: int, rounds: int, folder: Path | None, way: Way) -> dict[tuple[int, str], Cost]:
    """By readers and by what is made."""
    found = {}
    for readers in READERS:
        made = asyncio.run(record(readers, way.batch, messages))
        for name, parties in MADE.items():
            found[readers, name] = Cost.of(
                made, cheapest([played(made, parties, way.together, folder) for _ in range(rounds)])
            )
    return found


def cheapest(rounds: Sequence[Sequence[Spent]]) -> Spent:
    """The mean of all runs, of each run's work the least that it took in any round: the same is done in all of them,
    and what else a machine does only adds."""
    runs = list(zip(*rounds, strict=True))
    least = [{key: min(spent[key] for spent in run) for key in run[0]} for run in runs]
    return {key: sum(run[key] for run in least) / len(least) for key in least[0]}


def played(made: Recorded, parties: Any, together: int, folder: Path | None) -> list[Spent]:
    """What each run took in one round, on new stores and connections."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with TemporaryDirectory(prefix="floor-", dir=folder) as scratch, ExitStack() as stack:
            return _play(made, parties, together, Path(scratch), stack)
    finally:
        gc.enable()
        gc.unfreeze()


def _play(made: Recorded, parties: Any, together: int, folder: Path, stack: ExitStack) -> list[Spent]:
    nodes = [made.sender, *made.readers]
    ends, rows = lines(nodes, folder, stack), {}
    for name in ("relay", *nodes):
        rows[name] = Rows(folder / name.replace("/", "-"))
        stack.callback(rows[name].close)
    publisher = parties.Publisher(made, made.sender, rows[made.sender], together)
    relay = parties.Relay(made, "relay", rows["relay"])
    readers = [parties.Reader(made, node, rows[node]) for node in made.readers]
    return [_turn(run, publisher, relay, readers, ends) for run in made.runs]


def _turn(run: Run, publisher: Any, relay: Any, readers: Sequence[Any], ends: Mapping[str, Ends]) -> Spent:
    laps = Laps()
    laps.begin()
    asked = publisher.compose(run, laps)
    answer = relay.judge(run, ends[publisher.name].up(asked, laps), laps)
    publisher.receipts(ends[publisher.name].down(answer, laps), laps)
    for at, reader in enumerate(readers):
        values = reader.read(ends[reader.name].down(relay.shown(at, laps), laps), laps)
        said(run, values)
        laps.begin()  # no party compares with what was sent
        del values
        laps(reader.name, FORMS)
    return laps.microseconds(len(run.texts))


def said(run: Run, values: list[Any]) -> None:
    """Raises `AssertionError` unless a reader has what was published."""
    if [text.value for text in run.texts] != [_value(value) for value in values]:
        raise AssertionError("a reader read something else than was published")


def _value(read: Any) -> Any:
    return read if isinstance(read, dict) else read.model_dump(mode="json")
