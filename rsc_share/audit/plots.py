"""Two small pictures as inline SVG, each beside the numbers it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH = 160


def bar(parts: Sequence[tuple[str, int]]) -> str:
    """One bar in parts of a whole; each part has a title, so that it is read aloud too. Small parts stay visible."""
    total = sum(count for _, count in parts)
    if not total:
        return ""
    rects, at = [], 0.0
    for css, count in parts:
        width = max(2.0, _WIDTH * count / total) if count else 0.0
        rects.append(
            f'<rect class="{css}" x="{at:.1f}" width="{width:.1f}" height="12"><title>{count} of {total}</title></rect>'
        )
        at += width
    return f'<svg class="bar" viewBox="0 0 {at:.1f} 12" width="{_WIDTH}" height="12" role="img">{"".join(rects)}</svg>'


def activity(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who sent how much to whom: a table of numbers, shaded by size."""
    senders = sorted({row["sender"] for row in rows})
    nodes = sorted({row["node"] for row in rows})
    if not senders:
        return ""
    counts = {(row["sender"], row["node"]): row["last_number"] for row in rows}
    most = max(counts.values())
    head = "".join(f"<th>{escape(node)}</th>" for node in nodes)
    lines = []
    for sender in senders:
        cells = "".join(_shaded(counts.get((sender, node)), most) for node in nodes)
        lines.append(f"<tr><th>{escape(sender)}</th>{cells}</tr>")
    caption = "<caption>last number of each sender (row) to each recipient (column)</caption>"
    return f'<div class="wide"><table class="matrix">{caption}<tr><th></th>{head}</tr>{"".join(lines)}</table></div>'


def _shaded(count: int | None, most: int) -> str:
    if not count:
        return '<td class="none">0</td>'
    return f'<td style="--share:{round(100 * count / most)}%">{count}</td>'
