"""Takes durability away from a process, for tests that must be seen to fail. Nothing in the product can do this."""

from __future__ import annotations

import os
from typing import Any

ASKED = "FAULTS_NO_SYNC"


def if_asked() -> None:
    """Before any store is opened: no file is synced, and no database waits for the disk."""
    if ASKED not in os.environ:
        return
    os.fsync = os.fdatasync = lambda handle: None  # type: ignore[assignment, misc]
    from rsc_share.node.store import table as node
    from rsc_share.relay.store import sqlite as relay

    connect, connect_writer = node._connect, relay.connect_writer

    def careless(path: Any) -> Any:
        connection = connect(path)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    node._connect = careless
    relay.connect_writer = lambda path, **_: connect_writer(path, synchronous="OFF")  # type: ignore[assignment]
