"""What the console shows, as plain values: the same for the page and for `state.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rsc_share.relay.room import Room

Level = Literal["stop", "attention"]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log. Ages and latencies in ms; `history` has pairs of seconds ago and entries a second."""

    log: str
    state: str
    directory: bool
    size: int
    witnessed_size: int | None
    witness_age: int | None
    per_second: float
    history: tuple[tuple[float, float], ...]
    commits: int
    commit_p50: float | None
    commit_p99: float | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One open session; `since` in ms UTC, `backlog` in bytes of answers that have not left."""

    member: str
    node: str
    since: int
    backlog: int


@dataclass(frozen=True, slots=True)
class CodeRow:
    """How often a code was given: since the start, and in the minutes kept."""

    code: str
    total: int
    lately: int


@dataclass(frozen=True, slots=True)
class DiskRow:
    """Bytes, and what they mean."""

    free: int
    total: int
    percent: float
    store: int
    wal: int
    room: Room


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person has to look at: what it is, and what to do now."""

    level: Level
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class State:
    """One moment of a relay. `at` in ms UTC, `kept_seconds` how far back "lately" reaches."""

    at: int
    host: str
    logs: tuple[LogRow, ...]
    witness_age_most: int
    """ms of the directory's `witness_age` above which somebody should look; it is stale at LAG/2."""
    sessions: tuple[SessionRow, ...]
    refused: tuple[CodeRow, ...]
    turned_away: tuple[CodeRow, ...]
    ended: tuple[CodeRow, ...]
    connections: int
    durable: bool
    """False for a store in memory."""
    disk: DiskRow | None
    """None in memory, or where the file system does not answer."""
    clock_step: float
    """Seconds."""
    clock_off: bool
    certificate_days: float
    kept_seconds: float
    alarms: tuple[Alarm, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.logs) and all(row.state == "ready" for row in self.logs)

    def wire(self) -> Mapping[str, Any]:
        """For `state.json`. Not `asdict`, which copies every point of every history."""
        found = {"version": 1, "ready": self.ready, **_fields(self)}
        for name, value in found.items():
            if isinstance(value, tuple):
                found[name] = [_fields(row) for row in value]
        found["disk"] = None if self.disk is None else _fields(self.disk)
        return found


def _fields(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
