"""What a running node tells its operator in its log: alarms as they are raised, and relays as they come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from rsc_share.node.alarms import Alarm
from rsc_share.node.connect import failure_of
from rsc_share.node.node import Node

LOOK_SECONDS = 1.0
ADVICE = {
    "cloned": "stop every copy of this node; docs/operations.md says how to go on",
    "directory-stale": "find out whose nodes are silent; all goes on by itself",
    "equivocation": "keep evidence/ and call the other members",
    "revoked": "ask your authority",
    "rolled-back": "stop every copy of this node; docs/operations.md says how to go on",
    "token": "set this machine's clock; where it is right, compare each line of node.toml with the charter",
    "undelivered": "call that member's operator",
    "silent": "call that member's operator",
    "unexpected-certificate": "if it knows nothing of it, have that node revoked by the duty key",
    "unknown-sender": "look at this machine's clock, `node` in node.toml, and the last day of the certificate",
    "wrong-charter": "compare charter_digest in node.toml with the paper",
}
"""What to do, by an alarm's code or by why a relay does not let a node in."""
USUAL = "see the table of alarms in docs/operations.md"


class Log(Protocol):
    def info(self, event: str, **fields: Any) -> None: ...

    def warning(self, event: str, **fields: Any) -> None: ...


class Watch:
    """Of one node. `log` hears of each change once. Where it takes nothing, because its disk is full or its reader is
    gone, the node goes on: it keeps its alarms itself, and tells them in its status."""

    def __init__(self, node: Node, log: Log) -> None:
        self._node, self._log = node, log
        self._away: dict[str, str | None] = {}
        if node.alarms:
            self._warn("alarms from before", count=len(node.alarms), now="rsc-share node status")
        node.engine.alarms.listen(self._alarm)

    def _alarm(self, alarm: Alarm) -> None:
        self._warn("alarm", code=alarm.code, what=alarm.what, now=ADVICE.get(alarm.code, USUAL))

    def _warn(self, event: str, **fields: Any) -> None:
        with suppress(OSError):
            self._log.warning(event, **fields)

    def look(self) -> None:
        """Once: which relays have come or gone since."""
        for host, port in self._node.engine.ports.items():
            error = failure_of(port)
            code = None if error is None else error.code
            if host in self._away and self._away[host] == code:
                continue
            self._away[host] = code
            if error is None:
                with suppress(OSError):
                    self._log.info("relay answers", relay=host)
            else:
                now = ADVICE.get(error.code, "wait: what is queued leaves when it is back")
                self._warn("no session with relay", relay=host, code=error.code, what=error.what, now=now)

    async def run(self, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await pause(LOOK_SECONDS)
