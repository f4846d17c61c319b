"""A server is not stopped by full collections of what its start has made; what an audit changes, it puts back."""

from __future__ import annotations

import gc

from rsc_share import collector


class Cycle:
    """What only the cycle collector frees."""

    freed = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Cycle.freed += 1


def test_what_is_there_is_not_searched_and_what_comes_later_is_freed() -> None:
    before = gc.get_threshold()
    try:
        collector.freeze()
        frozen = gc.get_freeze_count()
        assert frozen > 10_000, "all that was imported so far"
        assert gc.get_threshold() == collector.SERVING
        Cycle.freed = 0
        for _ in range(10_000):
            Cycle()
        assert Cycle.freed > 5_000, "without a full collection"
        assert gc.get_freeze_count() >= frozen
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_an_audit_puts_the_collector_back() -> None:
    before = gc.get_threshold()
    with collector.few_collections():
        assert gc.get_threshold() == collector.AUDITING
        assert gc.get_freeze_count()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
