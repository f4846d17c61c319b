"""Times as people in this trade write them: ISO 8601 and the date-time group, both UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LAST = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def iso(time: int | None) -> str:
    """`2026-11-23T14:44:05.120Z`, or a dash. Milliseconds since 1970."""
    if time is None:
        return "-"
    if not 0 <= time <= _LAST:
        return f"{time} ms"
    moment = _EPOCH + timedelta(milliseconds=time)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"


def dtg(time: int | None) -> str:
    """`231444ZNOV26`: day, hour and minute, zone, month, year."""
    if time is None or not 0 <= time <= _LAST:
        return "-"
    moment = _EPOCH + timedelta(milliseconds=time)
    return f"{moment:%d%H%M}Z{_MONTHS[moment.month - 1]}{moment:%y}"


def both(time: int | None) -> str:
    return "-" if time is None else f"{dtg(time)} ({iso(time)})"
