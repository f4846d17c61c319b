"""The line between a node and the relay of a test: it can be cut, and an adversary may sit on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsc_share.errors import RscError, Unavailable
from rsc_share.node.connect import failure_of
from rsc_share.session.frames import News, Offer, Outcome, Submission, Tail
from rsc_share.session.port import NOTHING, NOWHERE, RelayPort, Shown


class RelayControl:
    """Which members cannot reach the relay."""

    def __init__(self) -> None:
        self._off: set[str] = set()

    def cut_off(self, member: str) -> None:
        self._off.add(member)

    def reconnect(self, member: str) -> None:
        self._off.discard(member)

    def check(self, member: str) -> None:
        """Raises `Unavailable` for a member that is cut off."""
        if member in self._off:
            raise Unavailable(f"{member} is cut off from the relay", code="cut-off")


class Wire:
    """A `RelayPort` in front of another. Subclass one method to lie about one thing."""

    def __init__(self, port: RelayPort, member: str, control: RelayControl) -> None:
        self.port, self.member, self._control = port, member, control

    def _check(self) -> None:
        self._control.check(self.member)

    @property
    def failure(self) -> RscError | None:
        """Why nobody is reached, as a connection says it."""
        try:
            self._check()
        except Unavailable as error:
            return error
        return failure_of(self.port)

    async def logs(self) -> Mapping[str, int]:
        self._check()
        return await self.port.logs()

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        self._check()
        return await self.port.submit(log, entries)

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        self._check()
        return await self.port.submit_object(found, bodies)

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        self._check()
        return await self.port.read(log, start, limit)

    async def witnessed(self, log: str) -> bytes | None:
        self._check()
        return await self.port.witnessed(log)

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self._check()
        return await self.port.bodies(log, digests)

    async def blob_held(self, log: str, digest: bytes, size: int) -> int:
        self._check()
        return await self.port.blob_held(log, digest, size)

    async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        self._check()
        return await self.port.blob_put(log, digest, size, index, chunk)

    async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        self._check()
        return await self.port.blob_read(log, digest, start, stop)

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        self._check()
        return await self.port.offers(heads, shown)

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        self._check()
        await self.port.cosign(log, size, lines)

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        """Never says what is new: that is asked for, of whoever sits on the line."""
        self._check()
        await self.port.changed(known, heads)
        return None
