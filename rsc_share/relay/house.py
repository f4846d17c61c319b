"""What the parts of a relay need of the whole: named here, so that the whole may import its parts and not they it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rsc_share.bell import Bell
from rsc_share.charter.directory import Directory
from rsc_share.charter.view import DirectoryView
from rsc_share.envelope.parts import Head
from rsc_share.errors import Refused, StorageError
from rsc_share.relay.commit import BlobRoom
from rsc_share.relay.live import LiveLog
from rsc_share.relay.sequencer import Ground
from rsc_share.relay.store.protocol import Note


class House(Protocol):
    """The logs of one host, the directory they are judged by, and what is done when something happens to one."""

    logs: dict[str, LiveLog]
    bell: Bell

    @property
    def blobs(self) -> BlobRoom | None: ...

    def now(self) -> int: ...

    @property
    def directory(self) -> Directory: ...

    @property
    def view(self) -> DirectoryView: ...

    @property
    def directory_log(self) -> LiveLog: ...

    def counting_view(self, log: str, size: int) -> DirectoryView: ...

    def quorum_of(self, log: str, size: int) -> int: ...

    def ground(self, log: LiveLog) -> Ground: ...

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int: ...

    async def cosigned(self, log: LiveLog, node: str, note: Note) -> None: ...

    def recover(self, log: LiveLog) -> None: ...

    def contradicted(self, log: LiveLog, refused: Refused) -> None: ...

    def rolled_back(self, log: LiveLog, node: str, head: Head) -> None: ...

    def stop(self, log: LiveLog, error: StorageError) -> None: ...
