"""Every target of the long fuzzer with its seeds: a parser's come from the pool, a session's stand beside them."""

from __future__ import annotations

import corpus
import session_targets
import targets
from targets import Target

_SEEDED = {seeded.target.name: seeded for seeded in session_targets.TARGETS}
TARGETS: tuple[Target, ...] = (*targets.TARGETS, *(seeded.target for seeded in session_targets.TARGETS))
BY_NAME = {target.name: target for target in TARGETS}


def seeds_of(target: Target) -> list[bytes]:
    """Never empty, and at least one of them is taken: a corpus without one valid input proves nothing."""
    seeded = _SEEDED.get(target.name)
    return corpus.of(target) if seeded is None else seeded.seeds()
