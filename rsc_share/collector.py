"""Python's cycle collector in a process that serves for months: what its start made is not searched again.

A full collection of a node or a relay takes 15 to 30 ms in which no message moves, and a busy sender had one each
second. Nearly all of what it looks through was made while the process started: modules, classes, the charter.
"""

from __future__ import annotations

import gc

THRESHOLDS = (700, 5, 200)
"""Instead of 700, 10, 10. What a message leaves behind is freed by counting references. The few cycles there are come
from connections that end, and wait a little longer for a full collection."""


def freeze() -> None:
    """For a process that does nothing else, once it has started: the settings are those of the whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
