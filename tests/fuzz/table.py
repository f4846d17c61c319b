"""What a run reached, target by target: a family's sum would hide the parser that was never called."""

from __future__ import annotations

import sys
from pathlib import Path

from every import BY_NAME
from families import Families
from folders import inputs, tally
from reach import measure

WANTED = 95.0
"""Percent of a parser's lines."""
FULL, LEAST = 600, 1000
"""So many inputs must every target have had where a family had so many seconds; in a shorter run in proportion."""


def least(seconds: int) -> int:
    return LEAST * min(seconds, FULL) // FULL


def show(families: Families, keep: Path, seconds: int) -> bool:
    """Print the table. Whether some target is short of lines or of inputs."""
    short = False
    print(f"\n{'family':<10} {'parser':<28} {'inputs':>9} {'seconds':>8} {'lines':>6} {'reached':>8}")
    for family, names in families.items():
        held, had = inputs(keep / family), tally(keep / family)
        for name in names:
            short |= _row(family, name, held.get(name, []), had.get(name, (0, 0.0)), least(seconds))
    return short


def _row(family: str, name: str, held: list[bytes], had: tuple[int, float], wanted: int) -> bool:
    found = measure(BY_NAME[name], held)
    runs, seconds = had
    lost = "".join(f"  {Path(file).name}: {', '.join(map(str, lines))}" for file, lines in found.missing.items())
    starved = "" if runs >= wanted else f"  fewer than {wanted} inputs"
    print(f"{family:<10} {name:<28} {runs:>9} {seconds:>8.1f} {found.total:>6} {found.percent:>7.1f}%{lost}{starved}")
    sys.stdout.flush()
    return bool(starved) or found.percent < WANTED
