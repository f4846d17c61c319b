"""Python's cycle collector, set for what a process does: the settings are those of the whole process.

What is freed by counting references needs no collector, and nearly everything here is. A full collection looks through
all there is: mostly what was made while the process started, modules, classes and the charter.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SERVING = (700, 5, 200)
"""Instead of 700, 10, 10. The few cycles there are come from connections that end, and wait a little longer for a full
collection: one of a node or a relay takes 15 to 30 ms in which no message moves, and a busy sender had one a second."""
AUDITING = (400_000, 20, 1_000)
"""An audit makes millions of values and hardly a cycle: they are not looked through over and over."""


def freeze() -> None:
    """For a process that serves for months and does nothing else, once it has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SERVING)


@contextmanager
def few_collections() -> Iterator[None]:
    """For a process that audits and does nothing else. The settings are put back."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*AUDITING)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
