"""How whoever does something long tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is worked on, how much is done, of how much): entries of a log, or bytes of a file."""


def silent(what: str, done: int, total: int) -> None:
    """For work that nobody watches."""
