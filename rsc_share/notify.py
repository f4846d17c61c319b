"""What a service tells the manager that started it (sd_notify): a datagram to the socket it names. No dependency.

    READY=1      it serves            STOPPING=1   it was asked to stop
    WATCHDOG=1   it is alive; asked for in WATCHDOG_USEC, sent three times as often as needed

Without a manager nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

SOCKET, WATCHDOG = "NOTIFY_SOCKET", "WATCHDOG_USEC"


def tell(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one state; whether there was somebody to tell. A manager that does not listen is none of our business."""
    path = environment.get(SOCKET, "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.sendto(state.encode(), address)
        return True
    return False


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two signs of life; None where nobody wants any."""
    asked = environment.get(WATCHDOG, "")
    return int(asked) / 3_000_000 if asked.isdecimal() and int(asked) > 0 else None


@asynccontextmanager
async def serving(
    alive: Callable[[], bool] = lambda: True, environment: Mapping[str, str] = os.environ
) -> AsyncIterator[None]:
    """While the service serves: ready, signs of life from the loop itself as long as `alive`, stopping."""
    tell("READY=1", environment)
    pace = watchdog_seconds(environment)
    task = None if pace is None else asyncio.create_task(_signs(pace, alive, environment))
    try:
        yield
    finally:
        tell("STOPPING=1", environment)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _signs(pace: float, alive: Callable[[], bool], environment: Mapping[str, str]) -> None:
    while True:
        if alive():
            tell("WATCHDOG=1", environment)
        await asyncio.sleep(pace)
