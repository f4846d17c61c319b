"""What every session of a server shares: counters, the log, and whether the clock may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rsc_share.relay.net.journal import Journal
from rsc_share.relay.net.meters import Meters


def believed() -> bool:
    """For a server whose clock nobody watches."""
    return True


@dataclass(frozen=True, slots=True)
class Office:
    """`clock_good`: nothing is logged while the wall clock has stepped: `logged_at` decides certificates."""

    meters: Meters
    journal: Journal
    clock_good: Callable[[], bool] = believed
