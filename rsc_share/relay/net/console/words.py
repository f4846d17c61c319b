"""Numbers as a person reads them, and the two drawings of the page. Every text that goes into HTML passes `text`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHAPES = {
    "good": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z",  # a disc
    "attention": "M8 1l8 14H0z",  # a triangle
    "stop": "M5 0h6l5 5v6l-5 5H5l-5-5V5z",  # an octagon
}
"""Told apart without any colour."""
SPARK_SECONDS, SPARK_HEIGHT = 300, 28


def text(value: object) -> str:
    """Escaped for an element or a quoted attribute."""
    return html.escape(str(value), quote=True)


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def size(number: int) -> str:
    """1.5 GiB."""
    value, unit = float(number), 0
    while value >= 1024 and unit < len(_BYTES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} B" if not unit else f"{value:.1f} {_BYTES[unit]}"


def duration(ms: int) -> str:
    """What is long ago is not known to the second: 12 s, 5 min, 3 h, 4 d."""
    seconds = max(0, ms) // 1000
    for most, length, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds // length} {unit}"
    return f"{seconds // 86_400} d"


def moment(ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """UTC, for people."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def time_tag(ms: int, shown: str) -> str:
    """A `time` element that carries the exact moment."""
    return f'<time datetime="{moment(ms, "%Y-%m-%dT%H:%M:%SZ")}" title="{moment(ms)} UTC">{text(shown)}</time>'


def rate(per_second: float) -> str:
    """1,234 or 0.3: small numbers keep a digit."""
    return f"{per_second:,.0f}" if per_second >= 10 or not per_second else f"{per_second:.1f}"


def latency(ms: float | None, commits: int) -> str:
    """The bucket's bound is all that is known."""
    if not commits:
        return "–"  # noqa: RUF001 - a dash for people
    return "&gt; 5 s" if ms is None else f"≤ {ms:g} ms"


def mark(kind: str) -> str:
    """A shape beside a word; readers that speak skip it."""
    drawn = f'<path d="{_SHAPES[kind]}"/>'
    return f'<svg class="mark {kind}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{drawn}</svg>'


def spark(history: Sequence[tuple[float, float]]) -> str:
    """Entries a second of the last five minutes, as an area; the newest on the right."""
    most = max((per_second for _, per_second in history), default=0.0)
    top = max(1.0, most)
    points = [
        f"{SPARK_SECONDS - min(ago, SPARK_SECONDS):g} {(1 - per_second / top) * (SPARK_HEIGHT - 1) + 1:.1f}"
        for ago, per_second in history
    ]
    drawn = ""
    if points:
        first = points[0].split(" ")[0]
        drawn = f'<path d="M{first} {SPARK_HEIGHT}L{"L".join(points)}L{SPARK_SECONDS} {SPARK_HEIGHT}z"/>'
    return (
        f'<div class="graph"><svg class="spark" viewBox="0 0 {SPARK_SECONDS} {SPARK_HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true" focusable="false">{drawn}</svg>'
        f'<span class="peak">peak {ceil(most):,}</span></div>'
    )
