"""A campaign against one parser without atheris: seeds, alterations of seeds, and of what was taken since."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from mutate import mutate
from targets import MAX, Target

KEPT = 400


def attack(target: Target, data: bytes) -> bool:
    """One input; whether it was taken. What a parser lets through goes on its way with the input in a note."""
    try:
        return target(data)
    except BaseException as error:
        shown = data if len(data) < 2000 else data[:2000] + b"..."
        error.add_note(f"target {target.name}, {len(data)} bytes: {shown!r}")
        raise


def run(target: Target, seeds: Sequence[bytes], *, seconds: float, seed: int = 0, least: int = 0) -> list[bytes]:
    """Attack for `seconds`, and with at least `least` inputs. Returns all of them, seeds first."""
    random, alive, tried = Random(seed), list(seeds), list(seeds)
    for data in seeds:
        attack(target, data)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(tried) < least:
        data = mutate(random.choice(alive), target.kind, random, alive)[:MAX]
        tried.append(data)
        if attack(target, data) and len(alive) < KEPT:
            alive.append(data)
    return tried
