"""Which store a relay runs on: the only place that knows more than the store protocol."""

from __future__ import annotations

from rsc_share.errors import LocalError
from rsc_share.relay.net.journal import Journal
from rsc_share.relay.net.settings import MEMORY, Settings
from rsc_share.relay.store.memory import MemoryStore
from rsc_share.relay.store.protocol import LogStore


def open_store(settings: Settings, journal: Journal) -> LogStore:
    """The store that `store` names. Raises `LocalError` (`store`) for one this build cannot open.

    Memory is never taken by itself: a relay that forgets its logs at a restart forks every one of them.
    """
    if settings.store == MEMORY:
        journal.warning(
            "THE STORE IS IN MEMORY: every log is lost when this process ends, and must never be begun again "
            "with the same keys; for trials only",
            store=MEMORY,
        )
        return MemoryStore()
    raise LocalError(
        f"this build cannot open the store {settings.store}",
        code="store",
        advice=f'for a trial that may forget everything write store = "{MEMORY}"',
    )
