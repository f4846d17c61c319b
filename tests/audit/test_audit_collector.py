"""What an audit changes about the process it runs in, it puts back."""

from __future__ import annotations

import gc

from rsc_share.audit.collector import THRESHOLDS, few_collections


def test_the_collector_is_put_back() -> None:
    before = gc.get_threshold()
    with few_collections():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
