"""Three pictures as SVG, by hand: memory over time, how long messages took, and rates side by side.

Each stands alone: white ground, its own legend, numbers at the axes; colours that colour-blind readers tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from measure import Row
from sampling import Point, Samples, percentile

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 80, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
POINTS = 400
"""Of one line: more are not seen, and make the file large."""
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}.soft{fill:#666}"
    ".grid{stroke:#ddd;stroke-width:1}.mark{stroke:#999;stroke-dasharray:3 3}"
)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`: steps of 1, 2 or 5."""
    if high - low <= 1e-9 * max(1.0, abs(high)):  # nothing that floats could be stepped through
        high = low + 1
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first = math.floor(low / step)
    return [step * n for n in range(first, math.ceil(high / step - 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """1, 2, 5 of each power of ten around `low` to `high`, both above 0."""
    found = [
        10.0**e * m for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)
    ]
    begin = max(n for n, value in enumerate(found) if value <= low)
    end = next((n for n, value in enumerate(found) if value >= high), len(found) - 1)
    return found[begin : end + 1]


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most about `POINTS`: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= POINTS:
        return list(points)
    size = math.ceil(2 * len(points) / POINTS)
    found: list[Point] = []
    for at in range(0, len(points), size):
        some = points[at : at + size]
        found += sorted({min(some, key=lambda p: p[1]), max(some, key=lambda p: p[1])})
    return found


class Frame:
    """The drawing area with two axes. `x` and `y` turn values into places."""

    def __init__(
        self, title: str, across: Sequence[float], up: Sequence[float], units: tuple[str, str], *, log: bool = False
    ):
        self._across, self._up, self._log = across, up, log
        self.parts = [f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>']
        for value in up:
            y = self.y(value)
            self.parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self.parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for value in across:
            x = self.x(value)
            self.parts.append(
                f'<text class="soft" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>'
            )
        self.parts.append(
            f'<text class="soft" x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{escape(units[0])}</text>'
        )
        self.parts.append(f'<text class="soft" x="12" y="{TOP - 12}">{escape(units[1])}</text>')

    def x(self, value: float) -> float:
        low, high = self._across[0], self._across[-1]
        if self._log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self._up[0], self._up[-1]
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(self, points: Iterable[Point], colour: str) -> None:
        placed = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{placed}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def mark(self, at: float, what: str, row: int) -> None:
        x = self.x(at)
        self.parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        self.parts.append(f'<text class="soft" x="{x + 3:.1f}" y="{TOP + 12 + 14 * row}">{escape(what)}</text>')

    def legend(self, names: Iterable[tuple[str, str]]) -> None:
        at = float(LEFT)
        for name, colour in names:
            self.parts.append(f'<rect x="{at:.0f}" y="36" width="12" height="12" fill="{colour}"/>')
            self.parts.append(f'<text x="{at + 17:.0f}" y="46">{escape(name)}</text>')
            at += 34 + 6.4 * len(name)

    def svg(self) -> str:
        return svg(self.parts, HEIGHT)


def svg(parts: Iterable[str], height: int) -> str:
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    inside = "\n".join((f"<style>{_STYLE}</style>", ground, *parts))
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{inside}\n</svg>\n'


def memory(title: str, samples: Samples) -> str:
    """Resident memory of each process over time, with what happened."""
    points = [point for series in samples.series.values() for point in series]
    across = ticks(0, max(at for at, _ in points))
    frame = Frame(title, across, ticks(0, max(held for _, held in points)), ("seconds", "MiB resident"))
    colours = dict(zip(samples.series, COLOURS, strict=False))
    for n, (at, what) in enumerate(samples.marks):
        frame.mark(at, what, n % 4)
    for name, series in samples.series.items():
        frame.line(thinned(series), colours[name])
    frame.legend(colours.items())
    return frame.svg()


def distribution(title: str, took: Mapping[str, Sequence[float]]) -> str:
    """The share of messages that took at most so many ms; the ms on a logarithmic axis."""
    lows = [percentile(values, 0.0) for values in took.values()]
    highs = [percentile(values, 1.0) for values in took.values()]
    across = decades(max(min(lows), 0.01), max(*highs, 0.02))
    frame = Frame(title, across, [0, 20, 40, 60, 80, 100], ("milliseconds", "% of messages"), log=True)
    for values, colour in zip(took.values(), COLOURS, strict=False):
        shares = [n / 200 for n in range(201)] + [0.995 + n / 2_000 for n in range(1, 11)]
        frame.line([(percentile(values, min(1.0, share)), 100 * min(1.0, share)) for share in shares], colour)
    frame.legend(zip(took, COLOURS, strict=False))
    return frame.svg()


def bars(title: str, rows: Sequence[Row]) -> str:
    """One bar for each row, the value behind it; the longest fills the width."""
    most, wide, step = max(row.value for row in rows), 250, 26
    parts = [f'<text class="title" x="16" y="24">{escape(title)}</text>']
    for n, row in enumerate(rows):
        y = 44 + step * n
        length = (WIDTH - wide - 150) * row.value / most if most else 0.0
        colour = COLOURS[0] if row.name.startswith("rsc_share") else "#999"
        parts.append(f'<text x="{wide - 8}" y="{y + 13}" text-anchor="end">{escape(row.name.strip())}</text>')
        parts.append(f'<rect x="{wide}" y="{y}" width="{length:.1f}" height="18" fill="{colour}"/>')
        parts.append(f'<text x="{wide + length + 6:.1f}" y="{y + 13}">{row.value:,.0f} {escape(row.unit)}</text>')
    return svg(parts, 60 + step * len(rows))
