"""A whole framework in memory for tests: real keys, real logs, real policy, a clock that only moves when told to."""

from __future__ import annotations

from rsc_share.testing.clock import Clock
from rsc_share.testing.framework import Framework

__all__ = ["Clock", "Framework"]
