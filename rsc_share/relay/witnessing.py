"""One log's witnesses, as its relay sees them: what is offered, who answered, what k members have cosigned.

All members are offered the *same* tree until k of them have cosigned it, or for at most a second: on a busy log every
witness would otherwise cosign another size, and no checkpoint would ever be witnessed. Offers go on when the log is
idle: only a cosignature has a time, and a directory is fresh by the time of its newest ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ROUND = 1_000
"""ms for which one tree is offered although the log has grown."""
RETRY = 1_000
"""ms after which an unanswered offer wakes its node again; it may have had to read first."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """The newest tree that k members cosigned, and when (ms) the k-th newest of their cosignatures was made."""

    size: int
    time: int


@dataclass(slots=True)
class Witnessing:
    """State of one log since this relay started; nothing of it is stored, witnesses say it again within LAG/4."""

    target: int = 0
    since: int | None = None
    times: dict[str, int] = field(default_factory=dict)
    """ms of each member's newest cosignature of the target."""
    answered: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size and ms of each node's newest cosignature."""
    quorum: Quorum | None = None
    vouching: set[str] = field(default_factory=set)
    """Members whose head was consistent with this log, and not above it, since the start."""
    spoke: set[str] = field(default_factory=set)
    """Nodes that have said since the start what they were shown of this log, and nothing of it is missing here."""
    ahead: dict[str, int] = field(default_factory=dict)
    """Nodes that say they have cosigned more than there is here: a restored store, or a lie."""

    def aim(self, size: int, k: int, now: int) -> int:
        """The tree size to offer, given the log's newest signed `size`."""
        over = self.since is not None and (self.over(k) or now - self.since >= ROUND)
        if self.since is None or (over and size > self.target):
            self.target, self.since, self.times = size, now, {}
        return self.target

    def over(self, k: int) -> bool:
        """Whether k members have cosigned the target: the next one may be offered."""
        return len(self.times) >= k

    def heard(self, node: str, head: int, size: int) -> None:
        """A witness named the size it has cosigned."""
        if head > size:
            self.ahead[node] = head
        else:
            self.ahead.pop(node, None)

    def said(self, node: str) -> None:
        """What a node was shown of this log is here. Without that its cosignature vouches for nothing: it would cosign
        the same smaller tree of an old copy of the store."""
        self.spoke.add(node)

    def begins(self, node: str, member: str) -> None:
        """A witness without a head: size 0, which is consistent with every log."""
        if node in self.spoke:
            self.vouching.add(member)

    def due(self, node: str, now: int, interval: int) -> bool:
        """Whether the target should be cosigned by `node`: never done, or longer ago than `interval`."""
        size, time = self.answered.get(node, (-1, 0))
        return self.since is not None and (size < self.target or now - time >= interval)

    def cosigned(self, node: str, member: str, size: int, now: int) -> None:
        """A verified cosignature: also proof that what this witness has seen before is a prefix of our tree."""
        self.answered[node] = (size, now)
        if node in self.spoke:
            self.vouching.add(member)

    def count(self, size: int, times: Mapping[str, int], k: int) -> bool:
        """Take the members' newest times on the tree of `size`; whether what is witnessed has become more."""
        if size == self.target:
            self.times = dict(times)
        if len(times) < k or (self.quorum is not None and size < self.quorum.size):
            return False
        found = Quorum(size, sorted(times.values(), reverse=True)[k - 1])
        changed = found != self.quorum
        self.quorum = found
        return changed
