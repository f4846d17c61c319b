"""What a node can ask of a relay. In memory a function call, over the network a frame: the node cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from rsc_share.envelope.parts import Head
from rsc_share.session.frames import News, Offer, Outcome, Submission, Tail

NOWHERE: Mapping[str, int] = MappingProxyType({})
"""Sizes cosigned by who has cosigned nothing."""

Shown = Mapping[str, Head]
"""By log: the largest tree a node has seen signed by it, with that signature."""
NOTHING: Shown = MappingProxyType({})

ONE_CALL = 1 << 20
"""Bytes of a run that every port hands in as one call."""


class Feed(Protocol):
    """The part of a port that reads."""

    async def read(self, log: str, start: int, limit: int) -> Tail | None: ...

    async def witnessed(self, log: str) -> bytes | None: ...

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]: ...

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]: ...


class RelayPort(Protocol):
    """One authenticated session of one node with one relay.

    Every method may raise `Unavailable` (cut off, draining, overloaded). Nothing a port returns has been verified.
    """

    async def logs(self) -> Mapping[str, int]:
        """Origin -> size of every log this node reads or witnesses."""
        ...

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        """One outcome for each entry, in order. After the first refusal the rest of the run is `not-tried`.

        Runs of at most ONE_CALL bytes that are handed in one after the other, none more urgent than the one before it,
        are judged in that order.
        """
        ...

    async def submit_object(self, found: bytes, bodies: Mapping[bytes, bytes]) -> int:
        """Log a self-proving object in the directory; its index there. Raises `Refused`."""
        ...

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        """Entries from `start` as this node may see them, at most `limit`; None where nothing is new since `start`.

        A tail without items is the checkpoint of exactly `start` entries, better witnessed than it was shown before.
        """
        ...

    async def witnessed(self, log: str) -> bytes | None:
        """The newest note that k members cosigned. On a busy log its tree is smaller than what was read already."""
        ...

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Bodies this node is entitled to. A digest that is not in the answer is erased, or kept back."""
        ...

    async def blob_held(self, log: str, digest: bytes, size: int) -> int:
        """How many chunks of an upload of `size` bytes are durable: where to go on. Raises `Refused`."""
        ...

    async def blob_put(self, log: str, digest: bytes, size: int, index: int, chunk: bytes) -> int:
        """Hand in the next chunk of a blob that an entry of `log` is to name; how many are durable now.

        Raises `Refused`, `RemoteError` (`wrong-chunk`: ask `blob_held`; `wrong-blob`: the chunks are not the digest's).
        """
        ...

    async def blob_read(self, log: str, digest: bytes, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop` - 1 of a blob that an entry for this node names; at most one sealed chunk.

        Raises `Refused` (`body-missing` once it is recalled, erased or expired).
        """
        ...

    async def offers(self, heads: Mapping[str, int], shown: Shown = NOTHING) -> list[Offer]:
        """Checkpoints to cosign, one per log, with consistency proofs from the witness heads given (0: none).

        `shown`: what this node was shown of each log, cosigned or not. A relay that started from an old copy of its
        store learns from it that it must not go on. A port may leave it out after a session's first call.
        """
        ...

    async def cosign(self, log: str, size: int, lines: Sequence[bytes]) -> None:
        """Hand in cosignature lines (C2SP signed note lines) for the checkpoint of `size`."""
        ...

    async def changed(self, known: Mapping[str, int], heads: Mapping[str, int] = NOWHERE) -> News | None:
        """Return when some log is larger, better witnessed or due for cosigning again, compared with `known` sizes:
        what `read`, `witnessed` and `offers(heads)` would say of those logs. None: ask them, something is new."""
        ...
