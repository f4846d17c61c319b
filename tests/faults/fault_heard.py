"""What one node has said over all its lives: written down here, outside of the victim."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Heard:
    """The words are those of `fault_node.py`."""

    lives: int = 0
    lines: list[str] = field(default_factory=list)
    acked: set[int] = field(default_factory=set)
    receipts: dict[int, tuple[int, int]] = field(default_factory=dict)
    """seq and index by number."""
    given: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Numbers by sender, each once, in the order in which they came first."""
    done: set[tuple[str, int]] = field(default_factory=set)
    signed: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: set[str] = field(default_factory=set)
    shown: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Roots by size, by log."""
    stopped: list[str] = field(default_factory=list)
    times: dict[tuple[str, str, int], float] = field(default_factory=dict)
    """Seconds on the clock of `now` at which a number was `acked` here, or one of a sender was `done`."""
    now: Callable[[], float] = time.monotonic
    idle: bool = False
    wrong: list[str] = field(default_factory=list)
    """What must never be."""
    _seen: set[tuple[str, int]] = field(default_factory=set)
    _read: dict[str, int] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The first number that was never acknowledged."""
        return next(n for n in range(len(self.acked) + 1) if n not in self.acked)

    @property
    def waiting(self) -> int:
        """The first number without a receipt."""
        return next(n for n in range(len(self.receipts) + 1) if n not in self.receipts)

    def hear(self, line: str) -> None:
        word, *rest = line.split(" ")
        self.lines.append(line)
        getattr(self, f"_{word}")(*rest)

    def _begun(self) -> None:
        """Another process: what the one before had read and not written down, this one reads again."""
        self._read.clear()

    def _open(self) -> None:
        self.lives += 1

    def _acked(self, n: str) -> None:
        self.acked.add(int(n))
        self.times["acked", "", int(n)] = self.now()

    def _receipt(self, n: str, seq: str, index: str) -> None:
        found = int(seq), int(index)
        if self.receipts.setdefault(int(n), found) != found:
            self.wrong.append(f"{n} was logged at {self.receipts[int(n)]} and at {found}")

    def _lost(self, n: str) -> None:
        self.wrong.append(f"{n} was acknowledged and is not in the outbox")

    def _failed(self, n: str, *code: str) -> None:
        self.wrong.append(f"{n} failed: {' '.join(code)}")

    def _given(self, sender: str, n: str) -> None:
        if (sender, int(n)) in self.done:
            self.wrong.append(f"{n} of {sender} came again after it was done")
        if (sender, int(n)) not in self._seen:
            self._seen.add((sender, int(n)))
            self.given[sender].append(int(n))

    def _done(self, sender: str, n: str) -> None:
        self.done.add((sender, int(n)))
        self.times["done", sender, int(n)] = self.now()

    def _signed(self, log: str, seq: str, digest: str) -> None:
        self.signed[log, int(seq)].add(digest)

    def _refused(self, digest: str) -> None:
        self.refused.add(digest)

    def _shown(self, log: str, size: str, root: str, read: str) -> None:
        """A note that came with entries, and how far this process had read with them. A relay that has just started may
        show a reader who is behind its newest tree, and then one that was witnessed since, which is smaller; but never
        one that does not cover what was read."""
        if int(size) < self._read.get(log, 0):
            self.wrong.append(f"{log} went back from {self._read[log]} to {size}")
        self._read[log] = max(int(read), self._read.get(log, 0))
        if self.shown[log].setdefault(int(size), root) != root:
            self.wrong.append(f"{log} has two trees of {size}")

    def _stopped(self, code: str) -> None:
        self.stopped.append(code)

    def _idle(self) -> None:
        self.idle = True
