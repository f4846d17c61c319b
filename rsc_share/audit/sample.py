"""Drawing messages by lot, so that people can compare labels with content: `audit sample --n 60 --seed TEXT`.

The seed is the committee's text and every log's root together: neither the committee nor a relay can steer the draw.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from rsc_share import names
from rsc_share.audit.replay import Replay
from rsc_share.audit.trace import entries_of

Stratum = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One message to be shown by a holder. `level` and `sender` are its stratum."""

    log: str
    index: int
    reference: str
    sender: str
    level: str


def sample(result: Replay, n: int, seed: str) -> tuple[Drawn, ...]:
    """At most `n` messages, in turn from each (level, sender), in an order that the seed and the roots fix.

    Of those that were admitted: every void entry is a finding already, and with void ones of made-up levels whoever
    runs a log would fill every place of the draw.
    """
    roots = [result.export.logs[origin].checkpoint.root for origin in sorted(result.walks)]
    said = hashlib.sha256(seed.encode("utf-8", "surrogateescape")).digest()
    key = hashlib.sha256(b"".join((b"rsc-share sample\0", said, *roots))).digest()
    strata: dict[Stratum, list[tuple[bytes, Drawn]]] = defaultdict(list)
    for origin, walk in result.walks.items():
        for index, entry in entries_of(walk):
            h = entry.header
            if h.label is not None and walk.admitted(index):
                level = f"{h.label.scheme} {h.label.level}"
                reference = names.reference(h.sender, names.channel_of(origin), h.seq)
                lot = hashlib.sha256(key + entry.leaf).digest()
                strata[level, h.sender].append((lot, Drawn(origin, index, reference, h.sender, level)))
    queues = [sorted(strata[stratum], key=lambda pair: pair[0]) for stratum in sorted(strata)]
    drawn: list[Drawn] = []
    for turn in range(max(map(len, queues), default=0)):
        drawn += [queue[turn][1] for queue in queues if turn < len(queue)]
    return tuple(drawn[:n])
