"""The corpus of one target: every piece of the pool it takes, and a few of those it refuses late."""

from __future__ import annotations

from functools import cache

import late
from pool import pool
from targets import Target

MAX_SEEDS = 120
MAX_REFUSED = 12


@cache
def candidates() -> tuple[bytes, ...]:
    return tuple(pool())


def of(target: Target) -> list[bytes]:
    """Valid inputs, spread over their sizes; never empty, because a corpus without one valid input proves nothing."""
    taken: set[bytes] = set()
    refused: list[bytes] = []
    for data in candidates():
        if target(data):
            taken.add(data)
        else:
            refused.append(data)
    if not taken:
        raise LookupError(f"nothing in the pool is a {target.name}")
    spread = sorted(taken, key=lambda item: (len(item), item))[:: max(1, len(taken) // MAX_SEEDS)]
    return [*spread, *late.INPUTS.get(target.name, ()), *refused[:: max(1, len(refused) // MAX_REFUSED)]]
