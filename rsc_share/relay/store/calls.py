"""What waits for the writing thread, and how its answer finds the loop that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rsc_share.errors import StorageError
from rsc_share.relay.store.work import Transaction


@dataclass(slots=True, eq=False)
class Call:
    """One call of the store, and the future of whoever waits for it. `sweeps`: done only once nothing is left of it."""

    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]
    decided: Callable[[], None]
    sweeps: bool = False
    outcome: Any = None


def answer(calls: Sequence[Call]) -> None:
    """From the writing thread: give each call's outcome to whoever waits, on its own loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Call]] = {}
    for call in calls:
        by_loop.setdefault(call.future.get_loop(), []).append(call)
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver, theirs)
        except RuntimeError:  # that loop is closed: nobody waits any more
            continue


def _deliver(calls: Sequence[Call]) -> None:
    for call in calls:
        if not isinstance(call.outcome, StorageError):
            call.decided()
        if call.future.done():
            continue  # given up: what was written is written
        if isinstance(call.outcome, StorageError):
            call.future.set_exception(call.outcome)
        else:
            call.future.set_result(call.outcome)
