"""What a demonstration says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """Something this demonstration says about itself, and whether the running framework bears it out."""

    text: str
    held: bool
