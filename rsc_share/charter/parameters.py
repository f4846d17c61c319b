"""The protocol's numbers, which a charter may set. Times are milliseconds here, seconds in the text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CONFIRM_WITHIN = 72 * HOUR
"""How long an act of a duty key may stand before its member's authority should have confirmed it."""
PREKEY_INTERVAL = 10 * MINUTE
"""A node logs at most one prekey in this time: more would make every sender re-grant for ever."""
OFFICERS_MAX = 256
"""Live officers of one member."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """docs/protocol.md, parameters. All times in milliseconds; `nodes_max` counts live nodes of one member."""

    lag: int = 10 * MINUTE
    skew: int = 120 * SECOND
    heartbeat: int = 15 * MINUTE
    ack_deadline: int = HOUR
    prekey_life: int = 6 * HOUR
    prekey_max: int = 7 * DAY
    grant_life: int = HOUR
    node_delay: int = 24 * HOUR
    nodes_max: int = 8
    outbox_age: int = 90 * DAY


# What the text may say, in seconds. A LAG of a day would let a revoked key live for two; a SKEW above LAG/2 would
# let an honest relay fail its own stamp rules.
_BOUNDS = {
    "lag": (1, 86_400),
    "skew": (1, 3_600),
    "heartbeat": (1, 86_400),
    "ack_deadline": (1, 604_800),
    "prekey_life": (60, 604_800),
    "prekey_max": (60, 31 * 86_400),
    "grant_life": (1, 86_400),
    "node_delay": (0, 31 * 86_400),
    "outbox_age": (60, 366 * 86_400),
}


def bounds(name: str) -> tuple[int, int]:
    """The least and greatest value the text may give `name` (seconds, or a count for `nodes_max`)."""
    return (1, 64) if name == "nodes_max" else _BOUNDS[name]


def text_key(name: str) -> str:
    """How a parameter is called in the charter's text: times carry their unit."""
    return name if name == "nodes_max" else f"{name}_seconds"


TEXT_KEYS = {text_key(f.name): f.name for f in fields(Parameters)}


def from_text(values: dict[str, int]) -> Parameters:
    """Parameters from checked numbers keyed by field name, in the unit of the text."""
    scaled: dict[str, Any] = {name: n if name == "nodes_max" else n * SECOND for name, n in values.items()}
    return Parameters(**scaled)


def to_text(parameters: Parameters) -> dict[str, int]:
    """The numbers as the text says them, keyed as the text keys them. Sub-second parts are not representable."""
    return {
        key: getattr(parameters, name) if name == "nodes_max" else getattr(parameters, name) // SECOND
        for key, name in TEXT_KEYS.items()
    }


def incoherent(parameters: Parameters) -> str | None:
    """Why these numbers cannot work together, or None."""
    if parameters.skew * 2 > parameters.lag:
        return "skew_seconds is more than half of lag_seconds: an honest relay would break its own stamp rules"
    if parameters.prekey_life > parameters.prekey_max:
        return "prekey_life_seconds is more than prekey_max_seconds: every prekey would end before its successor"
    if parameters.prekey_life < PREKEY_INTERVAL:
        return "prekey_life_seconds is less than 600: the directory takes one prekey per node in ten minutes"
    return None
