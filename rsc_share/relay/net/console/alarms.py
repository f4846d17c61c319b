"""What in a state needs a person, worst first. The bounds are those that docs/operations.md tells to alarm at."""

from __future__ import annotations

from collections.abc import Iterator

from rsc_share.relay.net.console.state import Alarm, Level, LogRow, State
from rsc_share.relay.net.disk import WAL_MOST
from rsc_share.relay.room import Room

COMMIT_P99 = 100.0
"""ms."""
COMMITS_LEAST = 20
"""Commits below which their 99th percentile is one slow commit."""
CERTIFICATE_DAYS = 30


def alarms(state: State) -> tuple[Alarm, ...]:
    """Everything to look at; the same moment gives the same list."""
    found = [*_clock(state), *_disk(state), *_certificate(state)]
    for row in state.logs:
        found += _log(row, state.witness_age_most)
    return tuple(sorted(found, key=lambda alarm: alarm.level != "stop"))


def _log(row: LogRow, age_most: int) -> Iterator[Alarm]:
    if row.state == "stopped":
        yield Alarm("stop", f"{row.log} has stopped", "look at the disk, then run rsc-share relay check")
    elif row.state == "recovering":
        yield Alarm("attention", f"{row.log} waits for witnesses", "see which members have no session here")
    elif row.state == "directory-stale":
        yield Alarm("attention", f"{row.log} takes nothing: the directory is not witnessed", "call missing members")
    if row.directory and row.witness_age is not None and row.state == "ready" and row.witness_age > age_most:
        what = f"{row.log} was witnessed {row.witness_age // 1000} s ago"
        yield Alarm("attention", what, "see which members have no session here: soon nothing is admitted")
    slow = row.commits >= COMMITS_LEAST and (row.commit_p99 is None or row.commit_p99 > COMMIT_P99)
    if slow:
        yield Alarm("attention", f"commits of {row.log} are slow", "look at what else uses this disk")


def _clock(state: State) -> Iterator[Alarm]:
    if state.clock_off:
        what = f"the clock stepped by {state.clock_step:+.1f} s: nothing is logged"
        yield Alarm("stop", what, "set it right; the relay goes on by itself")


_ADVICE = {
    Room.LOW: "make room: attachments are refused",
    Room.SHORT: "make room: messages of PRIORITY and ROUTINE are refused",
    Room.CRITICAL: "make room now: only FLASH is taken; `rsc-share relay rescue` gives the ballast away",
}


def _disk(state: State) -> Iterator[Alarm]:
    if not state.durable:
        yield Alarm("attention", "the store is in memory: every log is lost at the end", "for trials only")
    elif state.disk is None:
        yield Alarm("stop", "the file system of the store does not answer", "look at the disk")
    else:
        if state.disk.room is not Room.ENOUGH:
            level: Level = "stop" if state.disk.room is Room.CRITICAL else "attention"
            what = f"{state.disk.percent:.1f} % of the disk is free ({state.disk.room})"
            yield Alarm(level, what, _ADVICE[state.disk.room])
        if state.disk.wal > WAL_MOST:
            yield Alarm("attention", "the write-ahead file has grown above 1 GiB", "end who reads the database")


def _certificate(state: State) -> Iterator[Alarm]:
    if state.certificate_days < CERTIFICATE_DAYS:
        left = "has ended" if state.certificate_days < 0 else f"ends in {state.certificate_days:.0f} days"
        yield Alarm("attention", f"the TLS certificate {left}", "make another one for the same key, then SIGHUP")
