"""What one parser goes through: inputs, those worth building on, and what they cost. Its driver needs no atheris."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from mutate import mutate
from targets import MAX, Target

from rsc_share.errors import RscError

KEPT = 400
Place = frozenset[tuple[int, int]]
"""Where an input ended: the instructions that its error went through, none if it was taken."""


class Campaign:
    """`alive` is what alterations start from: seeds, some of what was taken, and one input for every other end."""

    def __init__(self, target: Target, seeds: Sequence[bytes]) -> None:
        self.target = target
        self.alive = list(seeds)
        self.last = b""
        self.runs = 0
        self.seconds = 0.0
        self._room = len(seeds) + KEPT
        self._places: set[Place] = set()

    def alter(self, data: bytes, random: Random) -> bytes:
        """An alteration of `data`. Its time counts: in a large text it takes longer than the parser does."""
        start = time.perf_counter()
        found = mutate(data, self.target.kind, random, self.alive)[:MAX]
        self.seconds += time.perf_counter() - start
        return found

    def attack(self, data: bytes, *, seed: bool = False) -> bool:
        """One input; whether it was added to `alive`. What a parser lets through goes on its way, with a note."""
        self.last = data
        self.runs += 1
        start = time.perf_counter()
        try:
            refusal = self.target.refusal(data)
        except BaseException as error:
            shown = data if len(data) < 2000 else data[:2000] + b"..."
            error.add_note(f"target {self.target.name}, {len(data)} bytes: {shown!r}")
            raise
        finally:
            self.seconds += time.perf_counter() - start
        added = self._is_new(refusal) and not seed
        if added:
            self.alive.append(data)
        return added

    def _is_new(self, refusal: RscError | None) -> bool:
        """Refused where nothing was refused before, or taken, while there is room for more of those."""
        place = _place(refusal)
        if place in self._places:
            return refusal is None and len(self.alive) < self._room
        self._places.add(place)
        return True

    def run(self, *, seconds: float, seed: int = 0, least: int = 0) -> None:
        """Every seed, then alterations: for `seconds`, and at least `least` of them."""
        random, end = Random(seed), time.monotonic() + seconds
        for data in tuple(self.alive):
            self.attack(data, seed=True)
        least += self.runs
        while self.runs < least or time.monotonic() < end:
            self.attack(self.alter(random.choice(self.alive), random))


def _place(refusal: RscError | None) -> Place:
    found, step = set(), refusal and refusal.__traceback__
    while step:
        found.add((id(step.tb_frame.f_code), step.tb_lasti))
        step = step.tb_next
    return frozenset(found)
