"""A store that forgets when its process ends: for tests and demonstrations, and as what the promises plainly mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rsc_share.node.store.protocol import Room

Rows = dict[tuple[Room, str], dict[bytes, bytes]]


class MemoryStore:
    """`crashed` gives what a crash at this moment would leave."""

    def __init__(self, durable: Rows | None = None) -> None:
        self.fresh = not durable
        self._rows: Rows = {shelf: dict(rows) for shelf, rows in (durable or {}).items()}
        self._durable: Rows = durable if durable is not None else {}
        self._staged: dict[tuple[Room, str, bytes], bytes | None] = {}
        self._later: list[Callable[[], None]] = []

    def put(self, room: Room, log: str, key: bytes, value: bytes) -> None:
        self._rows.setdefault((room, log), {})[key] = value
        self._staged[room, log, key] = value

    def delete(self, room: Room, log: str, key: bytes) -> None:
        self._rows.get((room, log), {}).pop(key, None)
        self._staged[room, log, key] = None

    def later(self, stage: Callable[[], None]) -> None:
        self._later.append(stage)

    def _stage(self) -> None:
        due, self._later = self._later, []
        for stage in due:
            stage()

    def get(self, room: Room, log: str, key: bytes) -> bytes | None:
        self._stage()
        return self._rows.get((room, log), {}).get(key)

    def rows(self, room: Room, log: str) -> Iterable[tuple[bytes, bytes]]:
        self._stage()
        return sorted(self._rows.get((room, log), {}).items())

    def flush(self) -> None:
        """Nothing: `commit` takes no time."""

    async def commit(self) -> None:
        self._stage()
        for (room, log, key), value in self._staged.items():
            if value is None:
                self._durable.get((room, log), {}).pop(key, None)
            else:
                self._durable.setdefault((room, log), {})[key] = value
        self._staged.clear()

    async def rotate(self, now: int) -> bool:
        await self.commit()
        return False  # memory has no free pages to read

    async def close(self) -> None:
        await self.commit()

    def crashed(self) -> MemoryStore:
        """A new store with what was committed."""
        return MemoryStore({shelf: dict(rows) for shelf, rows in self._durable.items()})
