"""For every room: Python's cycle collector runs seldom. It would go through all tests and modules again and again."""

from __future__ import annotations

import gc

SELDOM = (20_000, 20, 100)

gc.disable()  # what is collected stays until the end


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()
