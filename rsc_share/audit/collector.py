"""Python's cycle collector, told that an audit makes millions of values and hardly a cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (400_000, 20, 1_000)
"""Instead of 700, 10, 10: what is freed by counting references is not looked through over and over."""


@contextmanager
def few_collections() -> Iterator[None]:
    """For a process that audits and does nothing else: the settings are the whole process's, and are put back."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
